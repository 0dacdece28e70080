//! `read`, `write` and their vectored forms, on whatever kind of descriptor.

use std::ffi::c_void;

use libc::{iovec, size_t, ssize_t};
use lisle_rt::descriptor::Direction;
use lisle_sys::uring::{CURRENT_POSITION, Entry};
use lisle_sys::{Errno, fd as sys, syscall};

use super::{files, receiving, sending};
use crate::define::on_coroutines;
use crate::facts::Kind;
use crate::real::{outcome, real};
use crate::stop::elsewhere;
use crate::transfer::{Operation, Vectors, write_all};

on_coroutines! {
    read(fd: i32, buf: *mut c_void, count: size_t) -> ssize_t = read_here;
    write(fd: i32, buf: *const c_void, count: size_t) -> ssize_t = write_here;
}

/// # Safety
/// As for `read`.
#[inline(never)]
unsafe extern "C-unwind" fn read_here(fd: i32, buf: *mut c_void, count: size_t) -> ssize_t {
    if count != 0
        && let Some(operation) = Operation::new(fd, Direction::Read)
    {
        let vector = iovec { iov_base: buf, iov_len: count };
        // SAFETY: one live entry, for which the caller vouches.
        if let Some(result) = unsafe { read_vectors(operation, &raw const vector, 1) } {
            return outcome(result);
        }
    }
    real!(read(fd, buf, count): fn(i32, *mut c_void, size_t) -> ssize_t)
}

/// See readv(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn readv(fd: i32, iov: *const iovec, count: i32) -> ssize_t {
    if let Some(operation) = Operation::new(fd, Direction::Read)
        // SAFETY: the caller vouches for the list if the count is one the kernel takes.
        && unsafe { total(iov, count) } != 0
    {
        // SAFETY: as above.
        if let Some(result) = unsafe { read_vectors(operation, iov, count as usize) } {
            return outcome(result);
        }
    }
    real!(readv(fd, iov, count): fn(i32, *const iovec, i32) -> ssize_t)
}

/// # Safety
/// As for `write`.
#[inline(never)]
unsafe extern "C-unwind" fn write_here(fd: i32, buf: *const c_void, count: size_t) -> ssize_t {
    if count != 0
        && let Some(operation) = Operation::new(fd, Direction::Write)
    {
        let vector = iovec { iov_base: buf.cast_mut(), iov_len: count };
        // SAFETY: one live entry, for which the caller vouches.
        let write = || unsafe { write_vectors(operation, &raw const vector, 1, count) };
        if let Some(result) = unless_printing(fd, write) {
            return outcome(result);
        }
    }
    real!(write(fd, buf, count): fn(i32, *const c_void, size_t) -> ssize_t)
}

/// See writev(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn writev(fd: i32, iov: *const iovec, count: i32) -> ssize_t {
    if let Some(operation) = Operation::new(fd, Direction::Write) {
        // SAFETY: the caller vouches for the list if the count is one the kernel takes.
        let total = unsafe { total(iov, count) };
        if total != 0 {
            // SAFETY: as above.
            let write = || unsafe { write_vectors(operation, iov, count as usize, total) };
            if let Some(result) = unless_printing(fd, write) {
                return outcome(result);
            }
        }
    }
    real!(writev(fd, iov, count): fn(i32, *const iovec, i32) -> ssize_t)
}

/// Writes, shielded from stops if it is to where programs print: `println!` panics on errors.
fn unless_printing<R>(fd: i32, write: impl FnOnce() -> R) -> R {
    match fd {
        libc::STDOUT_FILENO | libc::STDERR_FILENO => lisle_rt::masked(write),
        _ => write(),
    }
}

/// See eventfd(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn eventfd_read(fd: i32, value: *mut u64) -> i32 {
    // SAFETY: a place of that size, by the caller's obligation.
    if unsafe { read(fd, value.cast(), size_of::<u64>()) } == 8 { 0 } else { -1 }
}

/// See eventfd(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn eventfd_write(fd: i32, value: u64) -> i32 {
    // SAFETY: a live value of that size.
    if unsafe { write(fd, (&raw const value).cast(), size_of::<u64>()) } == 8 { 0 } else { -1 }
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

/// A header for a message that consists of these parts and nothing else.
fn message_of(iov: *const iovec, count: usize) -> libc::msghdr {
    // SAFETY: all-zero is a header without address, parts and control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = iov.cast_mut();
    message.msg_iovlen = count;
    message
}

/// None where the plain call is right.
///
/// # Safety
/// As for `readv`, with at least one entry.
unsafe fn read_vectors(
    mut operation: Operation,
    iov: *const iovec,
    count: usize,
) -> Option<Result<usize, Errno>> {
    if let Err(errno) = operation.begin() {
        return Some(Err(errno));
    }
    let none = std::ptr::null_mut();
    // SAFETY: the caller's obligation, in all calls below.
    unsafe {
        let result = match operation.kind() {
            Kind::Plain => return None,
            Kind::File => return files::read(operation.fd(), iov, count),
            kind if kind.is_socket() && count == 1 => {
                let (base, len) = ((*iov).iov_base, (*iov).iov_len);
                return Some(receiving::receive(operation, base, len, 0, none, none.cast()));
            }
            kind if kind.is_socket() => {
                let mut message = message_of(iov, count);
                return Some(receiving::receive_message(operation, &raw mut message, 0));
            }
            Kind::Polled => read_polled(&mut operation, iov, count),
            _ => match operation.run_submitting(
                false,
                |fd| Entry::read(fd, iov, count, CURRENT_POSITION, 0),
                |fd| sys::read_nowait(fd, iov, count),
            ) {
                // The plain call fails in the same way, if it is not the flag that is wrong.
                Err(Errno::INVAL) => elsewhere(|| readv_plain(operation.fd(), iov, count)),
                Err(Errno(libc::EOPNOTSUPP)) => {
                    operation.set_kind(Kind::Polled);
                    read_polled(&mut operation, iov, count)
                }
                result => result,
            },
        };
        unpollable_is_plain(&operation, result)
    }
}

