//! How waits end, and why: a deadline, or a cancellation, of what the caller does.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a wait that could have gone on is over.
///
/// System calls that a stop ends fail with an error number of their own, which is what the
/// conversion to [`io::Error`] gives, too:
///
/// | stop | error number | [`io::ErrorKind`] |
/// |---|---|---|
/// | `TimedOut` | `ETIMEDOUT` | `TimedOut` |
/// | `Cancelled` | `ECANCELED` | one that std does not name |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stop {
    /// The deadline of what it belongs to has passed.
    TimedOut,
    /// What it belongs to was cancelled.
    Cancelled,
}

impl Stop {
    /// The error number of system calls that it ends.
    pub const fn errno(self) -> i32 {
        match self {
            Stop::TimedOut => libc::ETIMEDOUT,
            Stop::Cancelled => libc::ECANCELED,
        }
    }

    /// The stop that an error tells of, if it is of the kind that stops make.
    ///
    /// It need not be from a stop: a connection whose other end is silent for long also times out.
    ///
    /// ```
    /// use lisle_rt::Stop;
    /// let error = std::io::Error::from(Stop::Cancelled);
    /// assert_eq!(Stop::of(&error), Some(Stop::Cancelled));
    /// assert_eq!(Stop::of(&std::io::ErrorKind::NotFound.into()), None);
    /// ```
    pub fn of(error: &io::Error) -> Option<Stop> {
        if error.kind() == io::ErrorKind::TimedOut {
            return Some(Stop::TimedOut);
        }
        if error.raw_os_error() == Some(libc::ECANCELED) {
            return Some(Stop::Cancelled);
        }
        error.get_ref().and_then(|inner| inner.downcast_ref().copied())
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::TimedOut => "the deadline has passed",
            Stop::Cancelled => "cancelled",
        })
    }
}

impl Error for Stop {}

impl From<Stop> for io::Error {
    fn from(stop: Stop) -> Self {
        io::Error::from_raw_os_error(stop.errno())
    }
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// By a [`Waker`](crate::Waker).
    Woken,
    /// The deadline passed.
    TimedOut,
    /// For no reason that matters here; what was waited for is to be looked at again.
    Interrupted,
    /// The caller is to stop what it does.
    Stopped(Stop),
}
