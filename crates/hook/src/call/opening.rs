//! Opening files.
//!
//! `open` and its kin are variadic in C: the mode is passed if the flags want one. See the crate.

use std::ffi::{c_char, c_void};

use libc::{DIR, FILE, mode_t};

use super::probe;
use crate::facts;
use crate::real::real;
use crate::stop::elsewhere;

/// Makes sure that a new descriptor does not inherit what was learned of an earlier file of that
/// number.
fn fresh(fd: i32) -> i32 {
    facts::forget(fd);
    fd
}

/// Where paths begin.
const HERE: i32 = libc::AT_FDCWD;
/// What `creat` says to `open`.
const CREATE: i32 = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;

/// Defines hooks for calls that open: where the path begins, the path, the flags.
macro_rules! opening {
    ($($name:ident($($argument:ident: $kind:ty),*): $folder:expr, $path:expr, $flags:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> i32 {
            let call = || real!($name($($argument),*): fn($($kind),*) -> i32);
            // SAFETY: the path is the caller's obligation.
            fresh(unsafe { probe::open($folder, $path, $flags, call) })
        }
    )*};
}

opening! {
    open(path: *const c_char, flags: i32, mode: mode_t): HERE, path, flags;
    open64(path: *const c_char, flags: i32, mode: mode_t): HERE, path, flags;
    openat(folder: i32, path: *const c_char, flags: i32, mode: mode_t): folder, path, flags;
    openat64(folder: i32, path: *const c_char, flags: i32, mode: mode_t): folder, path, flags;
    creat(path: *const c_char, mode: mode_t): HERE, path, CREATE;
    creat64(path: *const c_char, mode: mode_t): HERE, path, CREATE;
}

// What C code calls that was compiled with `_FORTIFY_SOURCE`, where it passes no mode.
opening! {
    __open_2(path: *const c_char, flags: i32): HERE, path, flags;
    __open64_2(path: *const c_char, flags: i32): HERE, path, flags;
    __openat_2(folder: i32, path: *const c_char, flags: i32): folder, path, flags;
    __openat64_2(folder: i32, path: *const c_char, flags: i32): folder, path, flags;
}

/// Defines hooks for calls that open inside of the C library: on a spare carrier. The last
/// argument says how to learn the descriptor.
macro_rules! opening_elsewhere {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty: $number:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            let opened = elsewhere(
                || real!($name($($argument),*): fn($($kind),*) -> $result),
            );
            fresh($number(opened));
            opened
        }
    )*};
}

opening_elsewhere! {
    fopen(path: *const c_char, mode: *const c_char) -> *mut FILE: number_of_stream;
    fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE: number_of_stream;
    opendir(path: *const c_char) -> *mut DIR: number_of_folder;
    mkstemp(template: *mut c_char) -> i32: itself;
    mkstemp64(template: *mut c_char) -> i32: itself;
    mkostemp(template: *mut c_char, flags: i32) -> i32: itself;
    mkostemp64(template: *mut c_char, flags: i32) -> i32: itself;
    mkstemps(template: *mut c_char, suffix: i32) -> i32: itself;
    mkstemps64(template: *mut c_char, suffix: i32) -> i32: itself;
    mkostemps(template: *mut c_char, suffix: i32, flags: i32) -> i32: itself;
    mkostemps64(template: *mut c_char, suffix: i32, flags: i32) -> i32: itself;
    tmpfile() -> *mut FILE: number_of_stream;
    tmpfile64() -> *mut FILE: number_of_stream;
    open_by_handle_at(mount: i32, handle: *mut c_void, flags: i32) -> i32: itself;
}

fn itself(fd: i32) -> i32 {
    fd
}

fn number_of_stream(stream: *mut FILE) -> i32 {
    // SAFETY: a stream that was just opened; it has a descriptor, so `errno` is not touched.
    if stream.is_null() { -1 } else { unsafe { libc::fileno(stream) } }
}

fn number_of_folder(folder: *mut DIR) -> i32 {
    // SAFETY: as above.
    if folder.is_null() { -1 } else { unsafe { libc::dirfd(folder) } }
}
