//! Which block has which thread id.
//!
//! Ids are given out in order, so the blocks stand in an array, of which pieces are mapped when
//! their first block comes. Entries are never taken away, as blocks are not.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use lisle_sys::mmap;

use super::id::{FIRST_ID, LAST_ID};

/// Entries of a piece.
const PIECE: usize = 1 << 16;
const PIECES: usize = (LAST_ID - FIRST_ID + 1) as usize / PIECE;

/// Release when a piece or an entry is set, Acquire when it is read: who finds it finds it whole.
static TABLE: [AtomicPtr<AtomicUsize>; PIECES] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; PIECES];

/// The entry of an id, if its piece is mapped.
fn entry(id: u32) -> Option<&'static AtomicUsize> {
    let index = id.checked_sub(FIRST_ID)? as usize;
    let piece = TABLE.get(index / PIECE)?.load(Ordering::Acquire);
    // SAFETY: null, or `PIECE` zeroed words that are never unmapped.
    unsafe { (!piece.is_null()).then(|| &*piece.add(index % PIECE)) }
}

/// Notes the block of an id. False if there is no memory.
pub(super) fn note(id: u32, block: usize) -> bool {
    if entry(id).is_none() && !map(id) {
        return false;
    }
    if let Some(entry) = entry(id) {
        entry.store(block, Ordering::Release);
    }
    true
}

/// Maps the piece of an id.
#[cold]
fn map(id: u32) -> bool {
    let Ok(memory) = mmap::reserve(PIECE * size_of::<usize>()) else { return false };
    let place = &TABLE[(id - FIRST_ID) as usize / PIECE];
    let (null, piece) = (std::ptr::null_mut(), memory.as_ptr().cast());
    // Where two come at once the second one's stays mapped and unused: address space, no memory.
    let _ = place.compare_exchange(null, piece, Ordering::AcqRel, Ordering::Acquire);
    true
}

/// The block whose thread has this id.
pub fn block_with_id(id: u32) -> Option<usize> {
    entry(id).map(|entry| entry.load(Ordering::Acquire)).filter(|block| *block != 0)
}
