//! Slots by descriptor number.
//!
//! Two levels, so that memory is taken for the numbers in use: the first is a fixed array of
//! pointers to chunks, which are mapped when first wanted and never freed. All-zero memory is a
//! valid slot, so a chunk needs no initialisation and its untouched pages cost nothing.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use lisle_sys::mmap;

use super::slot::Slot;

const CHUNK: usize = 4096;
/// Room for four million descriptors; more than any kernel's default allows (`fs.nr_open` 2^20).
const CHUNKS: usize = 1024;

/// See the module.
pub(super) struct Table {
    chunks: Box<[AtomicPtr<Slot>]>,
}

impl Table {
    pub(super) fn new() -> Self {
        Table { chunks: (0..CHUNKS).map(|_| AtomicPtr::new(ptr::null_mut())).collect() }
    }

    /// The slot of `fd`, if one was ever made for its neighbourhood.
    #[inline]
    pub(super) fn get(&self, fd: i32) -> Option<&'static Slot> {
        let index = usize::try_from(fd).ok()?;
        let chunk = self.chunks.get(index / CHUNK)?.load(Ordering::Acquire);
        // SAFETY: chunks have that many slots and are never freed.
        (!chunk.is_null()).then(|| unsafe { &*chunk.add(index % CHUNK) })
    }

    /// The slot of `fd`; none if the number is out of range or memory is exhausted.
    #[inline]
    pub(super) fn get_or_make(&self, fd: i32) -> Option<&'static Slot> {
        if let Some(slot) = self.get(fd) {
            return Some(slot);
        }
        let place = self.chunks.get(usize::try_from(fd).ok()? / CHUNK)?;
        let bytes = CHUNK * size_of::<Slot>();
        let memory = mmap::reserve(bytes).ok()?;
        let chunk = memory.as_ptr().cast::<Slot>();
        let set =
            place.compare_exchange(ptr::null_mut(), chunk, Ordering::AcqRel, Ordering::Acquire);
        if set.is_err() {
            // Somebody else was first.
            // SAFETY: nobody has seen this memory.
            unsafe { mmap::release(memory, bytes) };
        }
        self.get(fd)
    }
}
