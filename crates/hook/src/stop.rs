//! Calls that are not begun once their caller is to stop.
//!
//! Operations on descriptors ask for themselves (`transfer`). What is here is for calls that go
//! elsewhere, where nothing ends their wait but what they wait for.
//!
//! Not asked are calls by path that change names or look at them, and `close`: they wait for a
//! disk at most, and they are what clearing up after a stop is made of.

use std::ptr;

use lisle_sys::Errno;

use crate::real::{errno, set_errno};

/// # Errors
/// That of the stop, if the caller is to stop.
#[inline]
pub(crate) fn may_begin() -> Result<(), Errno> {
    match lisle_rt::stopped() {
        Some(stop) if lisle_rt::can_suspend() => Err(Errno(stop.errno())),
        _ => Ok(()),
    }
}

/// What a call returns that fails by an error.
pub(crate) trait Failure {
    fn fail(errno: Errno) -> Self;

    /// Whether it tells of a call that a signal has interrupted.
    fn is_interrupted(&self) -> bool;
}

impl Failure for i32 {
    fn fail(errno: Errno) -> i32 {
        set_errno(errno);
        -1
    }

    fn is_interrupted(&self) -> bool {
        *self == -1 && errno() == Errno::INTR
    }
}

impl Failure for isize {
    fn fail(errno: Errno) -> isize {
        set_errno(errno);
        -1
    }

    fn is_interrupted(&self) -> bool {
        *self == -1 && errno() == Errno::INTR
    }
}

impl<T> Failure for *mut T {
    fn fail(errno: Errno) -> *mut T {
        set_errno(errno);
        ptr::null_mut()
    }

    fn is_interrupted(&self) -> bool {
        self.is_null() && errno() == Errno::INTR
    }
}

impl Failure for Result<usize, Errno> {
    fn fail(errno: Errno) -> Self {
        Err(errno)
    }

    fn is_interrupted(&self) -> bool {
        *self == Err(Errno::INTR)
    }
}

/// Makes a call that may wait on a spare carrier, unless the caller is to stop, and until then.
pub(crate) fn elsewhere<R: Failure>(call: impl FnOnce() -> R) -> R {
    if !lisle_rt::is_stoppable() || !lisle_rt::can_suspend() {
        return lisle_rt::blocking(call);
    }
    if let Err(errno) = may_begin() {
        return R::fail(errno);
    }
    let result = lisle_rt::blocking_stoppably(call);
    match may_begin() {
        Err(errno) if result.is_interrupted() => R::fail(errno),
        _ => result,
    }
}
