//! OS threads, and giving way to other coroutines.

use std::ffi::c_void;

use libc::{clockid_t, pthread_t, timespec};

use crate::real::real;

/// Where the value of a joined thread goes.
type Value = *mut *mut c_void;

/// Joins a thread that has ended, or lets `join` wait for it on a spare carrier: the C library
/// waits inside of itself.
fn join(thread: pthread_t, value: Value, join: impl FnOnce() -> i32) -> i32 {
    if !lisle_rt::can_suspend() {
        return join();
    }
    match real!(pthread_tryjoin_np(thread, value): fn(pthread_t, Value) -> i32) {
        libc::EBUSY => lisle_rt::blocking(join),
        result => result,
    }
}

/// See pthread_join(3).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C-unwind" fn pthread_join(thread: pthread_t, value: Value) -> i32 {
    join(thread, value, || real!(pthread_join(thread, value): fn(pthread_t, Value) -> i32))
}

/// See pthread_timedjoin_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_timedjoin_np(
    thread: pthread_t,
    value: Value,
    time: *const timespec,
) -> i32 {
    join(thread, value, || {
        real!(
            pthread_timedjoin_np(thread, value, time):
                fn(pthread_t, Value, *const timespec) -> i32
        )
    })
}

/// See pthread_clockjoin_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_clockjoin_np(
    thread: pthread_t,
    value: Value,
    clock: clockid_t,
    time: *const timespec,
) -> i32 {
    join(thread, value, || {
        real!(
            pthread_clockjoin_np(thread, value, clock, time):
                fn(pthread_t, Value, clockid_t, *const timespec) -> i32
        )
    })
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
