//! Names of threads. The kernel keeps those of OS threads; those of coroutines are kept here.

use std::ffi::{CStr, c_char, c_int, c_ulong};

use libc::pthread_t;
use lisle_rt::thread::{self, NAME_LEN, Thread};
use lisle_sys::Errno;

use crate::real::{outcome, real};

unsafe extern "C" {
    /// What the kernel calls the process at first, but for its length.
    static program_invocation_short_name: *const c_char;
}

/// A name as the kernel keeps it: cut to 15 bytes, and NUL.
fn cut(name: &[u8]) -> [u8; NAME_LEN] {
    let mut kept = [0; NAME_LEN];
    let len = name.len().min(NAME_LEN - 1);
    kept[..len].copy_from_slice(&name[..len]);
    kept
}

/// The name of a coroutine: its own, or that of the program.
fn name(thread: Thread) -> [u8; NAME_LEN] {
    thread.name().unwrap_or_else(|| {
        // SAFETY: a C string that the C library has set before the program began.
        cut(unsafe { CStr::from_ptr(program_invocation_short_name) }.to_bytes())
    })
}

/// See pthread_setname_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_setname_np(thread: pthread_t, name: *const c_char) -> c_int {
    // SAFETY: the caller's obligation.
    let Some(coroutine) = (unsafe { thread::of(thread) }) else {
        thread::os_thread_named();
        return real!(pthread_setname_np(thread, name): fn(pthread_t, *const c_char) -> c_int);
    };
    // SAFETY: the caller's C string.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    if name.len() >= NAME_LEN {
        return libc::ERANGE;
    }
    coroutine.set_name(cut(name));
    0
}

/// See pthread_getname_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_getname_np(
    thread: pthread_t,
    place: *mut c_char,
    len: usize,
) -> c_int {
    // SAFETY: the caller's obligation.
    let Some(coroutine) = (unsafe { thread::of(thread) }) else {
        return real!(
            pthread_getname_np(thread, place, len): fn(pthread_t, *mut c_char, usize) -> c_int
        );
    };
    if len < NAME_LEN {
        return libc::ERANGE;
    }
    // SAFETY: the caller's place has that length.
    unsafe { place.cast::<[u8; NAME_LEN]>().write_unaligned(name(coroutine)) };
    0
}

/// See prctl(2). The other options are the OS thread's or the process's.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn prctl(
    option: c_int,
    a: c_ulong,
    b: c_ulong,
    c: c_ulong,
    d: c_ulong,
) -> c_int {
    match thread::current_thread() {
        // SAFETY: the caller's obligation.
        Some(own) => unsafe { named(own, option, a) },
        None => {
            if option == libc::PR_SET_NAME {
                thread::os_thread_named();
            }
            None
        }
    }
    .unwrap_or_else(|| {
        real!(
            prctl(option, a, b, c, d): fn(c_int, c_ulong, c_ulong, c_ulong, c_ulong) -> c_int
        )
    })
}

/// What `prctl` says about the name of a coroutine; none for other options.
///
/// # Safety
/// As for `prctl`.
unsafe fn named(own: Thread, option: c_int, place: c_ulong) -> Option<c_int> {
    let place = place as *mut u8;
    if !matches!(option, libc::PR_SET_NAME | libc::PR_GET_NAME) {
        return None;
    }
    if place.is_null() {
        return Some(outcome(Err(Errno(libc::EFAULT))) as c_int);
    }
    // SAFETY: the caller's C string, or place for 16 bytes.
    unsafe {
        if option == libc::PR_SET_NAME {
            // As the kernel does, no further than it keeps.
            let len = (0..NAME_LEN - 1).take_while(|at| *place.add(*at) != 0).count();
            own.set_name(cut(std::slice::from_raw_parts(place, len)));
        } else {
            place.cast::<[u8; NAME_LEN]>().write_unaligned(name(own));
        }
    }
    Some(0)
}
