//! Memory of the runtime's own, straight from the kernel.
//!
//! The program's allocator may wait for locks. A coroutine may be taken off its worker while it
//! holds one, and could not go on as long as that worker waits for it. So nothing that workers do
//! for themselves, under a spin lock or between two coroutines, asks that allocator.

use std::ptr::NonNull;

use lisle_core::Memory;
use lisle_sys::mmap;

/// Whole pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages;

// SAFETY: mappings are aligned to pages, zeroed when new, and keep their contents when they move.
unsafe impl Memory for Pages {
    unsafe fn resize(&self, block: NonNull<u8>, old: usize, new: usize) -> Option<NonNull<u8>> {
        // SAFETY: the caller's obligation.
        unsafe {
            match (old, new) {
                (0, 0) => Some(block),
                (0, _) => mmap::reserve(new).ok(),
                (_, 0) => {
                    mmap::release(block, old);
                    Some(NonNull::dangling())
                }
                _ => mmap::resize(block, old, new).ok(),
            }
        }
    }
}

/// A wait without its end cannot be begun, and its caller cannot be told.
#[cold]
pub(crate) fn out_of_memory() -> ! {
    eprintln!("lisle: no memory for the deadline of a wait: raise the memory limit");
    std::process::abort();
}
