//! Streams that are closed, or opened anew.

use std::ffi::{c_char, c_int};

use libc::FILE;

use super::all::is_listed;
use super::plan::{KeepErrno, Way, way_to_end};
use crate::call::descriptors::Closing;
use crate::define::alias;
use crate::facts;
use crate::real::real;

/// The descriptor, or -1 of a stream that has none, of which `errno` is not to tell.
fn number(stream: *mut FILE) -> c_int {
    let _errno = KeepErrno::new();
    // SAFETY: an open stream, by the caller's obligation.
    unsafe { libc::fileno(stream) }
}

/// See fclose(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn fclose(stream: *mut FILE) -> c_int {
    let call = || real!(fclose(stream): fn(*mut FILE) -> c_int);
    let fd = number(stream);
    // What is looked at for it is not to be noted after the descriptor's end was told.
    let way = match lisle_rt::can_suspend() {
        true if is_listed() => Way::Elsewhere,
        true => way_to_end(stream),
        false => Way::Here(None),
    };
    let _closing = Closing::new(fd);
    match way {
        Way::Here(_trial) => call(),
        Way::Elsewhere => lisle_rt::blocking(call),
    }
}

/// Defines forms of `freopen`.
macro_rules! reopening {
    ($($name:ident)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            path: *const c_char, mode: *const c_char, stream: *mut FILE
        ) -> *mut FILE {
            let fd = number(stream);
            lisle_rt::closing(fd);
            let opened = lisle_rt::blocking(|| real!(
                $name(path, mode, stream):
                    fn(*const c_char, *const c_char, *mut FILE) -> *mut FILE
            ));
            lisle_rt::closed(fd);
            if !opened.is_null() {
                facts::forget(number(opened));
            }
            opened
        }
    )*};
}

reopening! { freopen freopen64 }

alias! {
    _IO_fclose(stream: *mut FILE) -> c_int = fclose;
    _IO_fopen(path: *const c_char, mode: *const c_char) -> *mut FILE = fopen;
}
