//! `read`, `write` and their vectored forms, on whatever kind of descriptor.

use std::ffi::c_void;

use libc::{iovec, size_t, ssize_t};
use lisle_rt::descriptor::Direction;
use lisle_sys::{Errno, fd as sys, syscall};

use crate::facts::Kind;
use crate::real::{outcome, real};
use crate::transfer::{Operation, Vectors, write_all};

/// See read(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn read(fd: i32, buf: *mut c_void, count: size_t) -> ssize_t {
    match Operation::new(fd, Direction::Read) {
        Some(operation) if count != 0 => {
            let vector = iovec { iov_base: buf, iov_len: count };
            // SAFETY: one live entry, for which the caller vouches.
            match unsafe { read_vectors(operation, &raw const vector, 1, count) } {
                Some(result) => outcome(result),
                None => real!(read(fd, buf, count): fn(i32, *mut c_void, size_t) -> ssize_t),
            }
        }
        _ => real!(read(fd, buf, count): fn(i32, *mut c_void, size_t) -> ssize_t),
    }
}

/// See readv(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn readv(fd: i32, iov: *const iovec, count: i32) -> ssize_t {
    // SAFETY: the caller vouches for the list if the count is one the kernel takes.
    let total = unsafe { total(iov, count) };
    match Operation::new(fd, Direction::Read) {
        Some(operation) if total != 0 => {
            // SAFETY: as above.
            match unsafe { read_vectors(operation, iov, count as usize, total) } {
                Some(result) => outcome(result),
                None => real!(readv(fd, iov, count): fn(i32, *const iovec, i32) -> ssize_t),
            }
        }
        _ => real!(readv(fd, iov, count): fn(i32, *const iovec, i32) -> ssize_t),
    }
}

/// See write(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn write(fd: i32, buf: *const c_void, count: size_t) -> ssize_t {
    match Operation::new(fd, Direction::Write) {
        Some(operation) if count != 0 => {
            let vector = iovec { iov_base: buf.cast_mut(), iov_len: count };
            // SAFETY: one live entry, for which the caller vouches.
            match unsafe { write_vectors(operation, &raw const vector, 1, count) } {
                Some(result) => outcome(result),
                None => real!(write(fd, buf, count): fn(i32, *const c_void, size_t) -> ssize_t),
            }
        }
        _ => real!(write(fd, buf, count): fn(i32, *const c_void, size_t) -> ssize_t),
    }
}

/// See writev(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn writev(fd: i32, iov: *const iovec, count: i32) -> ssize_t {
    // SAFETY: the caller vouches for the list if the count is one the kernel takes.
    let total = unsafe { total(iov, count) };
    match Operation::new(fd, Direction::Write) {
        Some(operation) if total != 0 => {
            // SAFETY: as above.
            match unsafe { write_vectors(operation, iov, count as usize, total) } {
                Some(result) => outcome(result),
                None => real!(writev(fd, iov, count): fn(i32, *const iovec, i32) -> ssize_t),
            }
        }
        _ => real!(writev(fd, iov, count): fn(i32, *const iovec, i32) -> ssize_t),
    }
}

/// The bytes that a list describes; 0 for lists that the kernel would refuse.
///
/// # Safety
/// `iov` points to `count` entries if that is between 1 and 1024.
unsafe fn total(iov: *const iovec, count: i32) -> usize {
    if iov.is_null() || !(1..=1024).contains(&count) {
        return 0;
    }
    // SAFETY: the caller's obligation.
    let list = unsafe { std::slice::from_raw_parts(iov, count as usize) };
    list.iter().fold(0, |sum, v| sum.saturating_add(v.iov_len))
}

/// None where the plain call is right.
///
/// # Safety
/// As for `readv`.
unsafe fn read_vectors(
    mut operation: Operation,
    iov: *const iovec,
    count: usize,
    total: usize,
) -> Option<Result<usize, Errno>> {
    let receive = |fd| {
        // SAFETY: the caller's obligation.
        unsafe { receive(fd, iov, count) }
    };
    Some(match operation.kind() {
        Kind::TcpStream => operation.run_draining(total, receive),
        Kind::Stream | Kind::Datagram => operation.run(receive),
        Kind::Nowait => {
            // SAFETY: the caller's obligation.
            match operation.run(|fd| unsafe { sys::read_nowait(fd, iov, count) }) {
                Err(Errno::INVAL | Errno(libc::EOPNOTSUPP)) => {
                    operation.set_kind(Kind::Polled);
                    // SAFETY: the caller's obligation.
                    return unsafe { read_vectors(operation, iov, count, total) };
                }
                Err(Errno::PERM) => {
                    operation.set_kind(Kind::Plain);
                    return None;
                }
                result => result,
            }
        }
        Kind::Polled => {
            let result = operation.run(|fd| {
                if sys::ready_now(fd, libc::POLLIN) == 0 {
                    return Err(Errno::AGAIN);
                }
                // SAFETY: the caller's obligation.
                unsafe { syscall(libc::SYS_readv, [fd as usize, iov as usize, count, 0, 0, 0]) }
            });
            match result {
                Err(Errno::PERM) => {
                    operation.set_kind(Kind::Plain);
                    return None;
                }
                result => result,
            }
        }
        Kind::Plain => return None,
    })
}

