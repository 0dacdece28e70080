//! `recv` and `send` and their forms.

use std::ffi::c_void;

use libc::{msghdr, size_t, sockaddr, socklen_t, ssize_t};
use lisle_rt::descriptor::Direction;
use lisle_sys::{Errno, syscall};

use crate::facts::Kind;
use crate::real::{outcome, real};
use crate::transfer::{Operation, Vectors, write_all};

/// See recv(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn recv(fd: i32, buf: *mut c_void, len: size_t, flags: i32) -> ssize_t {
    // SAFETY: the caller's obligation; no address is wanted.
    match unsafe { receive(fd, buf, len, flags, std::ptr::null_mut(), std::ptr::null_mut()) } {
        Some(result) => outcome(result),
        None => real!(
            recv(fd, buf, len, flags): fn(i32, *mut c_void, size_t, i32) -> ssize_t
        ),
    }
}

/// See recvfrom(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn recvfrom(
    fd: i32,
    buf: *mut c_void,
    len: size_t,
    flags: i32,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> ssize_t {
    // SAFETY: the caller's obligation.
    match unsafe { receive(fd, buf, len, flags, address, address_len) } {
        Some(result) => outcome(result),
        None => real!(
            recvfrom(fd, buf, len, flags, address, address_len):
                fn(i32, *mut c_void, size_t, i32, *mut sockaddr, *mut socklen_t) -> ssize_t
        ),
    }
}

/// None where the plain call is right.
///
/// # Safety
/// As for `recvfrom`.
#[inline]
unsafe fn receive(
    fd: i32,
    buf: *mut c_void,
    len: size_t,
    flags: i32,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> Option<Result<usize, Errno>> {
    if flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE) != 0 {
        return None;
    }
    let mut operation = Operation::new(fd, Direction::Read)?;
    let attempt = |fd: i32, done: usize| {
        let flags = (flags & !libc::MSG_WAITALL | libc::MSG_DONTWAIT) as usize;
        let place = buf.wrapping_byte_add(done) as usize;
        let args = [fd as usize, place, len - done, flags, address as usize, address_len as usize];
        // SAFETY: the caller's obligation; `done` does not exceed `len`.
        unsafe { syscall(libc::SYS_recvfrom, args) }
    };
    let stream = matches!(operation.kind(), Kind::TcpStream | Kind::Stream);
    if flags & libc::MSG_WAITALL != 0 && stream {
        if flags & libc::MSG_PEEK != 0 {
            // Peeking does not advance, so it cannot be put together from parts.
            let args = [
                fd as usize,
                buf as usize,
                len,
                flags as usize,
                address as usize,
                address_len as usize,
            ];
            // SAFETY: the caller's obligation.
            return Some(lisle_rt::blocking(|| unsafe { syscall(libc::SYS_recvfrom, args) }));
        }
        return Some(receive_all(&mut operation, len, attempt));
    }
    if operation.kind() == Kind::TcpStream && flags == 0 && len != 0 {
        return Some(operation.run_draining(len, |fd| attempt(fd, 0)));
    }
    Some(operation.run(|fd| attempt(fd, 0)))
}

/// Receives until the buffer is full, the stream ends, or an error or timeout comes.
fn receive_all(
    operation: &mut Operation,
    len: usize,
    mut attempt: impl FnMut(i32, usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < len {
        match operation.run(|fd| attempt(fd, done)) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}

/// See recvmsg(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn recvmsg(fd: i32, message: *mut msghdr, flags: i32) -> ssize_t {
    if flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE) == 0
        && let Some(mut operation) = Operation::new(fd, Direction::Read)
    {
        if flags & libc::MSG_WAITALL != 0 {
            let args = [fd as usize, message as usize, flags as usize, 0, 0, 0];
            // SAFETY: the caller's obligation.
            return outcome(lisle_rt::blocking(|| unsafe { syscall(libc::SYS_recvmsg, args) }));
        }
        let flags = (flags | libc::MSG_DONTWAIT) as usize;
        return outcome(operation.run(|fd| {
            // SAFETY: the caller's obligation. A failed attempt leaves the header as it was.
            unsafe { syscall(libc::SYS_recvmsg, [fd as usize, message as usize, flags, 0, 0, 0]) }
        }));
    }
    real!(recvmsg(fd, message, flags): fn(i32, *mut msghdr, i32) -> ssize_t)
}

