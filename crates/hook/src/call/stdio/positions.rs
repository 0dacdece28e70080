//! Positions and states of streams, and their locks.

use std::ffi::{c_int, c_long, c_void};

use libc::{FILE, loff_t, off_t};

use super::plan::{self, Lock, Need};
use crate::define::alias;
use crate::real::real;
use crate::turnstile;

/// Defines hooks for calls with a stream first, and their need.
macro_rules! with_stream {
    ($need:ident:
        $($name:ident($stream:ident $(, $argument:ident: $kind:ty)*) -> $result:ty;)*) =>
    {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($stream: *mut FILE $(, $argument: $kind)*) -> $result {
            let call = || real!(
                $name($stream $(, $argument)*): fn(*mut FILE $(, $kind)*) -> $result
            );
            // SAFETY: the caller's obligation.
            unsafe { plan::run($stream, Lock::Taken, |_stream| Need::$need, call) }
        }
    )*};
}

with_stream! { Seek:
    fseek(stream, offset: c_long, whence: c_int) -> c_int;
    fseeko(stream, offset: off_t, whence: c_int) -> c_int;
    fseeko64(stream, offset: loff_t, whence: c_int) -> c_int;
    fsetpos(stream, position: *const c_void) -> c_int;
    fsetpos64(stream, position: *const c_void) -> c_int;
    rewind(stream) -> ();
}

// They take the lock, which is all that they may have to wait for.
with_stream! { Nothing:
    ftell(stream) -> c_long;
    ftello(stream) -> off_t;
    ftello64(stream) -> loff_t;
    fgetpos(stream, position: *mut c_void) -> c_int;
    fgetpos64(stream, position: *mut c_void) -> c_int;
    feof(stream) -> c_int;
    ferror(stream) -> c_int;
    clearerr(stream) -> ();
}

alias! {
    _IO_fsetpos(stream: *mut FILE, position: *const c_void) -> c_int = fsetpos;
    _IO_fsetpos64(stream: *mut FILE, position: *const c_void) -> c_int = fsetpos64;
    _IO_ftell(stream: *mut FILE) -> c_long = ftell;
    _IO_fgetpos(stream: *mut FILE, position: *mut c_void) -> c_int = fgetpos;
    _IO_fgetpos64(stream: *mut FILE, position: *mut c_void) -> c_int = fgetpos64;
    _IO_feof(stream: *mut FILE) -> c_int = feof;
    _IO_ferror(stream: *mut FILE) -> c_int = ferror;
    _IO_flockfile(stream: *mut FILE) -> () = flockfile;
}

/// See flockfile(3). Nothing but taking the lock: the coroutine keeps it when it suspends.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn flockfile(stream: *mut FILE) {
    let call = || real!(flockfile(stream): fn(*mut FILE) -> ());
    if !lisle_rt::can_suspend() {
        return call();
    }
    unsafe extern "C-unwind" {
        fn ftrylockfile(stream: *mut FILE) -> c_int;
    }
    // SAFETY: an open stream, by the caller's obligation.
    if unsafe { ftrylockfile(stream) } != 0 {
        turnstile::one_at_a_time(stream as usize, call);
    }
}
