//! `poll`, `epoll_wait` and their forms.

use libc::{epoll_event, nfds_t, pollfd, sigset_t, timespec};
use lisle_rt::descriptor::{Descriptor, Direction, Ended, Interest, wait_any};
use lisle_rt::signals;
use lisle_sys::{Errno, clock, fd as sys, syscall};

use crate::real::{outcome, real};
use crate::stop::{elsewhere, may_begin};

/// What the write direction's events are about.
pub(super) const WRITE: i16 = libc::POLLOUT | libc::POLLWRNORM | libc::POLLWRBAND;

/// More entries than this are not worth registering one by one.
const MOST: usize = 1024;

/// See poll(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn poll(fds: *mut pollfd, count: nfds_t, timeout: i32) -> i32 {
    if !lisle_rt::begin_io() {
        return real!(poll(fds, count, timeout): fn(*mut pollfd, nfds_t, i32) -> i32);
    }
    if timeout == 0 {
        // SAFETY: the caller's obligation.
        return outcome(unsafe { sys::poll_now(fds, count as usize) }) as i32;
    }
    let deadline = (timeout > 0).then(|| clock::now().saturating_add(timeout as u64 * 1_000_000));
    // SAFETY: the caller's obligation.
    match unsafe { poll_until(fds, count as usize, deadline) } {
        Some(result) => outcome(result) as i32,
        None => elsewhere(|| real!(poll(fds, count, timeout): fn(*mut pollfd, nfds_t, i32) -> i32)),
    }
}

/// See ppoll(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn ppoll(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> i32 {
    let plain = || {
        real!(
            ppoll(fds, count, timeout, mask):
                fn(*mut pollfd, nfds_t, *const timespec, *const sigset_t) -> i32
        )
    };
    if !lisle_rt::can_suspend() {
        return plain();
    }
    // SAFETY: null or a live timespec, by the caller's obligation.
    let time = unsafe { timeout.as_ref() };
    let valid = time.is_none_or(|t| t.tv_sec >= 0 && (0..1_000_000_000).contains(&t.tv_nsec));
    if !mask.is_null() {
        // SAFETY: live, by the caller's obligation.
        return unsafe { with_mask(mask, plain) };
    }
    if !valid {
        return lisle_rt::blocking(plain);
    }
    let deadline = time.map(|t| {
        let nanos = (t.tv_sec as u64).saturating_mul(1_000_000_000);
        clock::now().saturating_add(nanos.saturating_add(t.tv_nsec as u64))
    });
    // SAFETY: the caller's obligation.
    match unsafe { poll_until(fds, count as usize, deadline) } {
        Some(result) => outcome(result) as i32,
        None => elsewhere(plain),
    }
}

/// None if the entries cannot be waited for here.
///
/// # Safety
/// As for `poll`.
unsafe fn poll_until(
    fds: *mut pollfd,
    count: usize,
    deadline: Option<u64>,
) -> Option<Result<usize, Errno>> {
    if count > MOST {
        return None;
    }
    if let Err(errno) = may_begin() {
        return Some(Err(errno));
    }
    let mut interests = Vec::with_capacity(count * 2);
    loop {
        interests.clear();
        // SAFETY: the caller vouches for the entries, if there are any.
        let entries = unsafe {
            if count == 0 { &[] } else { std::slice::from_raw_parts(fds.cast_const(), count) }
        };
        for entry in entries.iter().filter(|entry| entry.fd >= 0) {
            let descriptor = Descriptor::new(entry.fd)?;
            let mut add = |direction, events: i16| {
                let (ticks, events) = (descriptor.ticks(direction), u32::from(events as u16));
                interests.push(Interest { descriptor, direction, ticks, events });
            };
            // Ends and errors are reported whatever was asked for, and count as readable.
            if entry.events & WRITE == 0 || entry.events & !WRITE != 0 {
                add(Direction::Read, entry.events & !WRITE);
            }
            if entry.events & WRITE != 0 {
                add(Direction::Write, entry.events & WRITE);
            }
        }
        // After the ticks were read, so that an event from now on changes them.
        // SAFETY: the caller's obligation.
        match unsafe { sys::poll_now(fds, count) } {
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
            // SAFETY: the caller's obligation.
            Ended::TimedOut => return Some(unsafe { sys::poll_now(fds, count) }),
            // Always ready, then, and `poll` said otherwise; or out of memory.
            Ended::Unpollable(_) => return None,
        }
    }
}

/// See epoll_wait(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn epoll_wait(
    fd: i32,
    events: *mut epoll_event,
    count: i32,
    timeout: i32,
) -> i32 {
    // SAFETY: the caller's obligation.
    match unsafe { epoll_wait_suspending(fd, events, count, millis(timeout)) } {
        Some(result) => outcome(result) as i32,
        None => real!(
            epoll_wait(fd, events, count, timeout): fn(i32, *mut epoll_event, i32, i32) -> i32
        ),
    }
}

