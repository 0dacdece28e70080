//! Waiting for a word of memory to change.

use std::sync::atomic::AtomicU32;

use crate::{Errno, clock, syscall};

/// Sleeps while `word` is `expected`, until woken or until the deadline in nanoseconds of the
/// monotonic clock. May return early for no reason.
///
/// # Errors
/// `EAGAIN` when the word has another value, `ETIMEDOUT`, `EINTR`.
pub fn wait(word: &AtomicU32, expected: u32, deadline: Option<u64>) -> Result<(), Errno> {
    let timespec = deadline.map(clock::timespec);
    let pointer = timespec.as_ref().map_or(0, |t| t as *const _ as usize);
    let op = (libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG) as usize;
    let all = u32::MAX as usize;
    let args = [word.as_ptr() as usize, op, expected as usize, pointer, 0, all];
    // SAFETY: the word and the timespec live until the return.
    unsafe { syscall(libc::SYS_futex, args) }.map(drop)
}

/// Wakes up to `count` sleepers of `word`; returns how many there were.
pub fn wake(word: &AtomicU32, count: u32) -> usize {
    wake_at(word.as_ptr(), count)
}

/// As [`wake`], for a word that may be gone.
pub fn wake_at(word: *const u32, count: u32) -> usize {
    wake_by(libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, word, count)
}

/// As [`wake`], for those who wait for a word that processes share.
pub fn wake_shared(word: &AtomicU32, count: u32) -> usize {
    wake_by(libc::FUTEX_WAKE, word.as_ptr(), count)
}

fn wake_by(op: i32, word: *const u32, count: u32) -> usize {
    let args = [word as usize, op as usize, count.min(i32::MAX as u32) as usize, 0, 0, 0];
    // SAFETY: the kernel does not read the word, it looks for sleepers by its address.
    unsafe { syscall(libc::SYS_futex, args) }.unwrap_or(0)
}
