//! Calls about all streams at once. The C library's list of streams is locked meanwhile, and who
//! makes or closes a stream waits for that lock: elsewhere, then.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{FILE, size_t};

use crate::define::elsewhere_if;
use crate::real::real;

/// How many are in such calls, on OS threads too. Relaxed: it guards nothing. Who misses one that
/// has just begun waits for the lock in place, which lasts only where that one waits, too.
static INSIDE: AtomicU32 = AtomicU32::new(0);

struct Inside;

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Nobody is inside, in the child of a fork.
pub(crate) fn forget_after_fork() {
    INSIDE.store(0, Ordering::Relaxed);
}

/// Whether the list may be locked for long.
pub(super) fn is_listed() -> bool {
    INSIDE.load(Ordering::Relaxed) != 0
}

/// Makes a call about all streams.
pub(super) fn on_all<R>(call: impl FnOnce() -> R) -> R {
    INSIDE.fetch_add(1, Ordering::Relaxed);
    let _inside = Inside;
    lisle_rt::blocking(call)
}

/// Defines hooks of such calls.
macro_rules! on_all {
    ($($name:ident() -> $result:ty;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name() -> $result {
            on_all(|| real!($name(): fn() -> $result))
        }
    )*};
}

on_all! {
    _flushlbf() -> ();
    _IO_flush_all() -> c_int;
    _IO_flush_all_linebuffered() -> ();
    fcloseall() -> c_int;
}

/// What `fopencookie` takes by value: four functions.
#[repr(C)]
#[derive(Clone, Copy)]
struct Functions([*const c_void; 4]);

elsewhere_if! {
    fdopen(fd: c_int, mode: *const c_char) -> *mut FILE: is_listed();
    _IO_fdopen(fd: c_int, mode: *const c_char) -> *mut FILE: is_listed();
    fmemopen(place: *mut c_void, len: size_t, mode: *const c_char) -> *mut FILE: is_listed();
    fopencookie(cookie: *mut c_void, mode: *const c_char, functions: Functions) -> *mut FILE:
        is_listed();
    open_memstream(place: *mut *mut c_char, len: *mut size_t) -> *mut FILE: is_listed();
    open_wmemstream(place: *mut *mut c_int, len: *mut size_t) -> *mut FILE: is_listed();
}
