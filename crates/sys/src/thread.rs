//! The calling OS thread.

use std::ffi::CStr;
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

/// Names the calling OS thread; other programs show 15 bytes of it.
pub fn set_name(name: &CStr) {
    let args = [libc::PR_SET_NAME as usize, name.as_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel reads a live string.
    let _ = unsafe { syscall(libc::SYS_prctl, args) };
}

/// The kernel's number of the calling OS thread.
pub fn id() -> i32 {
    // SAFETY: no arguments; it has no errors.
    unsafe { syscall(libc::SYS_gettid, [0; 6]) }.map_or(0, |id| id as i32)
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
