//! Threads: joining them, and giving way to others. Under `lisle run` coroutines are threads of
//! C's; what else is asked about those is in the files of this folder.

mod attributes;
mod ending;
mod identity;
mod names;
mod scheduling;

use std::ffi::c_void;

use libc::{clockid_t, pthread_t, timespec};
use lisle_rt::lot::Until;
use lisle_rt::thread::Thread;
use lisle_sys::Errno;

use super::locks::deadline::{Deadline, until};
use crate::real::{cancellation_point, real};

pub(super) use identity::call;

/// Where the value of a joined thread goes.
type Value = *mut *mut c_void;

/// Joins a thread. One that is a coroutine is waited for in the runtime. Of others, one that has
/// ended is joined at once; else `join` waits for it on a spare carrier, since the C library waits
/// inside of itself.
///
/// # Safety
/// As for `pthread_join`.
unsafe fn join(
    thread: pthread_t,
    value: Value,
    until: impl Fn() -> Until,
    join: impl FnOnce() -> i32,
) -> i32 {
    // SAFETY: the caller's obligation.
    if let Some(coroutine) = unsafe { lisle_rt::thread::of(thread) } {
        // SAFETY: as above.
        return unsafe { join_coroutine(coroutine, value, until) };
    }
    if !lisle_rt::can_suspend() {
        return join();
    }
    match real!(pthread_tryjoin_np(thread, value): fn(pthread_t, Value) -> i32) {
        libc::EBUSY => lisle_rt::blocking(join),
        result => result,
    }
}

/// # Safety
/// `value` is null or a place.
unsafe fn join_coroutine(thread: Thread, value: Value, until: impl Fn() -> Until) -> i32 {
    loop {
        match thread.join(&until) {
            Ok(result) => {
                // SAFETY: the caller's obligation.
                if let Some(place) = unsafe { value.as_mut() } {
                    *place = result;
                }
                return 0;
            }
            // It does not return if the caller is to be cancelled; joining is never interrupted.
            Err(Errno::INTR) => cancellation_point(),
            Err(errno) => return errno.0,
        }
    }
}

/// Until when a timed form waits; `EINVAL` where the C library says so.
///
/// # Safety
/// `time` is a live timespec, or null for ever.
unsafe fn deadline(clock: clockid_t, time: *const timespec) -> Option<impl Fn() -> Until> {
    let deadline = match time.is_null() {
        true => None,
        // SAFETY: the caller's obligation.
        false => Some(unsafe { Deadline::read(clock, time) }?),
    };
    Some(move || until(deadline))
}

/// See pthread_join(3).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C-unwind" fn pthread_join(thread: pthread_t, value: Value) -> i32 {
    let real = || real!(pthread_join(thread, value): fn(pthread_t, Value) -> i32);
    // SAFETY: the caller's obligation.
    unsafe { join(thread, value, || Until::Never, real) }
}

/// See pthread_tryjoin_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_tryjoin_np(thread: pthread_t, value: Value) -> i32 {
    // SAFETY: the caller's obligation.
    let Some(coroutine) = (unsafe { lisle_rt::thread::of(thread) }) else {
        return real!(pthread_tryjoin_np(thread, value): fn(pthread_t, Value) -> i32);
    };
    match coroutine.try_join() {
        Ok(result) => {
            // SAFETY: null or a place, by the caller's obligation.
            if let Some(place) = unsafe { value.as_mut() } {
                *place = result;
            }
            0
        }
        Err(errno) => errno.0,
    }
}

/// See pthread_timedjoin_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_timedjoin_np(
    thread: pthread_t,
    value: Value,
    time: *const timespec,
) -> i32 {
    let real = || {
        real!(
            pthread_timedjoin_np(thread, value, time):
                fn(pthread_t, Value, *const timespec) -> i32
        )
    };
    // SAFETY: the caller's obligation.
    unsafe {
        match deadline(libc::CLOCK_REALTIME, time) {
            Some(until) => join(thread, value, until, real),
            None if lisle_rt::thread::of(thread).is_some() => libc::EINVAL,
            None => real(),
        }
    }
}

/// See pthread_clockjoin_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_clockjoin_np(
    thread: pthread_t,
    value: Value,
    clock: clockid_t,
    time: *const timespec,
) -> i32 {
    let real = || {
        real!(
            pthread_clockjoin_np(thread, value, clock, time):
                fn(pthread_t, Value, clockid_t, *const timespec) -> i32
        )
    };
    if !time.is_null() && !Deadline::knows(clock) {
        return libc::EINVAL;
    }
    // SAFETY: the caller's obligation.
    unsafe {
        match deadline(clock, time) {
            Some(until) => join(thread, value, until, real),
            None if lisle_rt::thread::of(thread).is_some() => libc::EINVAL,
            None => real(),
        }
    }
}

/// See sched_yield(2).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C-unwind" fn sched_yield() -> i32 {
    if !lisle_rt::can_suspend() {
        return real!(sched_yield(): fn() -> i32);
    }
    lisle_rt::yield_now();
    0
}
