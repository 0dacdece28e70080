//! io_uring: requests written to memory that the kernel reads, answers that it writes back.
//!
//! A ring made here may be used by several threads: any may submit what was pushed and cancel,
//! answers may be taken by one at a time, and requests are pushed by one thread. That rules out
//! `IORING_SETUP_SINGLE_ISSUER` and what builds on it; the gain would be that the answers of a
//! thread that is stuck are stuck with it.
//!
//! Layouts and numbers are those of `linux/io_uring.h`; what they mean is told in io_uring(7),
//! io_uring_setup(2) and io_uring_enter(2).

mod entry;
mod map;
mod survey;

use std::fmt;
use std::ptr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::{Errno, clock, syscall};
use map::{Map, Offsets, Params};

pub use entry::{CURRENT_POSITION, Entry};
pub use survey::lacking;

const SETUP_CQSIZE: u32 = 1 << 3;
const SETUP_SUBMIT_ALL: u32 = 1 << 7;
/// Answers are not forced upon the thread by an interrupt; they come with its next system call,
/// or the next tick of the clock.
const SETUP_COOP_TASKRUN: u32 = 1 << 8;
/// The kernel tells in `SQ_TASKRUN` that answers wait for a system call.
const SETUP_TASKRUN_FLAG: u32 = 1 << 9;

const FEATURES: [(u32, &str); 6] = [
    (1, "one mapping for both rings (5.4)"),
    (1 << 1, "no lost answers (5.5)"),
    (1 << 2, "stable submissions (5.5)"),
    (1 << 3, "reading at the current position (5.6)"),
    (1 << 8, "waiting with a timeout (5.11)"),
    (1 << 11, "requests without an answer (5.17)"),
];

/// How rings are made.
const SETUP: u32 = SETUP_CQSIZE | SETUP_SUBMIT_ALL | SETUP_COOP_TASKRUN | SETUP_TASKRUN_FLAG;
/// What a kernel lacks that does not know all of [`SETUP`].
const COOPERATION: &str = "cooperative answers (5.19)";
const CANCELLING: &str = "cancelling by any thread (6.0)";

const ENTER_GETEVENTS: usize = 1;
const ENTER_EXT_ARG: usize = 1 << 3;

const SQ_CQ_OVERFLOW: u32 = 1 << 1;
const SQ_TASKRUN: u32 = 1 << 2;

const REGISTER_PROBE: usize = 8;
const REGISTER_SYNC_CANCEL: usize = 24;

/// How many answers ahead [`Uring::take`] tells of them.
pub const AHEAD: [u32; 2] = [6, 3];

/// Set in the flags of an answer if more will follow to the same request.
const CQE_F_MORE: u32 = 1 << 1;

/// A pair of rings, closed on drop.
#[derive(Debug)]
pub struct Uring {
    fd: i32,
    map: Map,
}

// SAFETY: the rings are memory shared with the kernel; the methods' rules say who may use what.
unsafe impl Send for Uring {}
// SAFETY: as above.
unsafe impl Sync for Uring {}

/// Why there is no ring to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The kernel's answer to the attempt to make one.
    Refused(Errno),
    /// The kernel lacks a feature.
    Lacks(&'static str),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::Refused(Errno::NOSYS) => f.write_str("the kernel has no io_uring (5.1)"),
            Unavailable::Refused(Errno::PERM) => f.write_str(
                "the kernel refuses io_uring: sysctl kernel.io_uring_disabled, or a seccomp filter",
            ),
            Unavailable::Refused(Errno::NOMEM) => {
                f.write_str("no memory may be locked for io_uring: raise ulimit -l")
            }
            Unavailable::Refused(errno) => write!(f, "the kernel refuses io_uring: {errno}"),
            Unavailable::Lacks(feature) => write!(f, "the kernel's io_uring lacks {feature}"),
        }
    }
}

/// The answer to a request.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Answer {
    /// The request's word.
    pub data: u64,
    result: i32,
    flags: u32,
}

impl Answer {
    /// What the system call would have returned.
    ///
    /// # Errors
    /// The kernel's error number.
    #[inline]
    pub fn result(self) -> Result<usize, Errno> {
        usize::try_from(self.result).map_err(|_| Errno(-self.result))
    }

    /// Whether more answers will follow.
    pub fn has_more(self) -> bool {
        self.flags & CQE_F_MORE != 0
    }
}

/// Makes a ring's descriptor.
fn setup(requests: u32, answers: u32, flags: u32) -> Result<(i32, Params), Errno> {
    let mut params = Params::default();
    params.cq_entries = answers;
    params.flags = flags;
    let args = [requests as usize, (&raw mut params) as usize, 0, 0, 0, 0];
    // SAFETY: the kernel reads and writes the live structure.
    let fd = unsafe { syscall(libc::SYS_io_uring_setup, args)? };
    Ok((fd as i32, params))
}

