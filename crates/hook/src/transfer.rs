//! Operations on descriptors that wait: try, wait, try again; or have the kernel do it.
//!
//! Where coroutines wait for readiness, an operation is *tried* without blocking and waited for in
//! between. Where they wait for completion it is *submitted*: a call that would block is made by
//! the kernel, and what it returned is what comes back. Which operations are tried before they are
//! submitted is a matter of measurement; see "Waiting for the kernel" in DESIGN.md.

use std::time::Duration;

use lisle_rt::descriptor::{Descriptor, Direction, Ended, Expected, Moved};
use lisle_rt::request::{self, Performed};
use lisle_rt::signals;
use lisle_sys::uring::Entry;
use lisle_sys::{Errno, fd};

use crate::facts::{self, Kind};

/// An operation on a descriptor by a coroutine.
///
/// The open file may go on under another number while the coroutine waits (see
/// [`Ended::Closed`]), so the number to use is asked for at each attempt.
pub(crate) struct Operation {
    fd: i32,
    descriptor: Descriptor,
    direction: Direction,
    /// When to give up, once the operation has begun to wait.
    deadline: Option<Option<u64>>,
    /// Whether that moment has come.
    expired: bool,
    /// The descriptor's when the operation began: another one means another file.
    generation: u32,
    moved: Option<Moved>,
}

impl Operation {
    /// Attempts in vain after which there are pauses between them.
    const TRIES: u32 = 16;
    const PAUSE: Duration = Duration::from_millis(1);

