//! Which signals are blocked, and alternate stacks: the coroutine's, and its OS thread's while it
//! runs there.

use libc::{c_int, sigset_t, stack_t};
use lisle_rt::{Stay, signals};

use crate::real::real;

/// Runs a call that may change the mask of the OS thread.
fn changing<R>(call: impl FnOnce() -> R) -> R {
    let result = call();
    signals::mask_changed(lisle_rt::thread::is_main_alone());
    result
}

/// See pthread_sigmask(3).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C-unwind" fn pthread_sigmask(
    how: c_int,
    set: *const sigset_t,
    old: *mut sigset_t,
) -> c_int {
    let call = || {
        real!(
            pthread_sigmask(how, set, old): fn(c_int, *const sigset_t, *mut sigset_t) -> c_int
        )
    };
    if set.is_null() { call() } else { changing(call) }
}

/// See sigprocmask(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigprocmask(
    how: c_int,
    set: *const sigset_t,
    old: *mut sigset_t,
) -> c_int {
    let call =
        || real!(sigprocmask(how, set, old): fn(c_int, *const sigset_t, *mut sigset_t) -> c_int);
    if set.is_null() { call() } else { changing(call) }
}

/// See sighold(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sighold(signal: c_int) -> c_int {
    changing(|| real!(sighold(signal): fn(c_int) -> c_int))
}

/// See sigrelse(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigrelse(signal: c_int) -> c_int {
    changing(|| real!(sigrelse(signal): fn(c_int) -> c_int))
}

/// See sigblock(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigblock(mask: c_int) -> c_int {
    changing(|| real!(sigblock(mask): fn(c_int) -> c_int))
}

/// See sigsetmask(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigsetmask(mask: c_int) -> c_int {
    changing(|| real!(sigsetmask(mask): fn(c_int) -> c_int))
}

/// See sigaltstack(2). The OS thread's own stack is not the coroutine's.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigaltstack(new: *const stack_t, old: *mut stack_t) -> c_int {
    let plain = |new, old| real!(sigaltstack(new, old): fn(*const stack_t, *mut stack_t) -> c_int);
    let Some(had) = signals::alternate() else { return plain(new, old) };
    // SAFETY: null or live, by the caller's obligation.
    if let Some(new) = unsafe { new.as_ref() } {
        // What is changed is the OS thread's.
        let _stay = Stay::begin();
        let result = plain(std::ptr::from_ref(new), std::ptr::null_mut());
        if result != 0 {
            return result;
        }
        signals::alternate_changed(new);
    }
    if !old.is_null() {
        // SAFETY: live, by the caller's obligation.
        unsafe { *old = had };
    }
    0
}
