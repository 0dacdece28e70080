//! Signal handlers that bypass the C library, and alternate stacks.

use crate::{Errno, mmap, syscall};

/// The kernel's own form of a signal action on x86-64.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KernelAction {
    /// The handler's address.
    pub handler: usize,
    /// `SA_*`.
    pub flags: u64,
    /// The code that returns from the handler.
    pub restorer: usize,
    /// Signals blocked while the handler runs.
    pub mask: u64,
}

/// Reads the action of a signal, also of the two that the C library keeps for itself.
///
/// # Errors
/// `EINVAL` for a number that is no signal.
pub fn action(signal: i32) -> Result<KernelAction, Errno> {
    let mut action = KernelAction { handler: 0, flags: 0, restorer: 0, mask: 0 };
    let args = [signal as usize, 0, (&raw mut action) as usize, 8, 0, 0];
    // SAFETY: the kernel writes one structure to the live place.
    unsafe { syscall(libc::SYS_rt_sigaction, args)? };
    Ok(action)
}

/// Sets the action of a signal, also of the two that the C library keeps for itself.
///
/// # Errors
/// `EINVAL` for a number that is no signal.
///
/// # Safety
/// The handler must be fit to run at any point of any thread, and return through the restorer.
pub unsafe fn set_action(signal: i32, action: &KernelAction) -> Result<(), Errno> {
    let args = [signal as usize, action as *const _ as usize, 0, 8, 0, 0];
    // SAFETY: the kernel reads one structure; the handler is the caller's obligation.
    unsafe { syscall(libc::SYS_rt_sigaction, args) }.map(drop)
}

/// Gives the calling OS thread an alternate signal stack unless it has one. The stack is never
/// freed: the threads that call this live as long as the process does, or nearly.
///
/// # Errors
/// `ENOMEM`.
pub fn ensure_alternate_stack() -> Result<(), Errno> {
    const SIZE: usize = 64 << 10;
    let mut old = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: only reads the thread's setting into a live place.
    unsafe { syscall(libc::SYS_sigaltstack, [0, (&raw mut old) as usize, 0, 0, 0, 0])? };
    if old.ss_flags & libc::SS_DISABLE == 0 {
        return Ok(());
    }
    let memory = mmap::reserve(SIZE)?;
    let new = libc::stack_t { ss_sp: memory.as_ptr().cast(), ss_flags: 0, ss_size: SIZE };
    // SAFETY: the memory is fresh and stays for ever.
    unsafe { syscall(libc::SYS_sigaltstack, [(&raw const new) as usize, 0, 0, 0, 0, 0]) }.map(drop)
}
