//! `send` and its forms.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use libc::{msghdr, size_t, sockaddr, socklen_t, ssize_t};
use lisle_rt::descriptor::Direction;
use lisle_sys::uring::Entry;
use lisle_sys::{Errno, socket, syscall};

use crate::define::on_coroutines;
use crate::facts::{self, Kind};
use crate::real::{outcome, real};
use crate::short;
use crate::stop::elsewhere;
use crate::transfer::{Operation, PART, Vectors, write_all, write_all_by_parts, write_rest};

/// Whether what is sent on streams is submitted at once rather than tried.
const SUBMIT: bool = true;

/// Whether the kernel may send it for us: it does so without `SIGPIPE`, whatever the flags.
fn may_submit(flags: i32) -> bool {
    flags & libc::MSG_NOSIGNAL != 0
}

on_coroutines! {
    send(fd: i32, buf: *const c_void, len: size_t, flags: i32) -> ssize_t = send_here;
    sendto(
        fd: i32, buf: *const c_void, len: size_t, flags: i32, address: *const sockaddr,
        address_len: socklen_t,
    ) -> ssize_t = sendto_here;
    sendmsg(fd: i32, message: *const msghdr, flags: i32) -> ssize_t = sendmsg_here;
}

/// # Safety
/// As for `send`.
#[inline(never)]
unsafe extern "C-unwind" fn send_here(
    fd: i32,
    buf: *const c_void,
    len: size_t,
    flags: i32,
) -> ssize_t {
    if flags == libc::MSG_NOSIGNAL && (1..=PART).contains(&len) {
        // SAFETY: the caller's obligation.
        match unsafe { short::send(fd, buf.cast(), len) } {
            Some(Ok(done)) if done < len => {
                // SAFETY: as above.
                return unsafe { transmit_rest(fd, buf, len, flags, done) } as ssize_t;
            }
            Some(result) => return outcome(result),
            None => {}
        }
    }
    match sending(fd, flags) {
        Some(operation) => {
            // SAFETY: the caller's obligation; no address is given.
            outcome(unsafe { transmit(operation, buf, len, flags, null(), 0) })
        }
        None => real!(
            send(fd, buf, len, flags): fn(i32, *const c_void, size_t, i32) -> ssize_t
        ),
    }
}

/// Sends what is left after `done` bytes; returns all that was sent.
///
/// # Safety
/// As for `send`.
#[cold]
unsafe fn transmit_rest(fd: i32, buf: *const c_void, len: usize, flags: i32, done: usize) -> usize {
    let Some(mut operation) = Operation::new(fd, Direction::Write) else { return done };
    write_rest(&mut operation, len, done, |fd, done| {
        let part = buf.wrapping_byte_add(done).cast();
        // SAFETY: the caller's obligation; `done` does not exceed `len`.
        unsafe { socket::send(fd, part, len - done, flags | libc::MSG_DONTWAIT) }
    })
}

/// # Safety
/// As for `sendto`.
#[inline(never)]
unsafe extern "C-unwind" fn sendto_here(
    fd: i32,
    buf: *const c_void,
    len: size_t,
    flags: i32,
    address: *const sockaddr,
    address_len: socklen_t,
) -> ssize_t {
    match sending(fd, flags) {
        Some(operation) => {
            // SAFETY: the caller's obligation.
            outcome(unsafe { transmit(operation, buf, len, flags, address, address_len) })
        }
        None => real!(
            sendto(fd, buf, len, flags, address, address_len):
                fn(i32, *const c_void, size_t, i32, *const sockaddr, socklen_t) -> ssize_t
        ),
    }
}

/// None where the plain call is right.
#[inline]
fn sending(fd: i32, flags: i32) -> Option<Operation> {
    if flags & libc::MSG_DONTWAIT != 0 { None } else { Operation::new(fd, Direction::Write) }
}

/// # Safety
/// As for `sendto`.
pub(super) unsafe fn transmit(
    mut operation: Operation,
    buf: *const c_void,
    len: size_t,
    flags: i32,
    address: *const sockaddr,
    address_len: socklen_t,
) -> Result<usize, Errno> {
    operation.begin()?;
    let call = |fd: i32, done: usize, flags: i32| {
        let place = buf.wrapping_byte_add(done) as usize;
        let rest = len - done;
        let args =
            [fd as usize, place, rest, flags as usize, address as usize, address_len as usize];
        // SAFETY: the caller's obligation; `done` does not exceed `len`.
        unsafe { syscall(libc::SYS_sendto, args) }
    };
    let kind = operation.kind();
    if flags & libc::MSG_FASTOPEN != 0 {
        // It connects, which cannot be tried without blocking.
        return elsewhere(|| call(operation.fd(), 0, flags));
    }
    let attempt = |fd: i32, done: usize| call(fd, done, flags_of_part(flags, done));
    match kind {
        Kind::TcpStream | Kind::Stream if may_submit(flags) => {
            let first = |fd| Entry::send(fd, buf.cast(), len, flags);
            // SAFETY: the caller's obligation. Of a stream the address is ignored, or an error
            // that the attempt finds.
            unsafe { write_all(&mut operation, len, SUBMIT && address.is_null(), first, attempt) }
        }
        Kind::TcpStream | Kind::Stream => write_all_by_parts(&mut operation, len, attempt),
        Kind::UnixDatagram => {
            or_blocking(&mut operation, |fd| call(fd, 0, flags), |fd| attempt(fd, 0))
        }
        _ => operation.run(|fd| attempt(fd, 0)),
    }
}

