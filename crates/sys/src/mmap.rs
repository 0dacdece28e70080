//! Address space: reserving it, guarding it, giving its pages back.

use std::ptr::NonNull;

use crate::{Errno, syscall};

/// The page size, which x86-64 fixes.
pub const PAGE: usize = 4096;

/// `MADV_GUARD_INSTALL`, Linux 6.13.
const GUARD_INSTALL: usize = 102;

/// Reserves `len` bytes of zeroed memory; pages are taken when first touched.
///
/// # Errors
/// `ENOMEM`: no address space, memory limit, or no mapping left.
pub fn reserve(len: usize) -> Result<NonNull<u8>, Errno> {
    let prot = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as usize;
    // SAFETY: a fresh private mapping at an address of the kernel's choice touches nothing.
    let address = unsafe { syscall(libc::SYS_mmap, [0, len, prot, flags, usize::MAX, 0])? };
    NonNull::new(address as *mut u8).ok_or(Errno::NOMEM)
}

/// Frees what [`reserve`] gave.
///
/// # Safety
/// Nothing refers to the memory any more.
pub unsafe fn release(memory: NonNull<u8>, len: usize) {
    // SAFETY: the caller's obligation. The only failures are bad arguments.
    let _ = unsafe { syscall(libc::SYS_munmap, [memory.as_ptr() as usize, len, 0, 0, 0, 0]) };
}

/// Makes what [`reserve`] gave another length, perhaps at another place; what was there moves
/// along, by its page tables. Nothing changes on failure.
///
/// # Errors
/// `ENOMEM`.
///
/// # Safety
/// Nothing refers to the memory any more, if it moves, nor to what is cut off.
pub unsafe fn resize(memory: NonNull<u8>, old: usize, new: usize) -> Result<NonNull<u8>, Errno> {
    let args = [memory.as_ptr() as usize, old, new, libc::MREMAP_MAYMOVE as usize, 0, 0];
    // SAFETY: the caller's obligation.
    let address = unsafe { syscall(libc::SYS_mremap, args)? };
    NonNull::new(address as *mut u8).ok_or(Errno::NOMEM)
}

/// Makes the range read as zeroes in the children of forks, of whatever kind (Linux 4.14).
///
/// # Errors
/// `EINVAL` on older kernels.
///
/// # Safety
/// The range is part of a mapping made by [`reserve`].
pub unsafe fn wipe_on_fork(memory: NonNull<u8>, len: usize) -> Result<(), Errno> {
    // SAFETY: the advice changes nothing here.
    unsafe { advise(memory, len, libc::MADV_WIPEONFORK as usize) }
}

/// Keeps huge pages away from the range: they would make one touched page cost two megabytes.
///
/// # Safety
/// The range is part of a mapping made by [`reserve`].
pub unsafe fn no_huge_pages(memory: NonNull<u8>, len: usize) {
    // SAFETY: the advice changes no contents. A kernel without huge pages refuses, rightly.
    let _ = unsafe { advise(memory, len, libc::MADV_NOHUGEPAGE as usize) };
}

/// Makes each access to the range fault, without a mapping of its own.
///
/// # Errors
/// `EINVAL` where the kernel has no light guards, or memory is locked.
///
/// # Safety
/// The range is part of a mapping made by [`reserve`] and holds nothing; its contents are lost.
pub unsafe fn guard_light(memory: NonNull<u8>, len: usize) -> Result<(), Errno> {
    // SAFETY: the caller's obligation.
    unsafe { advise(memory, len, GUARD_INSTALL) }
}

/// Makes each access to the range fault, by a mapping without rights.
///
/// # Errors
/// `ENOMEM` when the process has as many mappings as `vm.max_map_count` allows.
///
/// # Safety
/// As [`guard_light`].
pub unsafe fn guard_mapping(memory: NonNull<u8>, len: usize) -> Result<(), Errno> {
    let args = [memory.as_ptr() as usize, len, libc::PROT_NONE as usize, 0, 0, 0];
    // SAFETY: the caller's obligation.
    unsafe { syscall(libc::SYS_mprotect, args) }.map(drop)
}

/// Gives the pages of the range back; it reads as zeroes afterwards. Guards stay.
///
/// # Safety
/// The range is part of a mapping made by [`reserve`], and nobody needs its contents.
pub unsafe fn discard(memory: NonNull<u8>, len: usize) {
    // SAFETY: the caller's obligation. Failure leaves the pages where they are, which is allowed.
    let _ = unsafe { advise(memory, len, libc::MADV_DONTNEED as usize) };
}

/// # Safety
/// As the advice demands.
unsafe fn advise(memory: NonNull<u8>, len: usize, advice: usize) -> Result<(), Errno> {
    let args = [memory.as_ptr() as usize, len, advice, 0, 0, 0];
    // SAFETY: the caller's obligation.
    unsafe { syscall(libc::SYS_madvise, args) }.map(drop)
}

/// Copies memory of this process that may be written meanwhile, or not be there: the kernel does
/// it. Returns how many bytes were there.
pub fn peek(address: usize, into: &mut [u8]) -> usize {
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: into.len() };
    // SAFETY: no arguments.
    let process = unsafe { syscall(libc::SYS_getpid, [0; 6]) }.unwrap_or(0);
    let args = [process, (&raw const local) as usize, 1, (&raw const remote) as usize, 1, 0];
    // SAFETY: one live buffer to write to; what is read is the kernel's to check.
    unsafe { syscall(libc::SYS_process_vm_readv, args) }.unwrap_or(0)
}