/// See epoll_pwait(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn epoll_pwait(
    fd: i32,
    events: *mut epoll_event,
    count: i32,
    timeout: i32,
    mask: *const sigset_t,
) -> i32 {
    let plain = || {
        real!(
            epoll_pwait(fd, events, count, timeout, mask):
                fn(i32, *mut epoll_event, i32, i32, *const sigset_t) -> i32
        )
    };
    if !mask.is_null() {
        // SAFETY: live, by the caller's obligation.
        return unsafe { with_mask(mask, plain) };
    }
    // SAFETY: the caller's obligation.
    match unsafe { epoll_wait_suspending(fd, events, count, millis(timeout)) } {
        Some(result) => outcome(result) as i32,
        None => plain(),
    }
}

/// See epoll_pwait2(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn epoll_pwait2(
    fd: i32,
    events: *mut epoll_event,
    count: i32,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> i32 {
    let plain = || {
        real!(
            epoll_pwait2(fd, events, count, timeout, mask):
                fn(i32, *mut epoll_event, i32, *const timespec, *const sigset_t) -> i32
        )
    };
    if !mask.is_null() {
        // SAFETY: live, by the caller's obligation.
        return unsafe { with_mask(mask, plain) };
    }
    // SAFETY: null or a live timespec, by the caller's obligation.
    let nanos = match unsafe { timeout.as_ref() } {
        None => None,
        Some(t) if t.tv_sec < 0 || !(0..1_000_000_000).contains(&t.tv_nsec) => return plain(),
        Some(t) => {
            let nanos = (t.tv_sec as u64).saturating_mul(1_000_000_000);
            Some(nanos.saturating_add(t.tv_nsec as u64))
        }
    };
    // SAFETY: the caller's obligation.
    match unsafe { epoll_wait_suspending(fd, events, count, nanos) } {
        Some(result) => outcome(result) as i32,
        None => plain(),
    }
}

/// A timeout in milliseconds, of which negative ones mean none, in nanoseconds.
fn millis(timeout: i32) -> Option<u64> {
    u64::try_from(timeout).ok().map(|millis| millis * 1_000_000)
}

/// An epoll instance is itself a descriptor that becomes readable. None where the plain call is
/// right. The timeout
/// is in nanoseconds.
///
/// # Safety
/// As for `epoll_wait`.
unsafe fn epoll_wait_suspending(
    fd: i32,
    events: *mut epoll_event,
    count: i32,
    nanos: Option<u64>,
) -> Option<Result<usize, Errno>> {
    if !lisle_rt::begin_io() || nanos == Some(0) || count <= 0 {
        return None;
    }
    if let Err(errno) = may_begin() {
        return Some(Err(errno));
    }
    let descriptor = Descriptor::new(fd)?;
    let deadline = nanos.map(|nanos| clock::now().saturating_add(nanos));
    let look = || {
        let args = [fd as usize, events as usize, count as usize, 0, 0, 8];
        // SAFETY: the caller's obligation.
        unsafe { syscall(libc::SYS_epoll_pwait, args) }
    };
    loop {
        let ticks = descriptor.ticks(Direction::Read);
        match look() {
            Ok(0) => {}
            result => return Some(result),
        }
        match descriptor.wait(Direction::Read, ticks, deadline) {
            Ended::Ready => {}
            Ended::Interrupted => {
                if let Some(errno) = signals::interrupts(true) {
                    return Some(Err(errno));
                }
            }
            Ended::TimedOut => return Some(look()),
            Ended::Closed(_) | Ended::Unpollable(_) => return None,
        }
    }
}

/// Makes a call that waits with another mask, on a spare carrier.
///
/// # Safety
/// The mask is live, if there is one.
pub(super) unsafe fn with_mask<R>(mask: *const sigset_t, call: impl FnOnce() -> R) -> R {
    lisle_rt::blocking(|| {
        if mask.is_null() {
            return call();
        }
        // SAFETY: the caller's obligation; the kernel's set is the first word.
        let mask = unsafe { mask.cast::<u64>().read_unaligned() };
        signals::waiting_with(mask, call)
    })
}

/// How a wait for a descriptor to become readable ended.
pub(super) enum Readable {
    /// It is.
    Yes,
    /// By this error: a signal came, and what waits is not to be restarted, or a stop.
    Interrupted(Errno),
    /// It cannot be waited for.
    Never,
}

/// Suspends until `fd` is readable.
pub(super) fn wait_readable(fd: i32) -> Readable {
    let Some(descriptor) = Descriptor::new(fd) else { return Readable::Never };
    loop {
        let ticks = descriptor.ticks(Direction::Read);
        if sys::ready_now(fd, libc::POLLIN) != 0 {
            return Readable::Yes;
        }
        match descriptor.wait(Direction::Read, ticks, None) {
            Ended::Interrupted => {
                if let Some(errno) = signals::interrupts(false) {
                    return Readable::Interrupted(errno);
                }
            }
            Ended::Ready | Ended::TimedOut => {}
            Ended::Closed(_) | Ended::Unpollable(_) => return Readable::Never,
        }
    }
}
