//! Values of pthread keys: their destructors at the end of a coroutine.
//!
//! The library's own function for this is not exported, so its rules are followed here: up to
//! four rounds over all keys, each value cleared before its destructor runs, values of deleted
//! keys dropped. A key's slot has a sequence number that changes when the key is deleted.

use std::ffi::c_void;

/// Entries per block of the two-level table, and blocks.
const PER_BLOCK: usize = 32;
const BLOCKS: usize = 32;
/// The first block of values lies in the control block, right before the table.
pub(super) const FIRST_BLOCK_SIZE: usize = PER_BLOCK * size_of::<Value>();
/// The table: a pointer to each block.
pub(super) const TABLE_SIZE: usize = BLOCKS * size_of::<usize>();
/// `PTHREAD_DESTRUCTOR_ITERATIONS`.
const ROUNDS: usize = 4;

/// An entry of `__pthread_keys`.
#[repr(C)]
struct Key {
    sequence: usize,
    destructor: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// An entry of a thread's table.
#[repr(C)]
struct Value {
    sequence: usize,
    data: *mut c_void,
}

/// Runs the destructors of all key values of the thread whose table is at `table`, and clears it.
///
/// # Safety
/// `keys` is the library's array of keys and `table` the two-level table of the running thread.
pub(super) unsafe fn run_destructors(keys: usize, table: usize) {
    for _ in 0..ROUNDS {
        // SAFETY: the caller's obligation.
        if !unsafe { one_round(keys, table) } {
            return;
        }
    }
    // What destructors still set after that many rounds is dropped.
    for block_index in 0..BLOCKS {
        // SAFETY: the table has that many block pointers, and blocks that many entries.
        unsafe {
            let block = *(table as *const *mut Value).add(block_index);
            if !block.is_null() {
                (0..PER_BLOCK).for_each(|index| (*block.add(index)).data = std::ptr::null_mut());
            }
        }
    }
}

/// Returns whether any value was found.
///
/// # Safety
/// As [`run_destructors`].
unsafe fn one_round(keys: usize, table: usize) -> bool {
    let mut found = false;
    for block_index in 0..BLOCKS {
        // SAFETY: the table has that many block pointers.
        let block = unsafe { *(table as *const *mut Value).add(block_index) };
        if block.is_null() {
            continue;
        }
        for index in 0..PER_BLOCK {
            // SAFETY: blocks have that many entries. No reference is kept across the destructor,
            // which may set values itself.
            let value = unsafe { &mut *block.add(index) };
            if value.data.is_null() {
                continue;
            }
            found = true;
            let data = std::mem::replace(&mut value.data, std::ptr::null_mut());
            let sequence = value.sequence;
            // SAFETY: the array has an entry for each place of the table.
            let key = unsafe { &*(keys as *const Key).add(block_index * PER_BLOCK + index) };
            if let (true, Some(destructor)) = (key.sequence == sequence, key.destructor) {
                // SAFETY: the key lives and the value was set for it, which is when the library
                // calls the destructor too.
                unsafe { destructor(data) };
            }
        }
    }
    found
}
