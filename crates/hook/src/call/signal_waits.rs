//! `sigwait`, `sigsuspend`, `pause` and their kin.
//!
//! The kernel serves them for an OS thread, so a coroutine goes on on a spare carrier for it. What
//! it blocks goes along. Signals sent to the coroutine alone are told to the OS thread, or taken
//! here.

use std::ptr::null;

use libc::{c_int, siginfo_t, sigset_t, timespec};
use lisle_rt::{blocking, signals};
use lisle_sys::{Errno, clock, syscall};

use super::readiness::with_mask;
use crate::real::{real, set_errno};

/// The kernel's set, the first word of the C library's. Without the signals that the library keeps
/// for itself: it does not let them be waited for.
///
/// # Safety
/// A live set.
unsafe fn word(set: *const sigset_t) -> u64 {
    // SAFETY: the caller's obligation.
    unsafe { set.cast::<u64>().read() & !(1 << 31 | 1 << 32) }
}

/// Takes one of a set, at most until the deadline in nanoseconds of the monotonic clock.
fn take(set: u64, deadline: Option<u64>) -> Result<siginfo_t, Errno> {
    blocking(|| {
        let mut error = Errno::AGAIN;
        let from_kernel = || {
            // SAFETY: all-zero is a valid value to fill in.
            let mut info: siginfo_t = unsafe { std::mem::zeroed() };
            let left =
                deadline.map(|deadline| clock::timespec(deadline.saturating_sub(clock::now())));
            let left = left.as_ref().map_or(null(), std::ptr::from_ref);
            let args =
                [(&raw const set) as usize, (&raw mut info) as usize, left as usize, 8, 0, 0];
            // SAFETY: live places.
            match unsafe { syscall(libc::SYS_rt_sigtimedwait, args) } {
                Ok(_) => Some(info),
                Err(errno) => {
                    error = errno;
                    None
                }
            }
        };
        signals::take_one_of(set, from_kernel).ok_or(error)
    })
}

/// See sigwait(3): not interrupted by handlers.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigwait(set: *const sigset_t, signal: *mut c_int) -> c_int {
    if !signals::on_coroutine() {
        return real!(sigwait(set, signal): fn(*const sigset_t, *mut c_int) -> c_int);
    }
    // SAFETY: live, by the caller's obligation.
    let set = unsafe { word(set) };
    loop {
        match take(set, None) {
            Ok(info) => {
                if !signal.is_null() {
                    // SAFETY: live, by the caller's obligation.
                    unsafe { *signal = info.si_signo };
                }
                return 0;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return errno.0,
        }
    }
}

/// See sigwaitinfo(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigwaitinfo(set: *const sigset_t, info: *mut siginfo_t) -> c_int {
    // SAFETY: the caller's obligation.
    unsafe { sigtimedwait(set, info, null()) }
}

/// See sigtimedwait(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigtimedwait(
    set: *const sigset_t,
    info: *mut siginfo_t,
    timeout: *const timespec,
) -> c_int {
    // SAFETY: null or live, by the caller's obligation.
    let time = unsafe { timeout.as_ref() };
    let valid = time.is_none_or(|t| t.tv_sec >= 0 && (0..1_000_000_000).contains(&t.tv_nsec));
    if !signals::on_coroutine() || !valid {
        return real!(
            sigtimedwait(set, info, timeout):
                fn(*const sigset_t, *mut siginfo_t, *const timespec) -> c_int
        );
    }
    let deadline = time.map(|t| {
        let nanos = (t.tv_sec as u64).saturating_mul(1_000_000_000);
        clock::now().saturating_add(nanos.saturating_add(t.tv_nsec as u64))
    });
    // SAFETY: live, by the caller's obligation.
    match take(unsafe { word(set) }, deadline) {
        Ok(taken) => {
            if !info.is_null() {
                // SAFETY: live, by the caller's obligation.
                unsafe { *info = taken };
            }
            taken.si_signo
        }
        Err(errno) => {
            set_errno(errno);
            -1
        }
    }
}

/// See sigpending(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigpending(set: *mut sigset_t) -> c_int {
    let result = real!(sigpending(set): fn(*mut sigset_t) -> c_int);
    if result == 0 {
        // SAFETY: live, by the caller's obligation; the kernel's set is the first word.
        unsafe { *set.cast::<u64>() |= signals::pending() };
    }
    result
}

/// See sigsuspend(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigsuspend(set: *const sigset_t) -> c_int {
    let call = || real!(sigsuspend(set): fn(*const sigset_t) -> c_int);
    // SAFETY: live, by the caller's obligation.
    unsafe { with_mask(set, call) }
}

/// The same by another name.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __sigsuspend(set: *const sigset_t) -> c_int {
    // SAFETY: the caller's obligation.
    unsafe { sigsuspend(set) }
}

/// See pause(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pause() -> c_int {
    blocking(|| real!(pause(): fn() -> c_int))
}

/// Suspends until a handler runs, with the caller's mask changed.
fn suspend_with(change: impl FnOnce(u64) -> u64) -> c_int {
    // SAFETY: all-zero is a valid set to fill in.
    let mut set: sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: live places; the kernel's set is the first word.
    unsafe {
        super::masks::pthread_sigmask(libc::SIG_BLOCK, null(), &raw mut set);
        let word = (&raw mut set).cast::<u64>();
        *word = change(*word);
        sigsuspend(&raw const set)
    }
}

/// See sigpause(3), as BSD has it: the argument is a mask.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigpause(mask: c_int) -> c_int {
    suspend_with(|_| u64::from(mask as u32))
}

/// See sigpause(3), as X/Open has it: the argument is a signal.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __xpg_sigpause(signal: c_int) -> c_int {
    if !(1..=64).contains(&signal) {
        set_errno(Errno::INVAL);
        return -1;
    }
    suspend_with(|mask| mask & !lisle_sys::signal::set_of(signal))
}

/// What both are made of.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __sigpause(what: c_int, is_signal: c_int) -> c_int {
    // SAFETY: the caller's obligation.
    unsafe { if is_signal != 0 { __xpg_sigpause(what) } else { sigpause(what) } }
}