/// See send(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn send(fd: i32, buf: *const c_void, len: size_t, flags: i32) -> ssize_t {
    // SAFETY: the caller's obligation; no address is given.
    match unsafe { transmit(fd, buf, len, flags, std::ptr::null(), 0) } {
        Some(result) => outcome(result),
        None => real!(
            send(fd, buf, len, flags): fn(i32, *const c_void, size_t, i32) -> ssize_t
        ),
    }
}

/// See sendto(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn sendto(
    fd: i32,
    buf: *const c_void,
    len: size_t,
    flags: i32,
    address: *const sockaddr,
    address_len: socklen_t,
) -> ssize_t {
    // SAFETY: the caller's obligation.
    match unsafe { transmit(fd, buf, len, flags, address, address_len) } {
        Some(result) => outcome(result),
        None => real!(
            sendto(fd, buf, len, flags, address, address_len):
                fn(i32, *const c_void, size_t, i32, *const sockaddr, socklen_t) -> ssize_t
        ),
    }
}

/// None where the plain call is right.
///
/// # Safety
/// As for `sendto`.
#[inline]
unsafe fn transmit(
    fd: i32,
    buf: *const c_void,
    len: size_t,
    flags: i32,
    address: *const sockaddr,
    address_len: socklen_t,
) -> Option<Result<usize, Errno>> {
    if flags & libc::MSG_DONTWAIT != 0 {
        return None;
    }
    let mut operation = Operation::new(fd, Direction::Write)?;
    let flags = (flags | libc::MSG_DONTWAIT) as usize;
    let attempt = |fd: i32, done: usize| {
        let place = buf.wrapping_byte_add(done) as usize;
        let args = [fd as usize, place, len - done, flags, address as usize, address_len as usize];
        // SAFETY: the caller's obligation; `done` does not exceed `len`.
        unsafe { syscall(libc::SYS_sendto, args) }
    };
    Some(match operation.kind() {
        Kind::TcpStream | Kind::Stream => write_all(&mut operation, len, attempt),
        _ => operation.run(|fd| attempt(fd, 0)),
    })
}

/// See sendmsg(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn sendmsg(fd: i32, message: *const msghdr, flags: i32) -> ssize_t {
    if flags & libc::MSG_DONTWAIT == 0
        && let Some(operation) = Operation::new(fd, Direction::Write)
    {
        // SAFETY: the caller's obligation.
        return outcome(unsafe {
            transmit_message(operation, message, flags | libc::MSG_DONTWAIT)
        });
    }
    real!(sendmsg(fd, message, flags): fn(i32, *const msghdr, i32) -> ssize_t)
}

/// # Safety
/// As for `sendmsg`.
unsafe fn transmit_message(
    mut operation: Operation,
    message: *const msghdr,
    flags: i32,
) -> Result<usize, Errno> {
    let send = |fd: i32, message: *const msghdr| {
        let args = [fd as usize, message as usize, flags as usize, 0, 0, 0];
        // SAFETY: the caller's obligation.
        unsafe { syscall(libc::SYS_sendmsg, args) }
    };
    let stream = matches!(operation.kind(), Kind::TcpStream | Kind::Stream);
    // SAFETY: the caller's obligation.
    let (iov, count) = unsafe { ((*message).msg_iov, (*message).msg_iovlen) };
    if !stream || iov.is_null() || !(1..=1024).contains(&count) {
        return operation.run(|fd| send(fd, message));
    }
    // SAFETY: the caller's obligation.
    let mut vectors = unsafe { Vectors::new(iov, count) };
    let total = vectors.rest().iter().fold(0_usize, |sum, v| sum.saturating_add(v.iov_len));
    let mut written = 0;
    write_all(&mut operation, total, |fd, done| {
        if done == 0 {
            return send(fd, message);
        }
        vectors.advance(done - written);
        written = done;
        let rest = vectors.rest();
        // SAFETY: a copy of the caller's header. Control data went with the first part.
        let mut part = unsafe { message.read() };
        part.msg_iov = rest.as_mut_ptr();
        part.msg_iovlen = rest.len();
        part.msg_control = std::ptr::null_mut();
        part.msg_controllen = 0;
        send(fd, &raw const part)
    })
}
