//! Ends of threads: `pthread_exit` and `pthread_detach`.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use libc::{pthread_key_t, pthread_t};
use lisle_rt::thread;

use crate::real::real;

/// See pthread_exit(3). What a coroutine leaves is kept for its joiner here; the C library unwinds.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_exit(value: *mut c_void) -> ! {
    match thread::current_thread() {
        Some(own) => own.set_value(value),
        None if lisle_rt::is_main_thread() && thread::made().0 > 0 => note_end_of_main(),
        None => {}
    }
    real!(pthread_exit(value): fn(*mut c_void) -> !)
}

/// See thrd_exit(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn thrd_exit(value: c_int) -> ! {
    // SAFETY: nothing is asked of the caller.
    unsafe { pthread_exit(value as isize as *mut c_void) }
}

/// Has the end of the main thread counted: in the destructor of a key, where the C library counts
/// the ends of its own threads, too. After that the last coroutine ends the process.
fn note_end_of_main() {
    extern "C" fn ends(_: *mut c_void) {
        thread::main_ends();
    }
    static KEY: OnceLock<Option<pthread_key_t>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: a live place; the destructor takes any value.
        (unsafe { libc::pthread_key_create(&raw mut key, Some(ends)) } == 0).then_some(key)
    });
    if let Some(key) = key {
        // SAFETY: a key of ours, and a value that is not null.
        unsafe { libc::pthread_setspecific(*key, ptr::without_provenance(1)) };
    }
}

/// See pthread_detach(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_detach(thread: pthread_t) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { thread::of(thread) } {
        Some(coroutine) => coroutine.detach().map_or_else(|errno| errno.0, |()| 0),
        None => real!(pthread_detach(thread): fn(pthread_t) -> c_int),
    }
}

/// See thrd_detach(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn thrd_detach(thread: pthread_t) -> c_int {
    const SUCCESS: c_int = 0;
    const ERROR: c_int = 2;
    // SAFETY: the caller's obligation.
    if unsafe { pthread_detach(thread) } == 0 { SUCCESS } else { ERROR }
}
