//! `pthread_kill`, `pthread_sigqueue`, `raise`: signals to one thread, which may be a coroutine;
//! and `pthread_cancel`.
//!
//! The kernel does not know coroutines: what is sent to one waits in the runtime until it can take
//! it. A signal that it raises itself and does not block strikes the OS thread at once, as ever.

use libc::{EINVAL, c_int, pthread_t, sigval};
use lisle_rt::{cancel, signals};

use crate::real::real;

/// Whether there is such a signal, or none at all, and the C library does not keep it for itself.
fn may_be_sent(signal: c_int) -> bool {
    (0..=64).contains(&signal) && !matches!(signal, 32 | 33)
}

/// Sends it to a coroutine. None if the thread is none.
///
/// # Safety
/// As for `pthread_kill`.
unsafe fn send(thread: pthread_t, signal: c_int, value: Option<usize>) -> Option<c_int> {
    if !may_be_sent(signal) {
        return Some(EINVAL);
    }
    // SAFETY: the caller's obligation.
    let sent = unsafe { signals::send(thread, signal, value) }?;
    Some(sent.map_or_else(|errno| errno.0, |()| 0))
}

/// See pthread_kill(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_kill(thread: pthread_t, signal: c_int) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { send(thread, signal, None) } {
        Some(result) => result,
        None => real!(pthread_kill(thread, signal): fn(pthread_t, c_int) -> c_int),
    }
}

/// See pthread_sigqueue(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_sigqueue(
    thread: pthread_t,
    signal: c_int,
    value: sigval,
) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { send(thread, signal, Some(value.sival_ptr as usize)) } {
        Some(result) => result,
        None => real!(
            pthread_sigqueue(thread, signal, value): fn(pthread_t, c_int, sigval) -> c_int
        ),
    }
}

/// See pthread_cancel(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_cancel(thread: pthread_t) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { cancel::cancel(thread) } {
        Some(()) => 0,
        None => real!(pthread_cancel(thread): fn(pthread_t) -> c_int),
    }
}

/// See pthread_setcancelstate(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int {
    const PTHREAD_CANCEL_ENABLE: c_int = 0;
    let result = real!(pthread_setcancelstate(state, old): fn(c_int, *mut c_int) -> c_int);
    if result == 0 {
        cancel::refuses(state != PTHREAD_CANCEL_ENABLE);
    }
    result
}

/// See raise(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn raise(signal: c_int) -> c_int {
    if (1..=64).contains(&signal) && signals::is_blocked(signal) {
        // SAFETY: the caller's own thread.
        let sent = unsafe { send(libc::pthread_self(), signal, None) };
        if let Some(result) = sent {
            return if result == 0 {
                0
            } else {
                crate::real::set_errno(lisle_sys::Errno(result));
                -1
            };
        }
    }
    real!(raise(signal): fn(c_int) -> c_int)
}

/// The same by another name.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn gsignal(signal: c_int) -> c_int {
    // SAFETY: a plain call.
    unsafe { raise(signal) }
}
