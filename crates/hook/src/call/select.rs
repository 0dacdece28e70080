//! `select` and `pselect`.
//!
//! The kernel is asked with a timeout of zero, on copies of the sets, so that what the call returns
//! is its own answer in every detail; in between the coroutine waits for the descriptors.

use libc::{fd_set, sigset_t, timespec, timeval};
use lisle_rt::descriptor::{Descriptor, Direction, Ended, Interest, wait_any};
use lisle_rt::signals;
use lisle_sys::{Errno, clock, syscall};

use super::readiness::{WRITE, with_mask};
use crate::real::{outcome, real};
use crate::stop::{elsewhere, may_begin};

/// Descriptors that a set holds. Programs may pass larger ones, of which only they know the size.
const MOST: usize = libc::FD_SETSIZE;
/// What the first set asks for.
const READ: i16 = libc::POLLIN | libc::POLLRDNORM | libc::POLLRDBAND;
const BITS: usize = u64::BITS as usize;

/// A set, in the kernel's words.
type Set = [u64; MOST / BITS];

/// See select(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn select(
    count: i32,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *mut timeval,
) -> i32 {
    let plain = || {
        real!(
            select(count, read, write, except, timeout):
                fn(i32, *mut fd_set, *mut fd_set, *mut fd_set, *mut timeval) -> i32
        )
    };
    // SAFETY: null or a live timeval, by the caller's obligation.
    let nanos = match unsafe { timeout.as_ref() } {
        None => None,
        // An error, at once.
        Some(time) if time.tv_sec < 0 || time.tv_usec < 0 => return plain(),
        Some(time) => {
            let nanos = (time.tv_sec as u64).saturating_mul(1_000_000_000);
            Some(nanos.saturating_add((time.tv_usec as u64).saturating_mul(1_000)))
        }
    };
    if !lisle_rt::begin_io() {
        return plain();
    }
    let deadline = nanos.map(|nanos| clock::now().saturating_add(nanos));
    // SAFETY: the caller's obligation.
    let Some(result) = (unsafe { wait(count, [read, write, except], deadline) }) else {
        return elsewhere(plain);
    };
    if let Some(deadline) = deadline {
        // Linux tells what is left of it.
        let left = deadline.saturating_sub(clock::now());
        // SAFETY: there is a deadline, so there is a timeout.
        unsafe {
            (*timeout).tv_sec = (left / 1_000_000_000) as libc::time_t;
            (*timeout).tv_usec = (left % 1_000_000_000 / 1_000) as libc::suseconds_t;
        }
    }
    outcome(result) as i32
}

/// See pselect(2), which leaves the timeout as it is.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pselect(
    count: i32,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> i32 {
    let plain = || {
        real!(
            pselect(count, read, write, except, timeout, mask):
                fn(
                    i32,
                    *mut fd_set,
                    *mut fd_set,
                    *mut fd_set,
                    *const timespec,
                    *const sigset_t
                ) -> i32
        )
    };
    // SAFETY: null or a live timespec, by the caller's obligation.
    let nanos = match unsafe { timeout.as_ref() } {
        None => None,
        Some(t) if t.tv_sec < 0 || !(0..1_000_000_000).contains(&t.tv_nsec) => return plain(),
        Some(t) => {
            let nanos = (t.tv_sec as u64).saturating_mul(1_000_000_000);
            Some(nanos.saturating_add(t.tv_nsec as u64))
        }
    };
    if !mask.is_null() {
        // SAFETY: live, by the caller's obligation.
        return unsafe { with_mask(mask, plain) };
    }
    if !lisle_rt::begin_io() || nanos == Some(0) {
        return plain();
    }
    let deadline = nanos.map(|nanos| clock::now().saturating_add(nanos));
    // SAFETY: the caller's obligation.
    match unsafe { wait(count, [read, write, except], deadline) } {
        Some(result) => outcome(result) as i32,
        None => elsewhere(plain),
    }
}

