//! `recv` and its forms.

use std::ffi::c_void;
use std::ptr::null_mut;

use libc::{msghdr, size_t, sockaddr, socklen_t, ssize_t};
use lisle_rt::descriptor::Direction;
use lisle_sys::uring::Entry;
use lisle_sys::{Errno, fd as sys, syscall};

use crate::define::on_coroutines;
use crate::facts::Kind;
use crate::real::{outcome, real};
use crate::short;
use crate::stop::elsewhere;
use crate::transfer::Operation;

/// With these a call does not wait for what the descriptor becomes ready for.
pub(super) const NEVER_WAIT: i32 = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB;

on_coroutines! {
    recv(fd: i32, buf: *mut c_void, len: size_t, flags: i32) -> ssize_t = recv_here;
    recvfrom(
        fd: i32, buf: *mut c_void, len: size_t, flags: i32, address: *mut sockaddr,
        address_len: *mut socklen_t,
    ) -> ssize_t = recvfrom_here;
    recvmsg(fd: i32, message: *mut msghdr, flags: i32) -> ssize_t = recvmsg_here;
}

/// # Safety
/// As for `recv`.
#[inline(never)]
unsafe extern "C-unwind" fn recv_here(
    fd: i32,
    buf: *mut c_void,
    len: size_t,
    flags: i32,
) -> ssize_t {
    if flags == 0 && len != 0 {
        // SAFETY: the caller's obligation.
        if let Some(result) = unsafe { short::receive(fd, buf.cast(), len) } {
            return outcome(result);
        }
    }
    match receiving(fd, flags) {
        Some(operation) => {
            // SAFETY: the caller's obligation; no address is wanted.
            outcome(unsafe { receive(operation, buf, len, flags, null_mut(), null_mut()) })
        }
        None => real!(
            recv(fd, buf, len, flags): fn(i32, *mut c_void, size_t, i32) -> ssize_t
        ),
    }
}