    /// None where the plain call is right: not on a coroutine that can suspend, or a number that
    /// cannot be waited for.
    #[inline]
    pub(crate) fn new(fd: i32, direction: Direction) -> Option<Self> {
        if !lisle_rt::begin_io() {
            return None;
        }
        let descriptor = Descriptor::new(fd)?;
        let generation = descriptor.generation();
        Some(Operation {
            fd,
            descriptor,
            direction,
            deadline: None,
            expired: false,
            generation,
            moved: None,
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        facts::kind(self.fd, &self.descriptor)
    }

    pub(crate) fn set_kind(&self, kind: Kind) {
        facts::set_kind(&self.descriptor, kind);
    }

    /// Notes what is known of a socket that was accepted from this one.
    pub(crate) fn accepted(
        &self,
        result: Result<usize, Errno>,
        flags: i32,
    ) -> Result<usize, Errno> {
        if let Ok(fd) = result {
            let listener = self.is_open().then_some(&self.descriptor);
            facts::inherit(fd as i32, listener, flags);
        }
        result
    }

    /// Sets when to give up, for calls that are told so by their caller.
    pub(crate) fn give_up_at(&mut self, deadline: Option<u64>) {
        self.deadline = Some(deadline);
    }

    /// The number that the open file has now.
    pub(crate) fn fd(&self) -> i32 {
        self.fd
    }

    /// Whether the user wants the open file not to block.
    pub(crate) fn is_nonblocking(&self) -> bool {
        facts::is_nonblocking(self.fd, &self.descriptor)
    }

    /// Fails if the caller is to stop, also if it would not have to wait, so that loops end. Not
    /// for what the user set not to block, which waits elsewhere.
    #[inline]
    pub(crate) fn begin(&self) -> Result<(), Errno> {
        match lisle_rt::stopped() {
            Some(stop) if !self.is_nonblocking() => Err(Errno(stop.errno())),
            _ => Ok(()),
        }
    }

    /// Attempts until the answer is not `EAGAIN`, waiting in between. The attempt must not block.
    ///
    /// # Errors
    /// Those of the attempt; `EAGAIN` if the user set the file not to block, or its timeout passed.
    pub(crate) fn run(
        &mut self,
        mut attempt: impl FnMut(i32) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        self.begin()?;
        let mut tries = 0;
        loop {
            let ticks = self.descriptor.ticks(self.direction);
            match attempt(self.fd) {
                Err(Errno::AGAIN) => self.wait(ticks)?,
                result => return result,
            }
            tries += 1;
            if tries > Self::TRIES {
                // What `poll` calls ready is not what is wanted: an error in the queue of errors,
                // say. It must not be asked in a circle.
                lisle_rt::sleep(Self::PAUSE);
            }
        }
    }

    /// As [`run`](Self::run), but where coroutines wait for completion the kernel does what `entry`
    /// says; `at_once` without an attempt before.
    ///
    /// # Safety
    /// The entry is for the given descriptor, and what it names is as its system call wants it.
    pub(crate) unsafe fn run_submitting(
        &mut self,
        at_once: bool,
        entry: impl Fn(i32) -> Entry,
        mut attempt: impl FnMut(i32) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        if !request::available() {
            return self.run(attempt);
        }
        self.begin()?;
        if !at_once || self.is_nonblocking() {
            match attempt(self.fd) {
                Err(Errno::AGAIN) if !self.is_nonblocking() => {}
                result => return result,
            }
        }
        // SAFETY: the caller's obligation.
        match unsafe { self.submit(entry) } {
            // What came in time counts, however late this coroutine runs.
            None if self.is_open() => attempt(self.fd),
            None => Err(Errno::AGAIN),
            Some(Err(Errno::AGAIN)) if self.is_open() => self.run(attempt),
            Some(result) => result,
        }
    }

    /// Has the kernel do what `entry` says, until the file's own timeout. None if that passed.
    ///
    /// # Safety
    /// As for [`run_submitting`](Self::run_submitting).
    pub(crate) unsafe fn submit(
        &mut self,
        entry: impl Fn(i32) -> Entry,
    ) -> Option<Result<usize, Errno>> {
        let deadline = self.deadline();
        // SAFETY: the caller's obligation.
        self.submit_by(deadline, |fd| unsafe { request::perform(|| entry(fd), deadline) })
    }

    /// As [`submit`](Self::submit), without delay; see [`request::perform_now`].
    ///
    /// # Safety
    /// As for [`run_submitting`](Self::run_submitting).
    pub(crate) unsafe fn submit_now(
        &mut self,
        entry: impl Fn(i32) -> Entry,
    ) -> Option<Result<usize, Errno>> {
        let deadline = self.deadline();
        // SAFETY: the caller's obligation.
        self.submit_by(deadline, |fd| unsafe { request::perform_now(|| entry(fd), deadline) })
    }

    fn submit_by(
        &self,
        deadline: Option<u64>,
        perform: impl Fn(i32) -> Option<Performed>,
    ) -> Option<Result<usize, Errno>> {
        loop {
            match perform(self.fd) {
                Some(Performed::Done(Err(Errno::INTR))) if self.is_open() => {}
                Some(Performed::Done(result)) => return Some(result),
                Some(Performed::Interrupted) => {
                    if let Some(errno) = signals::interrupts(deadline.is_some()) {
                        return Some(Err(errno));
                    }
                    if !self.is_open() {
                        return Some(Err(Errno(libc::EBADF)));
                    }
                }
                Some(Performed::TimedOut) => return None,
                None => return Some(Err(Errno::AGAIN)),
            }
        }
    }

    /// As [`run`](Self::run), for an attempt to read up to `wanted` bytes of a stream whose short
    /// reads mean that everything was read: then the next attempt waits first.
    ///
    /// # Safety
    /// As for [`run_submitting`](Self::run_submitting).
    pub(crate) unsafe fn run_draining(
        &mut self,
        wanted: usize,
        entry: impl Fn(i32) -> Entry,
        mut attempt: impl FnMut(i32) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        if request::available() {
            let known_empty = self.descriptor.expected() != Expected::Data;
            // SAFETY: the caller's obligation.
            let result = unsafe { self.run_submitting(known_empty, entry, attempt) };
            if let Ok(got) = result
                && (got < wanted) != known_empty
            {
                let left = if got < wanted { Expected::Nothing } else { Expected::Data };
                self.descriptor.expect(left);
            }
            return result;
        }
        self.begin()?;
        loop {
            let ticks = self.descriptor.ticks(self.direction);
            let known_empty =
                !self.expired && self.descriptor.is_drained(ticks) && !self.is_nonblocking();
            let result = if known_empty { Err(Errno::AGAIN) } else { attempt(self.fd) };
            match result {
                Err(Errno::AGAIN) => self.wait(ticks)?,
                Ok(got) => {
                    if got != 0 && got < wanted {
                        self.descriptor.drained(ticks);
                    }
                    return Ok(got);
                }
                error => return error,
            }
        }
    }

    /// Waits for an event after `ticks`. When the deadline passes there is one last attempt, as in
    /// the kernel: what came in time counts, however late this coroutine runs.
    fn wait(&mut self, ticks: u32) -> Result<(), Errno> {
        if self.expired || self.is_nonblocking() {
            return Err(Errno::AGAIN);
        }
        let deadline = self.deadline();
        if request::available() {
            self.keep_open();
        }
        match self.descriptor.wait(self.direction, ticks, deadline) {
            Ended::Ready => {}
            Ended::TimedOut => self.expired = true,
            // Calls with a timeout are not restarted.
            Ended::Interrupted => {
                if let Some(errno) = signals::interrupts(deadline.is_some()) {
                    return Err(errno);
                }
            }
            Ended::Closed(Some(moved)) => return self.follow(moved),
            Ended::Closed(None) => return Err(Errno(libc::EBADF)),
            Ended::Unpollable(errno) => return Err(errno),
        }
        // Closed after it was woken and before it ran; the number may be another file's now.
        if self.is_open() { Ok(()) } else { Err(Errno(libc::EBADF)) }
    }

    /// Whether the number still is the file's that the operation began on.
    fn is_open(&self) -> bool {
        self.descriptor.generation() == self.generation
    }

    /// Goes on by a duplicate, so that the file outlives its descriptor as it does when a thread is
    /// in the call. Without one (`EMFILE`) the end of the descriptor ends the operation.
    fn keep_open(&mut self) {
        if self.moved.is_none()
            && let Some(moved) = Moved::of(self.fd)
        {
            // Fails for numbers that cannot be waited for, which a new one is not.
            let _ = self.follow(moved);
        }
    }

    /// When to give up, by the file's own timeout, which begins at the first wait.
    fn deadline(&mut self) -> Option<u64> {
        let (number, descriptor, direction) = (self.fd, self.descriptor, self.direction);
        *self.deadline.get_or_insert_with(|| facts::deadline(number, &descriptor, direction))
    }

    /// Goes on with the open file under its new number.
    fn follow(&mut self, moved: Moved) -> Result<(), Errno> {
        self.fd = moved.fd();
        self.descriptor = Descriptor::new(self.fd).ok_or(Errno(libc::EBADF))?;
        self.generation = self.descriptor.generation();
        self.moved = Some(moved);
        Ok(())
    }
}

/// The rest of a scatter or gather list after part of it is done. Short lists need no memory.
pub(crate) struct Vectors {
    inline: [libc::iovec; Self::INLINE],
    heap: Vec<libc::iovec>,
    len: usize,
    first: usize,
    done: usize,
}

impl Vectors {
    const INLINE: usize = 8;

    /// # Safety
    /// `iov` points to `count` entries.
    pub(crate) unsafe fn new(iov: *const libc::iovec, count: usize) -> Self {
        // SAFETY: the caller's obligation.
        let list = unsafe { std::slice::from_raw_parts(iov, count) };
        let none = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        let mut vectors = Vectors {
            inline: [none; Self::INLINE],
            heap: Vec::new(),
            len: count,
            first: 0,
            done: 0,
        };
        if count <= Self::INLINE {
            vectors.inline[..count].copy_from_slice(list);
        } else {
            vectors.heap = list.to_vec();
        }
        vectors
    }

    /// What is left after `done` bytes in all, which must not decrease from call to call.
    pub(crate) fn after(&mut self, done: usize) -> &mut [libc::iovec] {
        self.advance(done - self.done);
        self.done = done;
        self.rest()
    }

    fn rest(&mut self) -> &mut [libc::iovec] {
        let list = if self.len <= Self::INLINE {
            &mut self.inline[..self.len]
        } else {
            &mut self.heap[..]
        };
        &mut list[self.first..]
    }

    /// Drops the first `bytes`.
    fn advance(&mut self, mut bytes: usize) {
        while let Some(vector) = self.rest().first_mut() {
            if bytes < vector.iov_len {
                vector.iov_base = vector.iov_base.wrapping_byte_add(bytes);
                vector.iov_len -= bytes;
                return;
            }
            bytes -= vector.iov_len;
            self.first += 1;
        }
    }
}

/// Writes all of `total` bytes by attempts that take some of the rest, as a blocking write does.
/// `attempt` gets the descriptor and the number of bytes done.
///
/// # Errors
/// Those of the first attempt to fail before anything was written; later ones end the write with
/// the number of bytes done.
pub(crate) fn write_all_by_parts(
    operation: &mut Operation,
    total: usize,
    mut attempt: impl FnMut(i32, usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let first = operation.run(|fd| attempt(fd, 0))?;
    Ok(write_rest(operation, total, first, attempt))
}

/// What fits the buffer of a file that is not full to the brim, so that it is taken as a whole.
pub(crate) const PART: usize = 16 << 10;

/// As [`write_all_by_parts`]; where coroutines wait for completion the kernel does what `first`
/// says of it, `at_once` without an attempt before.
///
/// # Safety
/// `first` is for all of it; see [`Operation::run_submitting`].
pub(crate) unsafe fn write_all(
    operation: &mut Operation,
    total: usize,
    at_once: bool,
    first: impl Fn(i32) -> Entry,
    mut attempt: impl FnMut(i32, usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    operation.begin()?;
    let mut done = Err(Errno::AGAIN);
    let at_once = at_once && total <= PART;
    if !at_once {
        done = attempt(operation.fd, 0);
        let whole = matches!(done, Ok(done) if done >= total);
        if request::available() && !whole && !operation.is_nonblocking() {
            operation.keep_open();
        }
    }
    if done == Err(Errno::AGAIN) {
        // SAFETY: the caller's obligation.
        done = unsafe { operation.run_submitting(true, first, |fd| attempt(fd, 0)) };
    }
    Ok(write_rest(operation, total, done?, attempt))
}

/// What follows the first part; returns all that was done.
pub(crate) fn write_rest(
    operation: &mut Operation,
    total: usize,
    mut done: usize,
    mut attempt: impl FnMut(i32, usize) -> Result<usize, Errno>,
) -> usize {
    if done == 0 || done >= total || !operation.is_open() {
        return done;
    }
    let is_socket = operation.kind().is_socket();
    loop {
        let result = operation.run(|fd| {
            // A connection's error is left for the next call once something was written.
            if is_socket && fd::ready_now(fd, libc::POLLOUT) & libc::POLLHUP != 0 {
                return Ok(0);
            }
            attempt(fd, done)
        });
        match result {
            Ok(count) if count > 0 => done += count,
            _ => return done,
        }
        if done >= total {
            return done;
        }
    }
}
