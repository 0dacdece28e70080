//! Deadlines as data: what is due, and when to look next.
//!
//! A 4-ary heap orders the deadlines, a slab holds the values, and each knows where the other is,
//! so that cancelling (what most timeouts end in) is as cheap as inserting.
//!
//! ```text
//!   heap   [deadline 5, seq 7, slot 2] [deadline 9, seq 3, slot 0] ...  children of i: 4i+1..4i+4
//!                              |                           |
//!   slab   slot 0 [seq 3, at heap 1, value]   slot 1 [free]   slot 2 [seq 7, at heap 0, value]
//!
//!   TimerKey { slot 2, seq 7 }   stale as soon as slot 2 is free or holds another seq
//! ```
//!
//! The sequence number has two duties. It breaks ties, so equal deadlines come out in the order
//! they went in; and as it is never used twice it tells a stale key from a fresh one, so freed
//! slots need to remember nothing and their memory can be given back.
//!
//! Rejected: a timing wheel (cheaper inserts, but the next deadline, which every sleeping worker
//! asks for, is a search, and exact order is lost), a binary heap (twice the levels; four siblings
//! share a cache line or two), a balanced tree (allocates per entry).

use crate::array::{Array, Global, Memory};

/// Four children per entry: half the levels of a binary heap, and siblings lie side by side.
const ARITY: usize = 4;

/// Below this many entries spare memory is not given back.
const SHRINK_FLOOR: usize = 256;

/// Names a timer of one [`Timers`] for cancelling. It outlives the timer harmlessly.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerKey {
    slot: u32,
    seq: u64,
}

/// An entry of the heap. Compared by deadline, then by age.
#[derive(Clone, Copy)]
struct Entry {
    deadline: u64,
    seq: u64,
    slot: u32,
}

impl Entry {
    fn before(&self, other: &Entry) -> bool {
        (self.deadline, self.seq) < (other.deadline, other.seq)
    }
}

/// A place for one value.
enum Slot<T> {
    Free { next: Option<u32> },
    Used { seq: u64, at: usize, value: T },
}

/// Deadlines in nanoseconds, each with a value, on no particular clock.
///
/// ```
/// use lisle_core::Timers;
///
/// let mut timers = Timers::new();
/// let tea = timers.insert(300, "tea");
/// timers.insert(100, "eggs");
/// assert_eq!(timers.next(), Some(100));
/// assert_eq!(timers.cancel(tea), Some("tea"));
/// assert_eq!(timers.pop_due(99), None);
/// assert_eq!(timers.pop_due(100), Some("eggs"));
/// assert_eq!(timers.cancel(tea), None);
/// ```
pub struct Timers<T, M: Memory = Global> {
    heap: Array<Entry, M>,
    /// `heap[at].slot` of the slot `s` holding `at` is `s`, and the two have the same `seq`.
    slots: Array<Slot<T>, M>,
    /// The first of the free slots, which are linked.
    free: Option<u32>,
    /// The number the next timer gets. At a billion a second it lasts for five centuries.
    seq: u64,
}

impl<T> Timers<T> {
    /// No timers, in memory of the program's allocator.
    pub const fn new() -> Self {
        Self::with_memory(Global)
    }
}

impl<T, M: Memory + Copy> Timers<T, M> {
    /// No timers, in memory of this kind.
    pub const fn with_memory(memory: M) -> Self {
        Self { heap: Array::new(memory), slots: Array::new(memory), free: None, seq: 0 }
    }
}

impl<T, M: Memory> Timers<T, M> {
    /// Adds a timer.
    ///
    /// # Panics
    ///
    /// If there is no memory, or there are already 2^32 timers.
    pub fn insert(&mut self, deadline: u64, value: T) -> TimerKey {
        self.try_insert(deadline, value).ok().expect("memory for a timer")
    }

    /// Adds a timer, unless there is no memory for it: then the value comes back.
    ///
    /// # Errors
    ///
    /// The value.
    pub fn try_insert(&mut self, deadline: u64, value: T) -> Result<TimerKey, T> {
        let has_slot = self.free.is_some() || self.slots.reserve();
        if !has_slot || !self.heap.reserve() {
            return Err(value);
        }
        let seq = self.seq;
        self.seq += 1;
        let at = self.heap.len();
        let slot = self.fill_slot(Slot::Used { seq, at, value });
        self.heap.push(Entry { deadline, seq, slot });
        self.sift_up(at);
        Ok(TimerKey { slot, seq })
    }

    /// Removes a timer and returns its value, unless it is due and popped, or cancelled, already.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        match self.slots.get(key.slot as usize)? {
            Slot::Used { seq, at, .. } if *seq == key.seq => Some(self.remove(*at)),
            _ => None,
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<u64> {
        self.heap.first().map(|first| first.deadline)
    }

    /// Removes the earliest timer and returns its value, if its deadline is not after `now`.
    pub fn pop_due(&mut self, now: u64) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        Some(self.remove(0))
    }

    /// How many timers there are.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Removes the heap entry at `at` and its slot.
    fn remove(&mut self, at: usize) -> T {
        let entry = self.heap.swap_remove(at);
        if at < self.heap.len() {
            // The entry that was last sits in the hole now. It came from another branch perhaps, so
            // it may belong further up or further down.
            self.note(at);
            self.sift_up(at);
            self.sift_down(at);
        }
        let value = self.empty_slot(entry.slot);
        self.shrink();
        value
    }

    fn fill_slot(&mut self, used: Slot<T>) -> u32 {
        let Some(slot) = self.free else {
            let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 timers");
            self.slots.push(used);
            return slot;
        };
        let place = &mut self.slots[slot as usize];
        match std::mem::replace(place, used) {
            Slot::Free { next } => self.free = next,
            Slot::Used { .. } => unreachable!("a used slot among the free ones"),
        }
        slot
    }

    fn empty_slot(&mut self, slot: u32) -> T {
        let place = &mut self.slots[slot as usize];
        match std::mem::replace(place, Slot::Free { next: self.free }) {
            Slot::Used { value, .. } => {
                self.free = Some(slot);
                value
            }
            Slot::Free { .. } => unreachable!("a heap entry of a free slot"),
        }
    }

    /// Gives memory back after a peak: the heap's as it gets emptier, by halves, and the slab's
    /// when nothing is left (keys point into it, so it cannot be packed before).
    fn shrink(&mut self) {
        if self.heap.is_empty() && self.slots.len() > SHRINK_FLOOR {
            self.slots.clear();
            self.free = None;
        }
        let capacity = self.heap.capacity();
        if capacity > SHRINK_FLOOR && self.heap.len() < capacity / 4 {
            self.heap.shrink_to(capacity / 2);
        }
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if !self.heap[at].before(&self.heap[parent]) {
                break;
            }
            self.swap(at, parent);
            at = parent;
        }
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let first = at * ARITY + 1;
            let children = first..(first + ARITY).min(self.heap.len());
            let least = children.min_by_key(|&i| (self.heap[i].deadline, self.heap[i].seq));
            match least {
                Some(child) if self.heap[child].before(&self.heap[at]) => {
                    self.swap(at, child);
                    at = child;
                }
                _ => break,
            }
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note(a);
        self.note(b);
    }

    /// Tells the slot of the entry at `here` where its entry is.
    fn note(&mut self, here: usize) {
        match &mut self.slots[self.heap[here].slot as usize] {
            Slot::Used { at, .. } => *at = here,
            Slot::Free { .. } => unreachable!("a heap entry of a free slot"),
        }
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}
