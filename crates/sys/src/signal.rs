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

/// Memory for an alternate signal stack, which is never freed. The kernel's frame takes up to
/// 12 KiB where a processor has many registers, and handlers interrupt each other.
///
/// # Errors
/// `ENOMEM`.
pub fn make_alternate_stack() -> Result<libc::stack_t, Errno> {
    const SIZE: usize = 128 << 10;
    let memory = mmap::reserve(SIZE)?;
    Ok(libc::stack_t { ss_sp: memory.as_ptr().cast(), ss_flags: 0, ss_size: SIZE })
}

/// Makes it the calling OS thread's alternate signal stack. The kernel refuses if the thread is on
/// the one it has, or the new one is too small; then that stays.
///
/// # Safety
/// The memory is for nothing else, for as long as the thread has it.
pub unsafe fn set_alternate_stack(stack: &libc::stack_t) {
    let args = [std::ptr::from_ref(stack) as usize, 0, 0, 0, 0, 0];
    // SAFETY: the caller's obligation.
    let _ = unsafe { syscall(libc::SYS_sigaltstack, args) };
}

/// The set of one signal.
#[inline]
pub const fn set_of(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// How [`change_mask`] changes the set of blocked signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Change {
    /// Adds.
    Block = libc::SIG_BLOCK,
    /// Takes away.
    Unblock = libc::SIG_UNBLOCK,
    /// Replaces.
    Set = libc::SIG_SETMASK,
}

/// Changes which signals the calling OS thread blocks, and returns which it blocked before. Signals
/// that are unblocked and pending are delivered before this returns.
pub fn change_mask(change: Change, set: u64) -> u64 {
    let mut old = 0_u64;
    let args = [change as usize, (&raw const set) as usize, (&raw mut old) as usize, 8, 0, 0];
    // SAFETY: the kernel reads and writes one word each; there are no errors with live places.
    let _ = unsafe { syscall(libc::SYS_rt_sigprocmask, args) };
    old
}

/// Which signals the calling OS thread blocks.
pub fn mask() -> u64 {
    change_mask(Change::Block, 0)
}

/// Which signals are pending for the calling OS thread and for the process.
pub fn pending() -> u64 {
    let mut set = 0_u64;
    // SAFETY: the kernel writes one word to a live place.
    let _ = unsafe { syscall(libc::SYS_rt_sigpending, [(&raw mut set) as usize, 8, 0, 0, 0, 0]) };
    set
}

/// Sends a signal with this information to a thread of this process.
///
/// # Errors
/// `ESRCH`; `EAGAIN` when too many signals are queued.
///
/// # Safety
/// `info` is that of a signal.
pub unsafe fn queue(thread: i32, signal: i32, info: *const libc::siginfo_t) -> Result<(), Errno> {
    // SAFETY: no arguments.
    let process = unsafe { syscall(libc::SYS_getpid, [0; 6])? };
    let args = [process, thread as usize, signal as usize, info as usize, 0, 0];
    // SAFETY: the caller's obligation.
    unsafe { syscall(libc::SYS_rt_tgsigqueueinfo, args) }.map(drop)
}
