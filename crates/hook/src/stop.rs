//! Calls that are not begun once their caller is to stop.
//!
//! Operations on descriptors ask for themselves (`transfer`). What is here is for calls that go
//! elsewhere, where nothing ends their wait but what they wait for.
//!
//! Not asked are calls by path that change names or look at them, and `close`: they wait for a
//! disk at most, and they are what clearing up after a stop is made of.

use std::ptr;

use lisle_sys::Errno;

use crate::real::set_errno;

/// # Errors
/// That of the stop, if the caller is to stop.
#[inline]
pub(crate) fn may_begin() -> Result<(), Errno> {
    match lisle_rt::stopped() {
        Some(stop) if lisle_rt::signals::on_coroutine() => Err(Errno(stop.errno())),
        _ => Ok(()),
    }
}

/// What a function of C's returns when it fails and tells why in `errno`.
pub(crate) trait Failure {
    const FAILURE: Self;
}

impl Failure for i32 {
    const FAILURE: i32 = -1;
}

impl Failure for isize {
    const FAILURE: isize = -1;
}

impl<T> Failure for *mut T {
    const FAILURE: *mut T = ptr::null_mut();
}

/// Makes a call that may wait on a spare carrier, unless the caller is to stop.
pub(crate) fn elsewhere<R: Failure>(call: impl FnOnce() -> R) -> R {
    match may_begin() {
        Ok(()) => lisle_rt::blocking(call),
        Err(errno) => {
            set_errno(errno);
            R::FAILURE
        }
    }
}
