//! Descriptors of any kind: what they are, their flags, transfers that never block.

use crate::{Errno, syscall};

/// Closes `fd`. The descriptor is free afterwards whatever the kernel says.
pub fn close(fd: i32) {
    // SAFETY: no pointers are passed.
    let _ = unsafe { syscall(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}

/// Opens a file for reading, whose path ends in zero; none if that fails.
pub fn open_to_read(path: &[u8]) -> Option<i32> {
    assert!(path.ends_with(&[0]), "the kernel reads up to the zero");
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    let args = [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0, 0];
    // SAFETY: a string that ends in zero.
    unsafe { syscall(libc::SYS_openat, args) }.ok().map(|fd| fd as i32)
}

/// Reads what the kernel makes up, which never waits; none if that fails.
pub fn read_plain(fd: i32, buffer: &mut [u8]) -> Option<usize> {
    let args = [fd as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
    // SAFETY: a live buffer of that size.
    unsafe { syscall(libc::SYS_read, args) }.ok()
}

/// Another descriptor for the same open file, not inherited by programs that are executed.
///
/// # Errors
/// `EBADF`, `EMFILE`.
pub fn duplicate(fd: i32) -> Result<i32, Errno> {
    let args = [fd as usize, libc::F_DUPFD_CLOEXEC as usize, 0, 0, 0, 0];
    // SAFETY: no pointers are passed.
    unsafe { syscall(libc::SYS_fcntl, args) }.map(|fd| fd as i32)
}

/// The status flags of the open file, `O_NONBLOCK` among them.
///
/// # Errors
/// `EBADF`.
pub fn status_flags(fd: i32) -> Result<i32, Errno> {
    // SAFETY: no pointers are passed.
    unsafe { syscall(libc::SYS_fcntl, [fd as usize, libc::F_GETFL as usize, 0, 0, 0, 0]) }
        .map(|flags| flags as i32)
}

/// The kernel's description of the open file.
///
/// # Errors
/// `EBADF`.
pub fn status(fd: i32) -> Result<libc::stat, Errno> {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel's structure is libc's on x86-64.
    unsafe { syscall(libc::SYS_fstat, [fd as usize, (&raw mut stat) as usize, 0, 0, 0, 0])? };
    Ok(stat)
}

/// What tells an open file from others: the `S_IFMT` part of its mode, and its inode number.
///
/// # Errors
/// `EBADF`.
pub fn identity(fd: i32) -> Result<(u32, u64), Errno> {
    status(fd).map(|stat| (stat.st_mode & libc::S_IFMT, stat.st_ino))
}

/// The magic number of the file system that holds the open file.
///
/// # Errors
/// `EBADF`, `ENOSYS`.
pub fn file_system(fd: i32) -> Result<i64, Errno> {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel's structure is libc's on x86-64.
    unsafe { syscall(libc::SYS_fstatfs, [fd as usize, (&raw mut found) as usize, 0, 0, 0, 0])? };
    Ok(found.f_type as i64)
}

/// Reads into the vectors without blocking and without touching the open file's flags.
///
/// # Errors
/// `EAGAIN` when it would block; `EOPNOTSUPP` or `EINVAL` where the kind of file cannot do so.
///
/// # Safety
/// As for `readv`.
pub unsafe fn read_nowait(fd: i32, iov: *const libc::iovec, count: usize) -> Result<usize, Errno> {
    let minus_one = usize::MAX; // at the current position
    let args = [fd as usize, iov as usize, count, minus_one, minus_one, libc::RWF_NOWAIT as usize];
    // SAFETY: the caller's obligation.
    unsafe { syscall(libc::SYS_preadv2, args) }
}

/// Writes from the vectors without blocking and without touching the open file's flags.
///
/// # Errors
/// As [`read_nowait`].
///
/// # Safety
/// As for `writev`.
pub unsafe fn write_nowait(fd: i32, iov: *const libc::iovec, count: usize) -> Result<usize, Errno> {
    let minus_one = usize::MAX;
    let args = [fd as usize, iov as usize, count, minus_one, minus_one, libc::RWF_NOWAIT as usize];
    // SAFETY: the caller's obligation.
    unsafe { syscall(libc::SYS_pwritev2, args) }
}

/// Which of the descriptors are ready now; never waits.
///
/// # Errors
/// `EFAULT`, `EINVAL`, `ENOMEM`.
///
/// # Safety
/// `fds` points to `count` entries.
pub unsafe fn poll_now(fds: *mut libc::pollfd, count: usize) -> Result<usize, Errno> {
    loop {
        // SAFETY: the caller's obligation.
        let result = unsafe { syscall(libc::SYS_poll, [fds as usize, count, 0, 0, 0, 0]) };
        // There was no wait to be interrupted; the kernel says so because a signal is pending.
        if result != Err(Errno::INTR) {
            return result;
        }
    }
}

/// Whether one descriptor is ready for `events` now: the events that are.
pub fn ready_now(fd: i32, events: i16) -> i16 {
    let mut entry = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one live entry. Failure (no memory) reads as "not ready".
    match unsafe { poll_now(&raw mut entry, 1) } {
        Ok(_) => entry.revents,
        Err(_) => 0,
    }
}
