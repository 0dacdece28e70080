//! `pthread_getattr_np`: what a thread is made like.

use std::ffi::{c_int, c_void};

use libc::{cpu_set_t, pthread_attr_t, pthread_t, sched_param};
use lisle_rt::thread::{self, Thread};

use crate::real::real;

/// See pthread_getattr_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_getattr_np(
    thread: pthread_t,
    attributes: *mut pthread_attr_t,
) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { thread::of(thread) } {
        // SAFETY: as above.
        Some(coroutine) => unsafe { describe(coroutine, attributes) },
        None => real!(
            pthread_getattr_np(thread, attributes):
                fn(pthread_t, *mut pthread_attr_t) -> c_int
        ),
    }
}

/// Fills in what a coroutine is like.
///
/// # Safety
/// `attributes` is a place for them.
unsafe fn describe(thread: Thread, attributes: *mut pthread_attr_t) -> c_int {
    unsafe extern "C" {
        fn pthread_attr_setaffinity_np(
            attributes: *mut pthread_attr_t,
            size: usize,
            set: *const cpu_set_t,
        ) -> c_int;
        fn pthread_attr_setschedpolicy(attributes: *mut pthread_attr_t, policy: c_int) -> c_int;
        fn pthread_attr_setschedparam(
            attributes: *mut pthread_attr_t,
            parameters: *const sched_param,
        ) -> c_int;
    }
    let (low, size, guard) = thread.stack();
    let state = match thread.is_detached() {
        true => libc::PTHREAD_CREATE_DETACHED,
        false => libc::PTHREAD_CREATE_JOINABLE,
    };
    let (policy, priority) = thread.scheduling();
    let parameters = sched_param { sched_priority: priority };
    // SAFETY: the caller's place; live values. What the C library refuses stays as it is at first.
    unsafe {
        let made = libc::pthread_attr_init(attributes);
        if made != 0 {
            return made;
        }
        libc::pthread_attr_setdetachstate(attributes, state);
        libc::pthread_attr_setstack(attributes, low as *mut c_void, size);
        libc::pthread_attr_setguardsize(attributes, guard);
        pthread_attr_setschedpolicy(attributes, policy);
        pthread_attr_setschedparam(attributes, &raw const parameters);
        match thread.affinity() {
            Some(set) => {
                pthread_attr_setaffinity_np(attributes, size_of::<cpu_set_t>(), &raw const set)
            }
            None => 0,
        }
    }
}
