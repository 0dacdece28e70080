//! The kernel's error numbers.

use std::fmt;
use std::io;

/// A positive error number, as the kernel returned it. It is kept apart from `errno`, which
/// belongs to the calling code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// Try again: the call would block.
    pub const AGAIN: Errno = Errno(libc::EAGAIN);
    /// A signal came first.
    pub const INTR: Errno = Errno(libc::EINTR);
    /// Bad argument.
    pub const INVAL: Errno = Errno(libc::EINVAL);
    /// No memory, or no mapping left.
    pub const NOMEM: Errno = Errno(libc::ENOMEM);
    /// The kernel does not know this call.
    pub const NOSYS: Errno = Errno(libc::ENOSYS);
    /// The operation is not for this kind of file.
    pub const PERM: Errno = Errno(libc::EPERM);
    /// The deadline passed.
    pub const TIMEDOUT: Errno = Errno(libc::ETIMEDOUT);
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&io::Error::from(*self), f)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&io::Error::from(*self), f)
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        io::Error::from_raw_os_error(errno.0)
    }
}
