//! `recvmmsg` and `sendmmsg`: several messages in one call.
//!
//! What can be had at once is had by one call of the kernel; the coroutine waits in between.

use libc::{c_int, c_uint, mmsghdr, timespec};
use lisle_rt::descriptor::Direction;
use lisle_sys::{Errno, fd as sys, syscall};

use super::receiving::NEVER_WAIT;
use super::sending::{note_sent_descriptors, transmit_message};
use crate::facts::Kind;
use crate::real::{outcome, real};
use crate::transfer::Operation;

/// What the kernel takes in one call; it ignores the rest.
const MOST: usize = 1024;

/// See recvmmsg(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> c_int {
    let plain = || {
        real!(
            recvmmsg(fd, messages, count, flags, timeout):
                fn(c_int, *mut mmsghdr, c_uint, c_int, *mut timespec) -> c_int
        )
    };
    if flags & NEVER_WAIT != 0 || count == 0 || !lisle_rt::can_suspend() {
        return plain();
    }
    // The timeout is looked at between messages only, and written back.
    if !timeout.is_null() || flags & libc::MSG_WAITALL != 0 {
        return lisle_rt::blocking(plain);
    }
    let wanted = (count as usize).min(MOST);
    let mut done = 0;
    while done < wanted {
        let Some(mut operation) = Operation::new(fd, Direction::Read) else {
            return if done == 0 { plain() } else { done as c_int };
        };
        let result = operation.run(|fd| {
            // An error is left for the next call once something was received.
            if done > 0 && sys::ready_now(fd, libc::POLLIN) & libc::POLLERR != 0 {
                return Ok(0);
            }
            let place = messages.wrapping_add(done) as usize;
            let flags = (flags | libc::MSG_DONTWAIT) as usize;
            // SAFETY: the caller's obligation; `done` is less than `count`.
            unsafe {
                let args = [fd as usize, place, wanted - done, flags, 0, 0];
                syscall(libc::SYS_recvmmsg, args)
            }
        });
        match result {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(_) if done > 0 => break,
            error => return outcome(error) as c_int,
        }
        if flags & libc::MSG_WAITFORONE != 0 {
            break;
        }
    }
    done as c_int
}

/// See sendmmsg(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sendmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { send_batch(fd, messages, (count as usize).min(MOST), flags) } {
        Some(result) => outcome(result) as c_int,
        None => real!(
            sendmmsg(fd, messages, count, flags): fn(c_int, *mut mmsghdr, c_uint, c_int) -> c_int
        ),
    }
}

/// None where the plain call is right.
///
/// # Safety
/// As for `sendmmsg`.
unsafe fn send_batch(
    fd: c_int,
    messages: *mut mmsghdr,
    count: usize,
    flags: c_int,
) -> Option<Result<usize, Errno>> {
    for index in 0..count {
        // SAFETY: the caller's obligation.
        unsafe { note_sent_descriptors(&raw const (*messages.add(index)).msg_hdr) };
    }
    if flags & libc::MSG_DONTWAIT != 0 || count == 0 {
        return None;
    }
    let mut done = 0;
    while done < count {
        let Some(mut operation) = Operation::new(fd, Direction::Write) else {
            return (done > 0).then_some(Ok(done));
        };
        let first = messages.wrapping_add(done);
        // SAFETY: the caller's obligation; `done` is less than `count`.
        let result = unsafe {
            if operation.kind() == Kind::Datagram {
                operation.run(|fd| {
                    let flags = (flags | libc::MSG_DONTWAIT) as usize;
                    let args = [fd as usize, first as usize, count - done, flags, 0, 0];
                    syscall(libc::SYS_sendmmsg, args)
                })
            } else {
                // Each as a whole, which for streams may take several calls.
                transmit_message(operation, &raw const (*first).msg_hdr, flags).map(|sent| {
                    (*first).msg_len = sent as c_uint;
                    1
                })
            }
        };
        match result {
            Ok(0) => break,
            Ok(sent) => done += sent,
            Err(_) if done > 0 => break,
            error => return Some(error),
        }
    }
    Some(Ok(done))
}
