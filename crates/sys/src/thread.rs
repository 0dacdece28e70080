//! The calling OS thread.

use crate::syscall;

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
