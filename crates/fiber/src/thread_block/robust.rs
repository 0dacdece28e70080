//! Robust mutexes of a coroutine that ends: what the kernel does for a thread.
//!
//! The C library keeps a list of the robust mutexes that a thread holds, and tells the kernel where
//! it is. When the thread ends, the kernel marks each as left by its owner and wakes one who waits
//! for it. It knows nothing of a coroutine's list, so that is done here, in the same way and order
//! (`exit_robust_list` in its `futex/core.c`; the format is in its `robust-futex-ABI.rst`).

use std::sync::atomic::{AtomicU32, Ordering};

use lisle_sys::futex;

use super::template::Word;

/// Where in control blocks the list's head is: `next`, the distance from an entry to its futex,
/// the entry that is being added or removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct RobustList(usize);

/// Distance from an entry to the futex, on 64-bit machines: the head of the mutex.
const TO_FUTEX: isize = -32;
const WAITERS: u32 = 0x8000_0000;
const OWNER_DIED: u32 = 0x4000_0000;
const OWNER: u32 = 0x3fff_ffff;
/// The kernel's limit of entries: a list that has become a circle ends there.
const LIMIT: usize = 2048;

impl RobustList {
    /// Finds the head behind the thread id, where glibc has had it since 2.4, in the words of a
    /// thread that has no such mutex. None if it looks otherwise; then dead owners go unnoticed.
    pub(super) fn find(words: &[Word], offset_tid: usize) -> Option<Self> {
        let head = (offset_tid + 16).next_multiple_of(8);
        let expected = [Word::Own(head), Word::Value(TO_FUTEX as usize), Word::Value(0)];
        let found = words.get(head / 8..head / 8 + expected.len())?;
        (found == expected).then_some(RobustList(head))
    }

    /// Marks what the coroutine with the id still holds as left by its owner.
    ///
    /// # Safety
    /// The control block at `fs` is the running one; its mutexes are alive, as a thread that ends
    /// has to see to.
    pub(super) unsafe fn leave(self, fs: usize, id: u32) {
        let head = fs + self.0;
        // SAFETY: the head is in the control block; entries are in live mutexes.
        unsafe {
            let pending = *((head + 16) as *const usize);
            let mut entry = *(head as *const usize);
            if entry == head && pending == 0 {
                return;
            }
            for _ in 0..LIMIT {
                if entry & !1 == head {
                    break;
                }
                let next = *((entry & !1) as *const usize);
                if entry != pending {
                    abandon(entry, id);
                }
                entry = next;
            }
            if pending != 0 {
                abandon(pending, id);
            }
            *(head as *mut usize) = head;
            *((head + 16) as *mut usize) = 0;
        }
    }
}

/// Marks one mutex, unless it is another's.
///
/// # Safety
/// The entry is in a live mutex.
unsafe fn abandon(entry: usize, id: u32) {
    // Bit 0 says that the mutex has priority inheritance.
    let futex = (entry & !1).wrapping_add_signed(TO_FUTEX) as *mut u32;
    // SAFETY: the caller's obligation.
    let word = unsafe { AtomicU32::from_ptr(futex) };
    let mark = |value: u32| (value & OWNER == id).then_some(value & WAITERS | OWNER_DIED);
    let marked = word.fetch_update(Ordering::SeqCst, Ordering::Relaxed, mark);
    if marked.is_ok_and(|old| old & WAITERS != 0) {
        // Whether it waits as for a word of this process or of several is the waiter's affair.
        futex::wake(word, 1);
        futex::wake_shared(word, 1);
    }
}
