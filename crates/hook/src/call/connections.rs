//! `accept` and `connect`.

use libc::{sockaddr, socklen_t};
use lisle_rt::poller::Direction;
use lisle_sys::{Errno, fd as sys, syscall};

use crate::facts;
use crate::real::{outcome, real};
use crate::transfer::Operation;

/// See accept(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn accept(fd: i32, address: *mut sockaddr, address_len: *mut socklen_t) -> i32 {
    // SAFETY: the caller's obligation.
    match unsafe { accept_waiting(fd, address, address_len, 0) } {
        Some(result) => outcome(result) as i32,
        None => real!(
            accept(fd, address, address_len): fn(i32, *mut sockaddr, *mut socklen_t) -> i32
        ),
    }
}

/// See accept4(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn accept4(
    fd: i32,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
    flags: i32,
) -> i32 {
    // SAFETY: the caller's obligation.
    match unsafe { accept_waiting(fd, address, address_len, flags) } {
        Some(result) => outcome(result) as i32,
        None => real!(
            accept4(fd, address, address_len, flags):
                fn(i32, *mut sockaddr, *mut socklen_t, i32) -> i32
        ),
    }
}

/// None where the plain call is right.
///
/// There is no `accept` that does not block on a blocking socket, so it is called when the socket
/// is ready; two coroutines that both saw the same connection would both call it and one block, so
/// looking and calling is done by one at a time.
///
/// # Safety
/// As for `accept4`.
unsafe fn accept_waiting(
    fd: i32,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
    flags: i32,
) -> Option<Result<usize, Errno>> {
    let mut operation = Operation::new(fd, Direction::Read)?;
    let descriptor = *operation.descriptor();
    if facts::is_nonblocking(fd, &descriptor) {
        return None;
    }
    Some(operation.run(|fd| {
        descriptor.exclusively(|| {
            if sys::ready_now(fd, libc::POLLIN) == 0 {
                return Err(Errno::AGAIN);
            }
            let args = [fd as usize, address as usize, address_len as usize, flags as usize, 0, 0];
            // SAFETY: the caller's obligation.
            unsafe { syscall(libc::SYS_accept4, args) }
        })
    }))
}

/// See connect(2).
///
/// There is no `connect` that does not block on a blocking socket, short of setting `O_NONBLOCK`
/// on it for others to see; so it blocks a spare carrier.
#[unsafe(no_mangle)]
unsafe extern "C" fn connect(fd: i32, address: *const sockaddr, len: socklen_t) -> i32 {
    let plain = || real!(connect(fd, address, len): fn(i32, *const sockaddr, socklen_t) -> i32);
    match Operation::new(fd, Direction::Write) {
        Some(operation) if !facts::is_nonblocking(fd, operation.descriptor()) => {
            lisle_rt::blocking(plain)
        }
        _ => plain(),
    }
}
