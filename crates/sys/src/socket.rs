//! Socket options the hooks must know.

use crate::{Errno, syscall};

/// An option of type `i32` at the socket level.
///
/// # Errors
/// `ENOTSOCK`, `EBADF`.
pub fn option(fd: i32, name: i32) -> Result<i32, Errno> {
    let mut value = 0_i32;
    // SAFETY: the place is four bytes long, as announced.
    unsafe { get(fd, name, (&raw mut value).cast(), 4)? };
    Ok(value)
}

/// A timeout option (`SO_RCVTIMEO`, `SO_SNDTIMEO`) in nanoseconds; `None` means for ever.
///
/// # Errors
/// `ENOTSOCK`, `EBADF`.
pub fn timeout(fd: i32, name: i32) -> Result<Option<u64>, Errno> {
    let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
    // SAFETY: the place is a timeval, as announced.
    unsafe { get(fd, name, (&raw mut time).cast(), size_of::<libc::timeval>())? };
    let nanos = (time.tv_sec as u64)
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_usec as u64 * 1_000);
    Ok((nanos != 0).then_some(nanos))
}

/// # Safety
/// `place` has room for `len` bytes.
unsafe fn get(fd: i32, name: i32, place: *mut u8, len: usize) -> Result<(), Errno> {
    let mut len = len as libc::socklen_t;
    let level = libc::SOL_SOCKET as usize;
    let args = [fd as usize, level, name as usize, place as usize, (&raw mut len) as usize, 0];
    // SAFETY: the caller vouches for the place; the length lives until the return.
    unsafe { syscall(libc::SYS_getsockopt, args) }.map(drop)
}

/// `recv`.
///
/// # Errors
/// The kernel's.
///
/// # Safety
/// The buffer has room for `len` bytes.
#[inline]
pub unsafe fn receive(fd: i32, buf: *mut u8, len: usize, flags: i32) -> Result<usize, Errno> {
    let args = [fd as usize, buf as usize, len, flags as usize, 0, 0];
    // SAFETY: the caller's obligation; no address is wanted.
    unsafe { syscall(libc::SYS_recvfrom, args) }
}

/// `send`.
///
/// # Errors
/// The kernel's.
///
/// # Safety
/// The buffer has `len` bytes.
#[inline]
pub unsafe fn send(fd: i32, buf: *const u8, len: usize, flags: i32) -> Result<usize, Errno> {
    let args = [fd as usize, buf as usize, len, flags as usize, 0, 0];
    // SAFETY: the caller's obligation; no address is given.
    unsafe { syscall(libc::SYS_sendto, args) }
}