/// Parts after the first raise no signal: the call has succeeded by then.
fn flags_of_part(flags: i32, done: usize) -> i32 {
    let quiet = if done > 0 { libc::MSG_NOSIGNAL } else { 0 };
    flags | quiet | libc::MSG_DONTWAIT
}

/// Sends on a Unix socket of messages. There is no event for "the receiver has room" (a failed
/// attempt itself makes one), so where the first attempt would block, a spare carrier does.
fn or_blocking(
    operation: &mut Operation,
    blocking: impl FnOnce(i32) -> Result<usize, Errno>,
    attempt: impl FnOnce(i32) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    match attempt(operation.fd()) {
        Err(Errno::AGAIN) if !operation.is_nonblocking() => elsewhere(|| blocking(operation.fd())),
        result => result,
    }
}

/// # Safety
/// As for `sendmsg`.
#[inline(never)]
unsafe extern "C-unwind" fn sendmsg_here(fd: i32, message: *const msghdr, flags: i32) -> ssize_t {
    // SAFETY: the caller's obligation.
    unsafe { note_sent_descriptors(message) };
    match sending(fd, flags) {
        Some(operation) => {
            // SAFETY: the caller's obligation.
            outcome(unsafe { transmit_message(operation, message, flags) })
        }
        None => real!(sendmsg(fd, message, flags): fn(i32, *const msghdr, i32) -> ssize_t),
    }
}

/// Notes which descriptors go with a message, to be somebody's duplicates.
///
/// # Safety
/// As for `sendmsg`.
pub(super) unsafe fn note_sent_descriptors(message: *const msghdr) {
    // SAFETY: the caller's obligation; the macros of cmsg(3) walk its control data.
    unsafe {
        if message.is_null() || (*message).msg_control.is_null() {
            return;
        }
        let mut control = libc::CMSG_FIRSTHDR(message);
        while let Some(header) = control.as_ref() {
            if (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let bytes = header.cmsg_len.saturating_sub(libc::CMSG_LEN(0) as usize);
                let first = libc::CMSG_DATA(control).cast::<i32>();
                for index in 0..bytes / size_of::<i32>() {
                    facts::shared(first.add(index).read_unaligned());
                }
            }
            control = libc::CMSG_NXTHDR(message, control);
        }
    }
}

/// # Safety
/// As for `sendmsg`.
pub(super) unsafe fn transmit_message(
    mut operation: Operation,
    message: *const msghdr,
    flags: i32,
) -> Result<usize, Errno> {
    operation.begin()?;
    let call = |fd: i32, message: *const msghdr, flags: i32| {
        let args = [fd as usize, message as usize, flags as usize, 0, 0, 0];
        // SAFETY: the caller's obligation.
        unsafe { syscall(libc::SYS_sendmsg, args) }
    };
    if flags & libc::MSG_FASTOPEN != 0 {
        return elsewhere(|| call(operation.fd(), message, flags));
    }
    let whole = |fd: i32| call(fd, message, flags | libc::MSG_DONTWAIT);
    match operation.kind() {
        Kind::TcpStream | Kind::Stream => {}
        Kind::UnixDatagram => {
            return or_blocking(&mut operation, |fd| call(fd, message, flags), whole);
        }
        _ => return operation.run(whole),
    }
    // SAFETY: the caller's obligation.
    let (iov, count) = unsafe { ((*message).msg_iov, (*message).msg_iovlen) };
    if iov.is_null() || !(1..=1024).contains(&count) {
        return operation.run(whole);
    }
    // SAFETY: the caller's obligation.
    let mut rest = unsafe { Vectors::new(iov, count) };
    let total = rest.after(0).iter().fold(0_usize, |sum, v| sum.saturating_add(v.iov_len));
    let first = |fd| Entry::send_message(fd, message, flags);
    let rest = |fd: i32, done: usize| {
        if done == 0 {
            return whole(fd);
        }
        let rest = rest.after(done);
        // SAFETY: a copy of the caller's header. Control data went with the first part.
        let mut part = unsafe { message.read() };
        part.msg_iov = rest.as_mut_ptr();
        part.msg_iovlen = rest.len();
        part.msg_control = null_mut();
        part.msg_controllen = 0;
        call(fd, &raw const part, flags_of_part(flags, done))
    };
    if !may_submit(flags) {
        return write_all_by_parts(&mut operation, total, rest);
    }
    // SAFETY: the caller's obligation.
    unsafe { write_all(&mut operation, total, SUBMIT, first, rest) }
}
