//! OS threads, and giving way to other coroutines.

use std::ffi::c_void;

use libc::pthread_t;

use crate::real::real;

/// See pthread_join(3). The C library waits inside of itself, so a spare carrier does.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_join(thread: pthread_t, value: *mut *mut c_void) -> i32 {
    lisle_rt::blocking(
        || real!(pthread_join(thread, value): fn(pthread_t, *mut *mut c_void) -> i32),
    )
}

/// See sched_yield(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sched_yield() -> i32 {
    if !lisle_rt::can_suspend() {
        return real!(sched_yield(): fn() -> i32);
    }
    lisle_rt::yield_now();
    0
}
