//! `sigwait`, `sigsuspend`, `pause` and their kin.
//!
//! The kernel serves them for an OS thread, so a coroutine goes on on a spare carrier for it. What
//! it blocks goes along.

use libc::{c_int, siginfo_t, sigset_t, timespec};
use lisle_rt::blocking;

use crate::real::real;

/// See sigwait(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigwait(set: *const sigset_t, signal: *mut c_int) -> c_int {
    blocking(|| real!(sigwait(set, signal): fn(*const sigset_t, *mut c_int) -> c_int))
}

/// See sigwaitinfo(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigwaitinfo(set: *const sigset_t, info: *mut siginfo_t) -> c_int {
    blocking(|| real!(sigwaitinfo(set, info): fn(*const sigset_t, *mut siginfo_t) -> c_int))
}

/// See sigtimedwait(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigtimedwait(
    set: *const sigset_t,
    info: *mut siginfo_t,
    timeout: *const timespec,
) -> c_int {
    let call = || {
        real!(
            sigtimedwait(set, info, timeout):
                fn(*const sigset_t, *mut siginfo_t, *const timespec) -> c_int
        )
    };
    blocking(call)
}

/// See sigsuspend(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigsuspend(set: *const sigset_t) -> c_int {
    blocking(|| real!(sigsuspend(set): fn(*const sigset_t) -> c_int))
}

/// The same by another name.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __sigsuspend(set: *const sigset_t) -> c_int {
    blocking(|| real!(__sigsuspend(set): fn(*const sigset_t) -> c_int))
}

/// See pause(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pause() -> c_int {
    blocking(|| real!(pause(): fn() -> c_int))
}

/// See sigpause(3), as BSD has it: the argument is a mask.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigpause(mask: c_int) -> c_int {
    blocking(|| real!(sigpause(mask): fn(c_int) -> c_int))
}

/// See sigpause(3), as X/Open has it: the argument is a signal.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __xpg_sigpause(signal: c_int) -> c_int {
    blocking(|| real!(__xpg_sigpause(signal): fn(c_int) -> c_int))
}

/// What both are made of.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __sigpause(what: c_int, is_signal: c_int) -> c_int {
    blocking(|| real!(__sigpause(what, is_signal): fn(c_int, c_int) -> c_int))
}
