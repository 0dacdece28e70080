//! The run queue of one worker: bounded, first in first out, and open to thieves.
//!
//! The shape is that of Go's per-P run queue (`runqput`, `runqget`, `runqgrab`): two counters that
//! only grow, modulo 2^32, and slots indexed by them modulo the capacity.
//!
//! ```text
//!            head (CAS by owner and thieves)      tail (stored by the owner alone)
//!             |                                    |
//!             v                                    v
//!   . . . . . A   B   C   D   E   F   G   H   I    .   .   .   .
//!             '------ a thief takes --'
//!              A is returned, B..E go to the thief's own ring, one CAS moves head behind E
//! ```
//!
//! # The race every thief is in
//!
//! A thief reads slots first and claims them by its CAS on `head` afterwards. Between the two the
//! owner may have popped those items and pushed new ones into the same slots. Then `head` has
//! moved, the CAS fails, and what was read is thrown away without having been looked at. A read is
//! valid exactly if the CAS that follows it succeeds. (A thief that sleeps for exactly 2^32 pops
//! would be fooled. Go lives with the same bet.)
//!
//! # Rejected
//!
//! 1. The Chase-Lev deque: the owner takes from the newest end, which starves old coroutines, and
//!    its growth needs deferred freeing.
//! 2. A lock per ring: the owner pushes and pops once per switch and would pay for it each time.
//! 3. Claiming before reading (a second counter, as in tokio): a thief that is taken off its
//!    processor between the two blocks all others.

use std::array;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::pad::Padded;
use crate::primitive::{AtomicPtr, AtomicU32, RING_CAPACITY, spin_loop};

/// How many items a [`Ring`] holds.
pub const CAPACITY: usize = RING_CAPACITY as usize;

// Slots are indexed by counters that wrap at 2^32, so the capacity has to divide that.
const _: () = assert!(RING_CAPACITY.is_power_of_two());

/// A bounded queue with one owner, who pushes and pops, and any number of thieves.
///
/// The ring stores pointers and never looks behind them; dropping it forgets them. "Owner" is a
/// role, not a thread: it may be handed on, by something that synchronises (a lock, a run queue).
///
/// # Memory order
///
/// - `tail` is stored Release and loaded Acquire by thieves: who sees the counter sees the slots
///   below it, and what the pusher wrote to the items. The owner loads its own `tail` Relaxed.
/// - `head` is moved by a Release CAS and loaded Acquire by the owner's `push`: the slot reads of a
///   successful consumer come before the owner's reuse of those slots. All moves of `head` are
///   read-modify-writes, so one Acquire load synchronises with all consumers before it.
/// - Thieves load `head` Acquire and then `tail`: whoever moved `head` to `h` had seen a tail of at
///   least `h`, so the thief does too, and `tail - head` is never negative. It can be too large, if
///   `head` is old; that is caught by a comparison and would be caught by the CAS.
/// - Slots are Relaxed; the counters order them. They are atomic because a thief may read a slot
///   while the owner overwrites it, and then throw the value away.
/// - A CAS and not an addition: a thief that finds `head` moved must not take anything.
pub struct Ring<T> {
    /// Index of the oldest item. Moved forward by CAS, by whoever takes items.
    ///
    /// | state               | meaning                          |
    /// |---------------------|----------------------------------|
    /// | head = tail         | empty                            |
    /// | head + n = tail     | n items, 0 < n < capacity        |
    /// | head + 256 = tail   | full; `push` refuses             |
    head: Padded<AtomicU32>,
    /// Index behind the newest item. Stored by the owner alone, never less than `head`.
    tail: Padded<AtomicU32>,
    /// The item with index `i` is in slot `i % CAPACITY`; outside head..tail a slot holds old
    /// values.
    slots: [AtomicPtr<T>; CAPACITY],
}

impl<T> Ring<T> {
    /// An empty ring.
    pub fn new() -> Self {
        Self {
            head: Padded(AtomicU32::new(0)),
            tail: Padded(AtomicU32::new(0)),
            slots: array::from_fn(|_| AtomicPtr::new(null_mut())),
        }
    }

    /// Adds an item as the newest; gives it back if the ring is full.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and the item may be taken by any thread that steals from this ring.
    #[inline]
    pub unsafe fn push(&self, item: NonNull<T>) -> Result<(), NonNull<T>> {
        let tail = self.tail.0.load(Relaxed);
        if self.room() == 0 {
            return Err(item);
        }
        self.slot(tail).store(item.as_ptr(), Relaxed);
        self.tail.0.store(tail.wrapping_add(1), Release);
        Ok(())
    }

