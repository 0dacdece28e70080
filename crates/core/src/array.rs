//! A growable array in memory that its user provides.
//!
//! What a scheduler keeps under a spin lock must not come from the program's allocator: that one
//! may wait for a lock, whose holder may be a coroutine that was taken off its worker in the
//! middle. So [`Timers`](crate::Timers) ask a [`Memory`] for theirs, which a runtime serves from
//! the kernel.
//!
//! ```text
//!   resize(none, 0, 4096)   resize(a, 4096, 8192)   resize(b, 8192, 0)
//!        a                       b, with what was at a     gone
//! ```
//!
//! Rejected: an allocator's interface (size and alignment for each of many blocks; here are two
//! blocks that grow), a fixed reservation (address space is limited where it is accounted for).

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Sizes asked of a [`Memory`] are multiples of this.
const UNIT: usize = 4096;

/// Where a structure's memory comes from.
///
/// # Safety
///
/// What `resize` returns is valid for reads and writes of the new size, aligned to 16 bytes, used
/// by nobody else, and begins with what the old block held, as far as both reach.
pub unsafe trait Memory {
    /// A block of `new` bytes that takes the place of one of `old` bytes; no bytes, no block. Sizes
    /// are multiples of 4096. `None` if there is no memory, and then the old block stays. A block
    /// of no bytes is always to be had: `Some` of a pointer that is not followed.
    ///
    /// # Safety
    ///
    /// `block` was returned by this `Memory` for `old` bytes, and is not used any more if the call
    /// succeeds. With `old` zero it is not looked at.
    unsafe fn resize(&self, block: NonNull<u8>, old: usize, new: usize) -> Option<NonNull<u8>>;
}

/// The program's allocator, for whoever may use it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

// SAFETY: what an allocator promises, at an alignment of 16.
unsafe impl Memory for Global {
    unsafe fn resize(&self, block: NonNull<u8>, old: usize, new: usize) -> Option<NonNull<u8>> {
        use std::alloc::{Layout, alloc, dealloc, realloc};
        let layout = |bytes| Layout::from_size_align(bytes, 16).ok();
        // SAFETY: sizes are not zero where that matters; the caller's obligation for the block.
        unsafe {
            match (old, new) {
                (0, 0) => Some(block),
                (0, _) => NonNull::new(alloc(layout(new)?)),
                (_, 0) => {
                    dealloc(block.as_ptr(), layout(old)?);
                    Some(NonNull::dangling())
                }
                _ => NonNull::new(realloc(block.as_ptr(), layout(old)?, new)),
            }
        }
    }
}

/// See the module.
pub(crate) struct Array<T, M: Memory> {
    memory: M,
    block: NonNull<T>,
    bytes: usize,
    len: usize,
}

// SAFETY: the array owns its items, and the block as a vector does.
unsafe impl<T: Send, M: Memory + Send> Send for Array<T, M> {}

impl<T, M: Memory> Array<T, M> {
    const FITS: () = assert!(align_of::<T>() <= 16 && size_of::<T>() > 0);

    pub(crate) const fn new(memory: M) -> Self {
        let () = Self::FITS;
        Array { memory, block: NonNull::dangling(), bytes: 0, len: 0 }
    }

    /// How many items there is memory for.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes / size_of::<T>()
    }

    /// Makes room for one more item. False if there is no memory.
    #[must_use]
    pub(crate) fn reserve(&mut self) -> bool {
        self.len < self.capacity() || self.resize((self.bytes * 2).max(UNIT))
    }

    /// Adds an item.
    ///
    /// # Panics
    ///
    /// If there is no room.
    pub(crate) fn push(&mut self, item: T) {
        assert!(self.len < self.capacity(), "room was made before");
        // SAFETY: within the block.
        unsafe { self.block.add(self.len).write(item) };
        self.len += 1;
    }

    /// Removes an item; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, at: usize) -> T {
        let last = self.len - 1;
        self.swap(at, last);
        self.len = last;
        // SAFETY: it was an item, and is none any more.
        unsafe { self.block.add(last).read() }
    }

    /// Gives memory back beyond what `items` need, if it can.
    pub(crate) fn shrink_to(&mut self, items: usize) {
        let bytes = (items.max(self.len) * size_of::<T>()).next_multiple_of(UNIT);
        if bytes < self.bytes {
            let _ = self.resize(bytes);
        }
    }

    /// Removes all items and gives all memory back.
    pub(crate) fn clear(&mut self) {
        while self.len > 0 {
            drop(self.swap_remove(self.len - 1));
        }
        let _ = self.resize(0);
    }

    fn resize(&mut self, bytes: usize) -> bool {
        // SAFETY: the block is that of the call before. Items that lie beyond are none any more.
        let block = unsafe { self.memory.resize(self.block.cast(), self.bytes, bytes) };
        let Some(block) = block else { return false };
        self.block = if bytes == 0 { NonNull::dangling() } else { block.cast() };
        self.bytes = bytes;
        true
    }
}

impl<T, M: Memory> Deref for Array<T, M> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many items were written.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.len) }
    }
}

impl<T, M: Memory> DerefMut for Array<T, M> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: so many items were written.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr(), self.len) }
    }
}

impl<T, M: Memory> Drop for Array<T, M> {
    fn drop(&mut self) {
        self.clear();
    }
}
