//! C11's names for the same objects.

use std::ffi::{c_int, c_void};

use libc::{pthread_cond_t, pthread_mutex_t, pthread_t, timespec};

use super::condition::{
    pthread_cond_broadcast, pthread_cond_destroy, pthread_cond_init, pthread_cond_signal,
    pthread_cond_timedwait, pthread_cond_wait,
};
use super::mutex::{
    pthread_mutex_lock, pthread_mutex_timedlock, pthread_mutex_trylock, pthread_mutex_unlock,
};
use crate::call::threads::{pthread_join, sched_yield};
use crate::call::time::clock_nanosleep;

/// What C11 makes of an error number.
fn thrd(error: i32) -> c_int {
    const BUSY: c_int = 1;
    const ERROR: c_int = 2;
    const NOMEM: c_int = 3;
    const TIMEDOUT: c_int = 4;
    match error {
        0 => 0,
        libc::EBUSY => BUSY,
        libc::ENOMEM => NOMEM,
        libc::ETIMEDOUT => TIMEDOUT,
        _ => ERROR,
    }
}

/// Defines hooks that do what another does, with C11's results.
macro_rules! aliases {
    ($($name:ident($($argument:ident: $kind:ty),*) = $other:ident;)*) => {$(
        #[doc = concat!("See ", stringify!($name), "(3).")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> c_int {
            // SAFETY: the caller's obligation.
            thrd(unsafe { $other($($argument),*) })
        }
    )*};
}

aliases! {
    mtx_lock(mutex: *mut pthread_mutex_t) = pthread_mutex_lock;
    mtx_timedlock(mutex: *mut pthread_mutex_t, time: *const timespec) = pthread_mutex_timedlock;
    mtx_trylock(mutex: *mut pthread_mutex_t) = pthread_mutex_trylock;
    mtx_unlock(mutex: *mut pthread_mutex_t) = pthread_mutex_unlock;
    cnd_signal(cond: *mut pthread_cond_t) = pthread_cond_signal;
    cnd_broadcast(cond: *mut pthread_cond_t) = pthread_cond_broadcast;
    cnd_wait(cond: *mut pthread_cond_t, mutex: *mut pthread_mutex_t) = pthread_cond_wait;
    cnd_timedwait(
        cond: *mut pthread_cond_t, mutex: *mut pthread_mutex_t, time: *const timespec
    ) = pthread_cond_timedwait;
}

/// See cnd_init(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn cnd_init(cond: *mut pthread_cond_t) -> c_int {
    // SAFETY: the caller's obligation.
    thrd(unsafe { pthread_cond_init(cond, std::ptr::null()) })
}

/// See cnd_destroy(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn cnd_destroy(cond: *mut pthread_cond_t) {
    // SAFETY: the caller's obligation.
    unsafe { pthread_cond_destroy(cond) };
}

/// See thrd_join(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn thrd_join(thread: pthread_t, result: *mut c_int) -> c_int {
    let mut value: *mut c_void = std::ptr::null_mut();
    // SAFETY: the caller's obligation.
    let joined = thrd(unsafe { pthread_join(thread, &raw mut value) });
    // SAFETY: null or the caller's place.
    let place = unsafe { result.as_mut() };
    if joined == 0
        && let Some(place) = place
    {
        *place = value as c_int;
    }
    joined
}

/// See thrd_sleep(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn thrd_sleep(time: *const timespec, rest: *mut timespec) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { clock_nanosleep(libc::CLOCK_REALTIME, 0, time, rest) } {
        0 => 0,
        libc::EINTR => -1,
        _ => -2,
    }
}

/// See thrd_yield(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn thrd_yield() {
    // SAFETY: nothing is asked of the caller.
    unsafe { sched_yield() };
}