    /// Removes the oldest item.
    ///
    /// # Safety
    ///
    /// The caller is the owner.
    #[inline]
    pub unsafe fn pop(&self) -> Option<NonNull<T>> {
        let tail = self.tail.0.load(Relaxed);
        let mut head = self.head.0.load(Relaxed);
        while head != tail {
            let item = self.slot(head).load(Relaxed);
            match self.claim(head, 1) {
                Ok(()) => return NonNull::new(item),
                Err(moved) => head = moved,
            }
        }
        None
    }

    /// [`pop`](Self::pop), where nobody steals: without an atomic exchange.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and meanwhile no other thread calls anything but `len` and
    /// `is_empty`: see [`Solo`](crate::Solo).
    #[inline]
    pub unsafe fn pop_unshared(&self) -> Option<NonNull<T>> {
        let head = self.head.0.load(Relaxed);
        if head == self.tail.0.load(Relaxed) {
            return None;
        }
        let item = self.slot(head).load(Relaxed);
        self.head.0.store(head.wrapping_add(1), Release);
        NonNull::new(item)
    }

    /// The item that would be popped after `ahead` others, without removing it. A hint only: a
    /// thief may take it at this moment.
    ///
    /// # Safety
    ///
    /// The caller is the owner.
    #[inline]
    pub unsafe fn peek(&self, ahead: u32) -> Option<NonNull<T>> {
        let head = self.head.0.load(Relaxed).wrapping_add(ahead);
        let queued = self.tail.0.load(Relaxed).wrapping_sub(head) as i32 > 0;
        if queued { NonNull::new(self.slot(head).load(Relaxed)) } else { None }
    }

    /// Takes the older half, rounded up: returns the oldest item and puts the others, whose number
    /// is returned too, into `dst`. Takes less if `dst` has no room for that many.
    ///
    /// # Safety
    ///
    /// The caller is the owner of `dst`, and `dst` is another ring than this one.
    pub unsafe fn steal_into(&self, dst: &Ring<T>) -> Option<(NonNull<T>, usize)> {
        let dst_tail = dst.tail.0.load(Relaxed);
        let most = dst.room() as u32 + 1;
        let mut head = self.head.0.load(Acquire);
        loop {
            let len = self.tail.0.load(Acquire).wrapping_sub(head);
            if len == 0 {
                return None;
            }
            if len > RING_CAPACITY {
                // `head` was read before others moved it and `tail` after: not one moment.
                spin_loop();
                head = self.head.0.load(Acquire);
                continue;
            }
            let take = len.div_ceil(2).min(most);
            let first = self.slot(head).load(Relaxed);
            for i in 1..take {
                // Behind the tail of `dst`: nobody looks there until `tail` is stored below.
                let item = self.slot(head.wrapping_add(i)).load(Relaxed);
                dst.slot(dst_tail.wrapping_add(i - 1)).store(item, Relaxed);
            }
            match self.claim(head, take) {
                Ok(()) => {
                    dst.tail.0.store(dst_tail.wrapping_add(take - 1), Release);
                    return NonNull::new(first).map(|first| (first, take as usize - 1));
                }
                Err(moved) => head = moved,
            }
        }
    }

    /// Takes the older half, rounded up, and hands it to `each`, oldest first: the way out of a
    /// full ring. Does nothing if thieves have emptied the ring meanwhile.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and `each` does not push to this ring.
    pub unsafe fn drain_half(&self, each: &mut dyn FnMut(NonNull<T>)) {
        let tail = self.tail.0.load(Relaxed);
        let mut head = self.head.0.load(Relaxed);
        loop {
            let take = tail.wrapping_sub(head).div_ceil(2);
            if take == 0 {
                return;
            }
            match self.claim(head, take) {
                // Reading after claiming is right only here: slots are written by the owner alone,
                // and the owner is busy draining.
                Ok(()) => {
                    return (0..take)
                        .filter_map(|i| NonNull::new(self.slot(head.wrapping_add(i)).load(Relaxed)))
                        .for_each(each);
                }
                Err(moved) => head = moved,
            }
        }
    }

    /// How many items there are, or were a moment ago.
    pub fn len(&self) -> usize {
        let head = self.head.0.load(Acquire);
        let len = self.tail.0.load(Acquire).wrapping_sub(head);
        // Too large if items were taken and pushed between the two loads.
        (len as usize).min(CAPACITY)
    }

    /// Whether there are none, or were none a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items the owner can push now; thieves can only make it more.
    pub(crate) fn room(&self) -> usize {
        CAPACITY - self.len()
    }

    /// Moves `head` from `from` over `count` items; tells where it is if it is elsewhere.
    fn claim(&self, from: u32, count: u32) -> Result<(), u32> {
        let to = from.wrapping_add(count);
        self.head.0.compare_exchange(from, to, Release, Acquire).map(drop)
    }

    fn slot(&self, index: u32) -> &AtomicPtr<T> {
        &self.slots[index as usize % CAPACITY]
    }
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self::new()
    }
}
