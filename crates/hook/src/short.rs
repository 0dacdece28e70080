//! The short way: TCP connections, where coroutines wait for completion.
//!
//! What servers do most is `recv` and `send` on connections of which everything is known: no
//! timeouts, not set not to block, nothing special about the call. For these a look at one word
//! decides, and one request does it all. Whatever is not as expected goes the long way, which
//! begins anew.

use lisle_rt::descriptor::{Descriptor, Direction, Expected};
use lisle_rt::request::{self, Performed};
use lisle_rt::signals;
use lisle_sys::uring::Entry;
use lisle_sys::{Errno, socket};

use crate::facts;

/// The descriptor of such a connection. None where the long way is right.
#[inline]
fn connection(fd: i32, direction: Direction) -> Option<Descriptor> {
    if !lisle_rt::begin_io() || !request::available() || lisle_rt::stopped().is_some() {
        return None;
    }
    let descriptor = Descriptor::new(fd)?;
    facts::is_simple(&descriptor, direction).then_some(descriptor)
}

/// `recv` without flags. None where the long way is right.
///
/// # Safety
/// As for `recv`.
#[inline]
pub(crate) unsafe fn receive(fd: i32, buf: *mut u8, len: usize) -> Option<Result<usize, Errno>> {
    let descriptor = connection(fd, Direction::Read)?;
    let expected = descriptor.expected();
    let mut got = Err(Errno::AGAIN);
    if expected == Expected::Data {
        // SAFETY: the caller's obligation.
        got = unsafe { socket::receive(fd, buf, len, libc::MSG_DONTWAIT) };
    }
    let mut left = Expected::Nothing;
    if got == Err(Errno::AGAIN) {
        let entry = || match expected {
            Expected::DataSoon => Entry::receive(fd, buf, len, 0),
            _ => Entry::receive_later(fd, buf, len, 0),
        };
        let note = |immediate| {
            if immediate {
                left = Expected::DataSoon;
            }
        };
        // SAFETY: the caller's obligation.
        got = answer(unsafe { request::perform_noting(entry, None, note) })?;
    }
    if let Ok(got) = got {
        let left = if got < len { left } else { Expected::Data };
        if left != expected {
            descriptor.expect(left);
        }
    }
    Some(got)
}

/// `send` with `MSG_NOSIGNAL`, of which only a part may be taken. None where the long way is right.
///
/// # Safety
/// As for `send`.
#[inline]
pub(crate) unsafe fn send(fd: i32, buf: *const u8, len: usize) -> Option<Result<usize, Errno>> {
    connection(fd, Direction::Write)?;
    let entry = || Entry::send(fd, buf, len, libc::MSG_NOSIGNAL);
    // SAFETY: the caller's obligation.
    answer(unsafe { request::perform(entry, None) })
}

/// The kernel's answer, if it is one of the blocking call.
#[inline]
fn answer(performed: Option<Performed>) -> Option<Result<usize, Errno>> {
    match performed? {
        Performed::Interrupted => signals::interrupts(false).map(Err),
        Performed::Done(Err(Errno::AGAIN | Errno::INTR)) | Performed::TimedOut => None,
        Performed::Done(result) => Some(result),
    }
}