impl Uring {
    /// A ring with room for so many requests and answers, both powers of two.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub fn new(requests: u32, answers: u32) -> Result<Self, Unavailable> {
        let (fd, params) = match setup(requests, answers, SETUP) {
            Ok(made) => made,
            Err(Errno::INVAL) => return Err(Unavailable::Lacks(COOPERATION)),
            Err(errno) => return Err(Unavailable::Refused(errno)),
        };
        let lacking = FEATURES.iter().find(|(bit, _)| params.features & bit == 0);
        let map = match lacking {
            Some((_, name)) => Err(Unavailable::Lacks(name)),
            None => Map::new(fd, &params).map_err(Unavailable::Refused),
        };
        let ring = match map {
            Ok(map) => Uring { fd, map },
            Err(reason) => {
                crate::fd::close(fd);
                return Err(reason);
            }
        };
        ring.check()?;
        Ok(ring)
    }

    /// Whether the kernel knows what is used here, and lets this process use it.
    fn check(&self) -> Result<(), Unavailable> {
        if let Some(name) = self.unknown_operations().next() {
            return Err(Unavailable::Lacks(name));
        }
        if !self.cancels() {
            return Err(Unavailable::Lacks(CANCELLING));
        }
        // SAFETY: nobody else has the ring, and the request has no memory.
        let pushed = unsafe { self.push(&Entry::nothing(1)) };
        debug_assert!(pushed, "an empty ring has room");
        self.enter(1, Wait::Until(Some(Duration::from_secs(1)))).map_err(Unavailable::Refused)?;
        let mut answered = false;
        // SAFETY: nobody else has the ring.
        unsafe { self.take(1, |answer| answered = answer.data == 1, |_, _| {}) };
        if answered { Ok(()) } else { Err(Unavailable::Lacks("answers")) }
    }

    /// Names of operations that the kernel does not know.
    fn unknown_operations(&self) -> impl Iterator<Item = &'static str> {
        let unknown = entry::OPERATIONS.iter().filter(|(operation, _)| !self.knows(*operation));
        unknown.map(|(_, name)| *name)
    }

    /// Whether any thread can cancel: a request that there is not is not found.
    fn cancels(&self) -> bool {
        self.cancel(u64::MAX) == Err(Errno(libc::ENOENT))
    }

    fn knows(&self, operation: u8) -> bool {
        const SUPPORTED: u64 = 1;
        #[repr(C)]
        struct Probe {
            last: u8,
            len: u8,
            reserved: [u16; 7],
            /// Of each: its number (8 bits), 8 more, flags (16 bits), 32 more.
            operations: [u64; 256],
        }
        let mut probe = Probe { last: 0, len: 0, reserved: [0; 7], operations: [0; 256] };
        let place = (&raw mut probe) as usize;
        let args = [self.fd as usize, REGISTER_PROBE, place, 256, 0, 0];
        // SAFETY: the structure is the kernel's, with room for as many entries as it says.
        let known = unsafe { syscall(libc::SYS_io_uring_register, args) };
        known.is_ok() && probe.operations[operation as usize] >> 16 & SUPPORTED != 0
    }

    /// Writes a request. False if there is no room until some are submitted.
    ///
    /// # Safety
    /// One thread at a time pushes. The memory that the request names stays valid and in place, and
    /// nobody else uses it, until its answer has been taken.
    #[inline]
    #[must_use]
    pub unsafe fn push(&self, entry: &Entry) -> bool {
        let map = &self.map;
        // Relaxed: this thread wrote it.
        let tail = map.word(map.sq.tail).load(Ordering::Relaxed);
        // Acquire: the kernel has read what was in the place.
        let head = map.word(map.sq.head).load(Ordering::Acquire);
        if tail.wrapping_sub(head) == map.sq.entries {
            return false;
        }
        // SAFETY: within the array; the place is free, and the caller the only one to write.
        unsafe { ptr::write(map.entries().add((tail & (map.sq.entries - 1)) as usize), *entry) };
        // Release: whoever submits sees the entry.
        map.word(map.sq.tail).store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    /// Requests pushed that have not been submitted.
    #[inline]
    pub fn unsubmitted(&self) -> u32 {
        let map = &self.map;
        // The head first: it never overtakes a tail that is read later.
        let head = map.word(map.sq.head).load(Ordering::Acquire);
        map.word(map.sq.tail).load(Ordering::Acquire).wrapping_sub(head)
    }

    /// How far requests have been submitted and answers taken, to be compared with later.
    pub fn progress(&self) -> (u32, u32) {
        let map = &self.map;
        let head = |offsets: &Offsets| map.word(offsets.head).load(Ordering::Relaxed);
        (head(&map.sq), head(&map.cq))
    }

    /// Whether there are answers to take.
    #[inline]
    pub fn has_answers(&self) -> bool {
        let map = &self.map;
        // Relaxed: `take` looks again.
        map.word(map.cq.head).load(Ordering::Relaxed)
            != map.word(map.cq.tail).load(Ordering::Relaxed)
    }

    /// Whether answers wait for a system call of the thread that submitted, or for room.
    #[inline]
    pub fn wants_enter(&self) -> bool {
        let flags = self.map.word(self.map.flags).load(Ordering::Relaxed);
        flags & (SQ_TASKRUN | SQ_CQ_OVERFLOW) != 0
    }

    /// Submits up to `count` requests, by any thread, and waits as told. The calling thread is the
    /// one whose system calls later answers wait for.
    ///
    /// # Errors
    /// `ETIME` when the time is over, `EINTR`, `EBUSY` while too many answers wait, `EAGAIN` when
    /// memory is exhausted.
    pub fn enter(&self, count: u32, wait: Wait) -> Result<usize, Errno> {
        #[repr(C)]
        struct Argument {
            mask: u64,
            mask_size: u32,
            padding: u32,
            time: u64,
        }
        let (least, timeout) = match wait {
            Wait::No => (0, None),
            Wait::Until(timeout) => (1, timeout),
        };
        let time = timeout.map(|t| clock::timespec(t.as_nanos().min(u64::MAX.into()) as u64));
        let time = time.as_ref().map_or(0, |time| ptr::from_ref(time) as u64);
        let argument = Argument { mask: 0, mask_size: 0, padding: 0, time };
        let place = ptr::from_ref(&argument) as usize;
        let flags = ENTER_GETEVENTS | ENTER_EXT_ARG;
        let args = [self.fd as usize, count as usize, least, flags, place, size_of::<Argument>()];
        // SAFETY: argument and timespec live until the return; the requests' memory is vouched for
        // by whoever pushed them.
        unsafe { syscall(libc::SYS_io_uring_enter, args) }
    }

    /// Takes up to `most` answers. `ahead` gets the words of
    /// answers that will be taken a little later, how many answers later, so that what they stand
    /// for can be fetched.
    ///
    /// # Safety
    /// One thread at a time, which does not come back here from the closures.
    pub unsafe fn take(
        &self,
        most: usize,
        mut each: impl FnMut(Answer),
        mut ahead: impl FnMut(u64, u32),
    ) {
        let map = &self.map;
        // Relaxed: written by whoever took answers before, whom the caller synchronised with.
        let head = map.word(map.cq.head).load(Ordering::Relaxed);
        // Acquire: the kernel has written the answers.
        let tail = map.word(map.cq.tail).load(Ordering::Acquire);
        let count = tail.wrapping_sub(head).min(u32::try_from(most).unwrap_or(u32::MAX));
        let answer = |index: u32| {
            let place = (head.wrapping_add(index) & (map.cq.entries - 1)) as usize;
            // SAFETY: within the array, and written before the tail.
            unsafe { map.answers().add(place).read() }
        };
        for index in 0..count {
            for distance in AHEAD {
                if index + distance < count {
                    ahead(answer(index + distance).data, distance);
                }
            }
            each(answer(index));
        }
        // Release: the places have been read.
        map.word(map.cq.head).store(head.wrapping_add(count), Ordering::Release);
    }

    /// Takes the answer with this word out of its turn, if it is among the newest `most`; in its
    /// place stays one with the word `gone`.
    ///
    /// # Safety
    /// As for [`take`](Self::take).
    pub unsafe fn take_early(&self, data: u64, gone: u64, most: u32) -> Option<Answer> {
        let map = &self.map;
        let head = map.word(map.cq.head).load(Ordering::Relaxed);
        // Acquire: the kernel has written the answers.
        let tail = map.word(map.cq.tail).load(Ordering::Acquire);
        let newest = (1..=tail.wrapping_sub(head).min(most)).map(|back| tail.wrapping_sub(back));
        for index in newest {
            let place = (index & (map.cq.entries - 1)) as usize;
            // SAFETY: within the array, and written before the tail; until the head has passed it,
            // the place is ours.
            unsafe {
                let place = map.answers().add(place).cast_mut();
                if (*place).data == data {
                    return Some(place.replace(Answer { data: gone, result: 0, flags: 0 }));
                }
            }
        }
        None
    }

    /// Cancels the request with this word, by any thread. Its answer, `ECANCELED` or another, still
    /// comes.
    ///
    /// # Errors
    /// `ENOENT` when there is no such request any more, `ETIME` when it is past cancelling.
    pub fn cancel(&self, data: u64) -> Result<(), Errno> {
        #[repr(C)]
        struct Argument {
            data: u64,
            fd: i32,
            flags: u32,
            time: [i64; 2],
            operation: u8,
            padding: [u8; 7],
            more: [u64; 3],
        }
        // No time: it is not to wait for a request that cannot be interrupted.
        let argument = Argument {
            data,
            fd: -1,
            flags: 0,
            time: [0; 2],
            operation: 0,
            padding: [0; 7],
            more: [0; 3],
        };
        let place = ptr::from_ref(&argument) as usize;
        let args = [self.fd as usize, REGISTER_SYNC_CANCEL, place, 1, 0, 0];
        // SAFETY: the kernel reads the live structure.
        unsafe { syscall(libc::SYS_io_uring_register, args) }.map(drop)
    }

    /// The descriptor of the rings.
    pub fn fd(&self) -> i32 {
        self.fd
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        crate::fd::close(self.fd);
    }
}

/// How long [`Uring::enter`] waits.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// Not at all.
    No,
    /// For an answer, at most for the given time.
    Until(Option<Duration>),
}
