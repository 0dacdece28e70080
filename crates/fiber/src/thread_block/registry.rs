//! Ids for one life of a block, and which block has which.
//!
//! A block has an id for ever. Threads of C's want one each, which no other thread had shortly
//! before: programs tell them apart by it, as they can by those of the kernel, which counts up. So
//! such ids are counted up, too, in a range of their own, and begin anew at its end.
//!
//! | entry | meaning | set by |
//! |---|---|---|
//! | 0 | nobody's | who gives it back |
//! | other | the FS base of the block that has it | who takes it, from 0 |
//!
//! Release when an entry is set, Acquire when it is read: who finds a block finds it whole.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use lisle_sys::mmap;

use super::ThreadBlock;
use super::id::{FIRST_OF_LIVES, LAST_ID, offset};

/// Entries of a piece, which is mapped when the first of them is wanted.
const PIECE: usize = 1 << 16;
const PIECES: usize = (LAST_ID - FIRST_OF_LIVES + 1) as usize / PIECE;

static TABLE: [AtomicPtr<AtomicUsize>; PIECES] =
    [const { AtomicPtr::new(ptr::null_mut()) }; PIECES];

/// How many were taken so far.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// The entry of an id, if its piece is mapped.
fn entry(id: u32) -> Option<&'static AtomicUsize> {
    let index = id.checked_sub(FIRST_OF_LIVES)? as usize;
    let piece = TABLE.get(index / PIECE)?.load(Ordering::Acquire);
    // SAFETY: null, or `PIECE` zeroed words that are never unmapped.
    unsafe { (!piece.is_null()).then(|| &*piece.add(index % PIECE)) }
}

/// Maps the piece of an id. False if there is no memory.
#[cold]
fn map(id: u32) -> bool {
    let Ok(memory) = mmap::reserve(PIECE * size_of::<usize>()) else { return false };
    let place = &TABLE[(id - FIRST_OF_LIVES) as usize / PIECE];
    let (null, piece) = (ptr::null_mut(), memory.as_ptr().cast());
    // Where two come at once the second one's stays mapped and unused: address space, no memory.
    let _ = place.compare_exchange(null, piece, Ordering::AcqRel, Ordering::Acquire);
    true
}

/// Gives the block an id for this life. Where none is to be had it keeps its own.
///
/// # Safety
/// Nothing runs on the block.
pub unsafe fn take_id(block: &ThreadBlock) {
    /// There are more ids than threads, so mostly the first is free.
    const TRIES: u32 = 1 << 12;
    for _ in 0..TRIES {
        let count = TAKEN.fetch_add(1, Ordering::Relaxed);
        let id = FIRST_OF_LIVES + count % (LAST_ID - FIRST_OF_LIVES + 1);
        if entry(id).is_none() && !map(id) {
            return;
        }
        let taken = entry(id).is_some_and(|entry| {
            entry.compare_exchange(0, block.fs, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        if taken {
            // SAFETY: a field of the block's, which nobody else writes.
            unsafe { set(block, id) };
            return;
        }
    }
}

/// Gives the block its own id again.
///
/// # Safety
/// Nothing runs on the block.
pub unsafe fn give_back_id(block: &ThreadBlock) {
    if let Some(entry) = entry(super::id_of(block)) {
        // SAFETY: as in `take_id`.
        unsafe { set(block, block.id) };
        entry.store(0, Ordering::Release);
    }
}

/// # Safety
/// Nothing runs on the block.
unsafe fn set(block: &ThreadBlock, id: u32) {
    // SAFETY: blocks are never freed; the caller's obligation.
    unsafe { ptr::write_volatile((block.fs + offset()) as *mut u32, id) };
}

/// The block that has this id for its life.
pub fn block_with_id(id: u32) -> Option<usize> {
    entry(id).map(|entry| entry.load(Ordering::Acquire)).filter(|block| *block != 0)
}