/// # Safety
/// As for `recvfrom`.
#[inline(never)]
unsafe extern "C-unwind" fn recvfrom_here(
    fd: i32,
    buf: *mut c_void,
    len: size_t,
    flags: i32,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> ssize_t {
    match receiving(fd, flags) {
        Some(operation) => {
            // SAFETY: the caller's obligation.
            outcome(unsafe { receive(operation, buf, len, flags, address, address_len) })
        }
        None => real!(
            recvfrom(fd, buf, len, flags, address, address_len):
                fn(i32, *mut c_void, size_t, i32, *mut sockaddr, *mut socklen_t) -> ssize_t
        ),
    }
}

/// None where the plain call is right.
#[inline]
fn receiving(fd: i32, flags: i32) -> Option<Operation> {
    if flags & NEVER_WAIT != 0 { None } else { Operation::new(fd, Direction::Read) }
}

/// # Safety
/// As for `recvfrom`.
pub(super) unsafe fn receive(
    mut operation: Operation,
    buf: *mut c_void,
    len: size_t,
    flags: i32,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> Result<usize, Errno> {
    operation.begin()?;
    let attempt = |fd: i32, done: usize| {
        let flags = (flags & !libc::MSG_WAITALL | libc::MSG_DONTWAIT) as usize;
        let place = buf.wrapping_byte_add(done) as usize;
        // The address comes with the first part; its length then is the true one, not the room.
        let (address, address_len) =
            if done == 0 { (address as usize, address_len as usize) } else { (0, 0) };
        let args = [fd as usize, place, len - done, flags, address, address_len];
        // SAFETY: the caller's obligation; `done` does not exceed `len`.
        unsafe { syscall(libc::SYS_recvfrom, args) }
    };
    let kind = operation.kind();
    let stream = matches!(kind, Kind::TcpStream | Kind::Stream);
    if flags & libc::MSG_WAITALL != 0 && stream {
        if flags & libc::MSG_PEEK != 0 {
            // Peeking does not advance, so it cannot be put together from parts.
            let place = (buf as usize, len, address as usize, address_len as usize);
            let fd = operation.fd() as usize;
            let args = [fd, place.0, place.1, flags as usize, place.2, place.3];
            // SAFETY: the caller's obligation.
            return elsewhere(|| unsafe { syscall(libc::SYS_recvfrom, args) });
        }
        let entry = |fd| Entry::receive(fd, buf.cast(), len, flags & !libc::MSG_WAITALL);
        let first = |fd| attempt(fd, 0);
        let first = if address.is_null() {
            // SAFETY: the caller's obligation.
            unsafe { operation.run_submitting(false, entry, first)? }
        } else {
            operation.run(first)?
        };
        return Ok(receive_rest(&mut operation, len, first, attempt));
    }
    if kind == Kind::TcpStream && flags == 0 && len != 0 && address.is_null() {
        let entry = |fd| Entry::receive_later(fd, buf.cast(), len, flags);
        // SAFETY: the caller's obligation. Of a stream there is no address.
        return unsafe { operation.run_draining(len, entry, |fd| attempt(fd, 0)) };
    }
    if !address.is_null() && !address_len.is_null() {
        let mut part = libc::iovec { iov_base: buf, iov_len: len };
        // SAFETY: all-zero is a header without anything; the caller vouches for the length.
        let (mut message, room): (msghdr, _) = unsafe { (std::mem::zeroed(), *address_len) };
        (message.msg_name, message.msg_namelen) = (address.cast(), room);
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        let flags = flags & !libc::MSG_WAITALL;
        // SAFETY: the caller's obligation; the header is live.
        let result = unsafe { receive_message(operation, &raw mut message, flags) };
        if result.is_ok() {
            // SAFETY: the caller's obligation.
            unsafe { *address_len = message.msg_namelen };
        }
        return result;
    }
    if !address.is_null() {
        return operation.run(|fd| attempt(fd, 0));
    }
    // What is no stream's is one message, with that flag or without.
    let flags = flags & !libc::MSG_WAITALL;
    let entry = |fd| Entry::receive(fd, buf.cast(), len, flags);
    // SAFETY: the caller's obligation.
    unsafe { operation.run_submitting(false, entry, |fd| attempt(fd, 0)) }
}

/// Receives until the buffer is full, the stream ends, or an error or timeout comes; returns all
/// that was received.
fn receive_rest(
    operation: &mut Operation,
    len: usize,
    mut done: usize,
    mut attempt: impl FnMut(i32, usize) -> Result<usize, Errno>,
) -> usize {
    if done == 0 {
        return 0;
    }
    while done < len {
        let result = operation.run(|fd| {
            // A connection's error is left for the next call once something was received.
            if sys::ready_now(fd, libc::POLLIN) & libc::POLLERR != 0 {
                return Ok(0);
            }
            attempt(fd, done)
        });
        match result {
            Ok(count) if count > 0 => done += count,
            _ => break,
        }
    }
    done
}

/// # Safety
/// As for `recvmsg`.
#[inline(never)]
unsafe extern "C-unwind" fn recvmsg_here(fd: i32, message: *mut msghdr, flags: i32) -> ssize_t {
    match receiving(fd, flags) {
        Some(operation) => {
            // SAFETY: the caller's obligation.
            outcome(unsafe { receive_message(operation, message, flags) })
        }
        None => real!(recvmsg(fd, message, flags): fn(i32, *mut msghdr, i32) -> ssize_t),
    }
}

/// # Safety
/// As for `recvmsg`.
pub(super) unsafe fn receive_message(
    mut operation: Operation,
    message: *mut msghdr,
    flags: i32,
) -> Result<usize, Errno> {
    operation.begin()?;
    let call = |fd: i32, flags: i32| {
        // SAFETY: the caller's obligation. A failed attempt leaves the header as it was.
        unsafe {
            let args = [fd as usize, message as usize, flags as usize, 0, 0, 0];
            syscall(libc::SYS_recvmsg, args)
        }
    };
    if flags & libc::MSG_WAITALL != 0 {
        return elsewhere(|| call(operation.fd(), flags));
    }
    let entry = |fd| Entry::receive_message(fd, message, flags);
    // SAFETY: the caller's obligation.
    unsafe { operation.run_submitting(false, entry, |fd| call(fd, flags | libc::MSG_DONTWAIT)) }
}