/// None if that cannot be waited for here.
///
/// # Safety
/// As for `select`.
unsafe fn wait(
    count: i32,
    sets: [*mut fd_set; 3],
    deadline: Option<u64>,
) -> Option<Result<usize, Errno>> {
    if let Err(errno) = may_begin() {
        return Some(Err(errno));
    }
    let count = usize::try_from(count).ok().filter(|count| *count <= MOST)?;
    let words = count.div_ceil(BITS);
    let mut asked = [[0_u64; MOST / BITS]; 3];
    for (set, asked) in sets.iter().zip(&mut asked) {
        if !set.is_null() {
            // SAFETY: the caller's set has as many descriptors as it says.
            unsafe { set.cast::<u64>().copy_to_nonoverlapping(asked.as_mut_ptr(), words) };
        }
    }
    // Urgent data and the like: not every kind of wait is told of them.
    if asked[2].iter().any(|word| *word != 0) {
        return None;
    }
    let mut interests = Vec::new();
    loop {
        interests.clear();
        for fd in 0..count {
            add(&mut interests, fd, &asked)?;
        }
        // After the ticks were read, so that an event from now on changes them.
        // SAFETY: as above.
        match unsafe { look(count, words, &sets, &asked, false) } {
            Ok(0) => {}
            result => return Some(result),
        }
        match wait_any(&mut interests, deadline) {
            Ended::Ready | Ended::Closed(_) => {}
            Ended::Interrupted => {
                if let Some(errno) = signals::interrupts(true) {
                    return Some(Err(errno));
                }
            }
            // What came in time counts, however late this coroutine runs.
            // SAFETY: as above.
            Ended::TimedOut => return Some(unsafe { look(count, words, &sets, &asked, true) }),
            Ended::Unpollable(_) => return None,
        }
    }
}

/// What is to be waited for of one descriptor. None if its number is too high.
fn add(interests: &mut Vec<Interest>, fd: usize, asked: &[Set; 3]) -> Option<()> {
    let [read, write, _] = asked.map(|set| set[fd / BITS] >> (fd % BITS) & 1 != 0);
    if !(read || write) {
        return Some(());
    }
    let descriptor = Descriptor::new(fd as i32)?;
    let mut push = |direction, events: i16| {
        let (ticks, events) = (descriptor.ticks(direction), u32::from(events as u16));
        interests.push(Interest { descriptor, direction, ticks, events });
    };
    if read {
        push(Direction::Read, READ);
    }
    if write {
        push(Direction::Write, WRITE);
    }
    Some(())
}

/// Asks the kernel without waiting. The caller's sets are written if something is ready, or if this
/// is the `last` time.
///
/// # Safety
/// As for `select`; the sets have `words` words.
unsafe fn look(
    count: usize,
    words: usize,
    sets: &[*mut fd_set; 3],
    asked: &[Set; 3],
    last: bool,
) -> Result<usize, Errno> {
    let mut answer = *asked;
    let mut place = |index: usize| {
        let set: &mut Set = &mut answer[index];
        if sets[index].is_null() { 0 } else { set.as_mut_ptr() as usize }
    };
    let places = [place(0), place(1), place(2)];
    let mut none = timeval { tv_sec: 0, tv_usec: 0 };
    let args = [count, places[0], places[1], places[2], (&raw mut none) as usize, 0];
    // SAFETY: live sets of as many descriptors.
    let ready = loop {
        // There is no wait that a signal could interrupt, though the kernel says so.
        // SAFETY: as above.
        match unsafe { syscall(libc::SYS_select, args) } {
            Err(Errno::INTR) => {}
            result => break result?,
        }
    };
    if ready != 0 || last {
        for (set, answer) in sets.iter().zip(&answer) {
            if !set.is_null() {
                // SAFETY: the caller's obligation.
                unsafe { set.cast::<u64>().copy_from_nonoverlapping(answer.as_ptr(), words) };
            }
        }
    }
    Ok(ready)
}
