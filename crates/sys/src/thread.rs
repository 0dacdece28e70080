//! The calling OS thread.

use std::sync::atomic::{Ordering, fence};

use crate::{Errno, syscall};

/// Lets others run on this core.
pub fn yield_now() {
    // SAFETY: no arguments.
    let _ = unsafe { syscall(libc::SYS_sched_yield, [0; 6]) };
}

/// Asks for timers without the default slack of 50 microseconds, which dominates short sleeps.
pub fn precise_timers() {
    let args = [libc::PR_SET_TIMERSLACK as usize, 1, 0, 0, 0, 0];
    // SAFETY: sets a number of the calling thread. Refusal only costs precision.
    let _ = unsafe { syscall(libc::SYS_prctl, args) };
}

/// The kernel's number of the calling OS thread.
pub fn id() -> i32 {
    // SAFETY: no arguments; it has no errors.
    unsafe { syscall(libc::SYS_gettid, [0; 6]) }.map_or(0, |id| id as i32)
}

/// The process's number, which is that of its main thread.
pub fn process() -> i32 {
    // SAFETY: no arguments; it has no errors.
    unsafe { syscall(libc::SYS_getpid, [0; 6]) }.map_or(0, |id| id as i32)
}

/// The kernel's name of the calling OS thread; ends with NUL.
pub fn name() -> [u8; 16] {
    let mut name = [0; 16];
    let args = [libc::PR_GET_NAME as usize, name.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: a live place for that many bytes.
    let _ = unsafe { syscall(libc::SYS_prctl, args) };
    name
}

/// Lets this process use [`barrier`].
///
/// # Errors
/// `ENOSYS` before Linux 4.14.
pub fn allow_barriers() -> Result<(), Errno> {
    // SAFETY: notes the wish of this process.
    unsafe { syscall(libc::SYS_membarrier, [REGISTER_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0]) }.map(drop)
}

/// A full memory barrier on every processor that runs a thread of this process: what those have
/// written before, the caller sees, and what it has written, they see after.
pub fn barrier() {
    fence(Ordering::SeqCst);
    // SAFETY: no memory is named. Where it is refused, so was `allow_barriers`.
    let _ = unsafe { syscall(libc::SYS_membarrier, [PRIVATE_EXPEDITED, 0, 0, 0, 0, 0]) };
}

const PRIVATE_EXPEDITED: usize = 8;
const REGISTER_PRIVATE_EXPEDITED: usize = 16;