/// # Safety
/// As for `readv`.
unsafe fn read_polled(
    operation: &mut Operation,
    iov: *const iovec,
    count: usize,
) -> Result<usize, Errno> {
    let attempt = |fd| match sys::ready_now(fd, libc::POLLIN) {
        0 => Err(Errno::AGAIN),
        // SAFETY: the caller's obligation.
        _ => unsafe { readv_plain(fd, iov, count) },
    };
    // The kernel's own read cannot lose what is there to another reader and block.
    let entry = |fd| Entry::read(fd, iov, count, CURRENT_POSITION, 0).in_background();
    // SAFETY: the caller's obligation.
    unsafe { operation.run_submitting(true, entry, attempt) }
}

/// # Safety
/// As for `readv`.
unsafe fn readv_plain(fd: i32, iov: *const iovec, count: usize) -> Result<usize, Errno> {
    // SAFETY: the caller's obligation.
    unsafe { syscall(libc::SYS_readv, [fd as usize, iov as usize, count, 0, 0, 0]) }
}

/// Files that cannot be waited for are always ready: the plain call is right for them.
fn unpollable_is_plain(
    operation: &Operation,
    result: Result<usize, Errno>,
) -> Option<Result<usize, Errno>> {
    if result == Err(Errno::PERM) {
        operation.set_kind(Kind::Plain);
        return None;
    }
    Some(result)
}

/// None where the plain call is right.
///
/// # Safety
/// As for `writev`, with at least one entry; they have `total` bytes.
unsafe fn write_vectors(
    mut operation: Operation,
    iov: *const iovec,
    count: usize,
    total: usize,
) -> Option<Result<usize, Errno>> {
    if let Err(errno) = operation.begin() {
        return Some(Err(errno));
    }
    // SAFETY: the caller's obligation, in all calls below.
    unsafe {
        let result = match operation.kind() {
            Kind::Plain => return None,
            Kind::File => return files::write(operation.fd(), iov, count),
            kind if kind.is_socket() && count == 1 => {
                let (base, len) = ((*iov).iov_base, (*iov).iov_len);
                return Some(sending::transmit(operation, base, len, 0, std::ptr::null(), 0));
            }
            kind if kind.is_socket() => {
                let message = message_of(iov, count);
                return Some(sending::transmit_message(operation, &raw const message, 0));
            }
            Kind::Polled => write_polled(&mut operation, iov, count, total),
            _ => {
                let mut rest = Vectors::new(iov, count);
                let first = |fd| Entry::write(fd, iov, count, CURRENT_POSITION, 0);
                let result = write_all(&mut operation, total, false, first, |fd, done| {
                    let rest = rest.after(done);
                    sys::write_nowait(fd, rest.as_ptr(), rest.len())
                });
                match result {
                    Err(Errno::INVAL) => elsewhere(|| writev_plain(operation.fd(), iov, count)),
                    // Some files can read without waiting but not write so.
                    Err(Errno(libc::EOPNOTSUPP)) => write_polled(&mut operation, iov, count, total),
                    result => result,
                }
            }
        };
        unpollable_is_plain(&operation, result)
    }
}

/// # Safety
/// As for `writev`.
unsafe fn write_polled(
    operation: &mut Operation,
    iov: *const iovec,
    count: usize,
    total: usize,
) -> Result<usize, Errno> {
    if !matches!(sys::identity(operation.fd()), Ok((libc::S_IFIFO, _))) {
        // A device takes each call for a message.
        let attempt = |fd| match sys::ready_now(fd, libc::POLLOUT) {
            // No room, or nothing to be written to, ever: then this tells the error.
            // SAFETY: the caller's obligation.
            0 => match unsafe { sys::write_nowait(fd, iov, count) } {
                Err(Errno(libc::EOPNOTSUPP)) => Err(Errno::AGAIN),
                result => result,
            },
            // SAFETY: the caller's obligation.
            _ => unsafe { writev_plain(fd, iov, count) },
        };
        let entry = |fd| Entry::write(fd, iov, count, CURRENT_POSITION, 0).in_background();
        // SAFETY: the caller's obligation.
        return unsafe { operation.run_submitting(true, entry, attempt) };
    }
    // SAFETY: the caller's obligation.
    let mut rest = unsafe { Vectors::new(iov, count) };
    let first = |fd| Entry::write(fd, iov, count, CURRENT_POSITION, 0).in_background();
    let part = |fd: i32, done: usize| {
        if sys::ready_now(fd, libc::POLLOUT) == 0 {
            return Err(Errno::AGAIN);
        }
        // A pipe that is ready has room for this much.
        let part = rest.after(done)[0];
        let len = part.iov_len.min(libc::PIPE_BUF);
        // SAFETY: the caller's obligation.
        unsafe { syscall(libc::SYS_write, [fd as usize, part.iov_base as usize, len, 0, 0, 0]) }
    };
    // SAFETY: the caller's obligation.
    unsafe { write_all(operation, total, false, first, part) }
}

/// # Safety
/// As for `writev`.
unsafe fn writev_plain(fd: i32, iov: *const iovec, count: usize) -> Result<usize, Errno> {
    // SAFETY: the caller's obligation.
    unsafe { syscall(libc::SYS_writev, [fd as usize, iov as usize, count, 0, 0, 0]) }
}
