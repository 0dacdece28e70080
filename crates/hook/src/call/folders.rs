//! Listing directories.

use std::ffi::{c_char, c_void};

use libc::{DIR, dirent, dirent64};

use super::descriptors::Closing;
use crate::gate::Gate;
use crate::real::real;

/// Most calls give an entry out of the C library's buffer; one in some hundred fills it.
static LISTINGS: Gate = Gate::new();

/// Defines hooks for calls that are nearly always quick.
macro_rules! gated {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            LISTINGS.run(|| real!($name($($argument),*): fn($($kind),*) -> $result))
        }
    )*};
}

gated! {
    readdir(folder: *mut DIR) -> *mut dirent;
    readdir64(folder: *mut DIR) -> *mut dirent64;
    readdir_r(folder: *mut DIR, entry: *mut dirent, place: *mut *mut dirent) -> i32;
    readdir64_r(folder: *mut DIR, entry: *mut dirent64, place: *mut *mut dirent64) -> i32;
    getdirentries(fd: i32, place: *mut c_char, len: usize, offset: *mut libc::off_t) -> isize;
    getdirentries64(fd: i32, place: *mut c_char, len: usize, offset: *mut libc::off_t) -> isize;
    getdents64(fd: i32, place: *mut c_void, len: usize) -> isize;
}

/// See closedir(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn closedir(folder: *mut DIR) -> i32 {
    // SAFETY: an open directory, by the caller's obligation.
    let fd = if folder.is_null() { -1 } else { unsafe { libc::dirfd(folder) } };
    let _closing = Closing::new(fd);
    real!(closedir(folder): fn(*mut DIR) -> i32)
}

type Filter = Option<unsafe extern "C-unwind" fn(*const dirent) -> i32>;
type Order = Option<unsafe extern "C-unwind" fn(*mut *const dirent, *mut *const dirent) -> i32>;

/// Defines hooks for calls that list a directory inside of the C library. The caller's functions
/// run on the spare carrier.
macro_rules! scanning {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> i32 {
            lisle_rt::blocking(|| real!($name($($argument),*): fn($($kind),*) -> i32))
        }
    )*};
}

scanning! {
    scandir(path: *const c_char, list: *mut *mut *mut dirent, filter: Filter, order: Order);
    scandir64(path: *const c_char, list: *mut *mut *mut dirent, filter: Filter, order: Order);
    scandirat(
        at: i32, path: *const c_char, list: *mut *mut *mut dirent, filter: Filter, order: Order
    );
    scandirat64(
        at: i32, path: *const c_char, list: *mut *mut *mut dirent, filter: Filter, order: Order
    );
}