/// # Safety
/// As for `readv`.
unsafe fn receive(fd: i32, iov: *const iovec, count: usize) -> Result<usize, Errno> {
    let flags = libc::MSG_DONTWAIT as usize;
    // SAFETY: the caller's obligation.
    unsafe {
        if count == 1 {
            let (base, len) = ((*iov).iov_base as usize, (*iov).iov_len);
            return syscall(libc::SYS_recvfrom, [fd as usize, base, len, flags, 0, 0]);
        }
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = iov.cast_mut();
        message.msg_iovlen = count;
        let message = (&raw mut message) as usize;
        syscall(libc::SYS_recvmsg, [fd as usize, message, flags, 0, 0, 0])
    }
}

/// None where the plain call is right.
///
/// # Safety
/// As for `writev`.
unsafe fn write_vectors(
    mut operation: Operation,
    iov: *const iovec,
    count: usize,
    total: usize,
) -> Option<Result<usize, Errno>> {
    // SAFETY: the caller's obligation.
    let mut vectors = unsafe { Vectors::new(iov, count) };
    let mut written = 0;
    let mut rest = |done: usize| {
        vectors.advance(done - written);
        written = done;
        let rest = vectors.rest();
        (rest.as_ptr(), rest.len())
    };
    Some(match operation.kind() {
        Kind::TcpStream | Kind::Stream => write_all(&mut operation, total, |fd, done| {
            let (iov, count) = rest(done);
            // SAFETY: the caller's obligation.
            unsafe { transmit(fd, iov, count) }
        }),
        Kind::Datagram => {
            // SAFETY: the caller's obligation.
            operation.run(|fd| unsafe { transmit(fd, iov, count) })
        }
        Kind::Nowait => {
            let result = write_all(&mut operation, total, |fd, done| {
                let (iov, count) = rest(done);
                // SAFETY: the caller's obligation.
                unsafe { sys::write_nowait(fd, iov, count) }
            });
            match result {
                Err(Errno::INVAL | Errno(libc::EOPNOTSUPP)) => {
                    operation.set_kind(Kind::Polled);
                    // SAFETY: the caller's obligation.
                    return unsafe { write_vectors(operation, iov, count, total) };
                }
                Err(Errno::PERM) => {
                    operation.set_kind(Kind::Plain);
                    return None;
                }
                result => result,
            }
        }
        Kind::Polled => {
            let result = write_all(&mut operation, total, |fd, done| {
                if sys::ready_now(fd, libc::POLLOUT) == 0 {
                    return Err(Errno::AGAIN);
                }
                // A pipe that is ready has room for this much.
                let (iov, _) = rest(done);
                // SAFETY: there is a rest as long as not all is written; the caller's obligation.
                unsafe {
                    let (base, len) = ((*iov).iov_base as usize, (*iov).iov_len);
                    let part = len.min(libc::PIPE_BUF);
                    syscall(libc::SYS_write, [fd as usize, base, part, 0, 0, 0])
                }
            });
            match result {
                Err(Errno::PERM) => {
                    operation.set_kind(Kind::Plain);
                    return None;
                }
                result => result,
            }
        }
        Kind::Plain => return None,
    })
}

/// # Safety
/// As for `writev`.
unsafe fn transmit(fd: i32, iov: *const iovec, count: usize) -> Result<usize, Errno> {
    let flags = libc::MSG_DONTWAIT as usize;
    // SAFETY: the caller's obligation.
    unsafe {
        if count == 1 {
            let (base, len) = ((*iov).iov_base as usize, (*iov).iov_len);
            return syscall(libc::SYS_sendto, [fd as usize, base, len, flags, 0, 0]);
        }
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = iov.cast_mut();
        message.msg_iovlen = count;
        let message = (&raw mut message) as usize;
        syscall(libc::SYS_sendmsg, [fd as usize, message, flags, 0, 0, 0])
    }
}
