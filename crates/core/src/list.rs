//! A first-in first-out list through a field of its items.
//!
//! Queues of coroutines must not allocate: a wake-up that fails for want of memory is a lost
//! coroutine. So the next pointer lives in the item, and an item is in one list at a time.
//!
//! ```text
//!   List { strands, first: 1, len: 6 }
//!            |
//!            |- head --> item 3 [null] <-- tail
//!            |- head --> item 0 [link] --> item 4 [null] <-- tail
//!            |- head --> item 1 [link] --> item 5 [null] <-- tail
//!            '- head --> item 2 [null] <-- tail
//! ```
//!
//! Items go to the strands in turn and come from them in turn, so that they come in the order in
//! which they went. To take an item its link is read, which is in no cache if there are many, and
//! along a single chain each of these misses would wait for the one before. Those of several chains
//! overlap: a processor that takes many in a row has [`STRANDS`] under way at once.
//!
//! The list does not own its items: dropping a list forgets them.
//!
//! Rejected: an array of pointers, which misses nothing (it grows, so it allocates), a second link
//! to an item further on (a field more in each item).

use std::ptr::{NonNull, null_mut};
use std::sync::atomic::Ordering::Relaxed;

use crate::primitive::AtomicPtr;

/// Something with a link field, by which it can be in one [`List`].
///
/// # Safety
///
/// - [`link`](Self::link) returns the same field of the item at every call, valid while the item
///   is;
/// - while the item is in a list nothing but the list writes that field;
/// - an item may be handed to another thread (the list is `Send` whatever the item is).
pub unsafe trait Linked: Sized {
    /// The link field of `item`.
    ///
    /// # Safety
    ///
    /// `item` points to a live item.
    unsafe fn link(item: NonNull<Self>) -> NonNull<AtomicPtr<Self>>;
}

/// Chains in a list.
const STRANDS: usize = 4;

/// A first-in first-out list of items that carry their own link.
///
/// # Memory order
///
/// Every access to a link is Relaxed. A list has one owner at a time (`&mut self`), and whatever
/// hands the list on (a lock, a thread's end) orders the accesses. The links are atomic only so
/// that a field that is shared by nature has a type which says so.
pub struct List<T: Linked> {
    strands: [Strand<T>; STRANDS],
    /// The strand whose head is the oldest item; the next one has the second oldest, and so on.
    first: usize,
    len: usize,
}

/// A chain of items.
struct Strand<T> {
    /// Its oldest item; `None` exactly if it is empty.
    head: Option<NonNull<T>>,
    /// Its newest item, if it is not empty. Its link is null.
    tail: Option<NonNull<T>>,
}

// SAFETY: the list hands over pointers to items, and `Linked` promises that items may change
// threads.
unsafe impl<T: Linked> Send for List<T> {}

impl<T: Linked> List<T> {
    /// An empty list.
    pub const fn new() -> Self {
        Self { strands: [const { Strand { head: None, tail: None } }; STRANDS], first: 0, len: 0 }
    }

    /// Adds `item` as the newest.
    ///
    /// # Safety
    ///
    /// `item` is in no list and stays alive until it is popped.
    pub unsafe fn push(&mut self, item: NonNull<T>) {
        let strand = &mut self.strands[(self.first + self.len) % STRANDS];
        // SAFETY: the caller keeps `item` alive.
        unsafe {
            set_next(item, null_mut());
            strand.append(item, item);
        }
        self.len += 1;
    }

    /// Removes the oldest item.
    pub fn pop(&mut self) -> Option<NonNull<T>> {
        let strand = &mut self.strands[self.first];
        let item = strand.head?;
        // SAFETY: `item` is in the list, hence alive.
        strand.head = unsafe { next(item) };
        self.first = (self.first + 1) % STRANDS;
        self.len -= 1;
        Some(item)
    }

    /// Moves all of `other` behind the items of this list, in constant time.
    pub fn append(&mut self, other: &mut Self) {
        // What comes after a strand's items in one list continues a strand of the other.
        for offset in 0..STRANDS {
            let strand = &mut other.strands[(other.first + offset) % STRANDS];
            if let (Some(head), Some(tail)) = (strand.head.take(), strand.tail) {
                let to = &mut self.strands[(self.first + self.len + offset) % STRANDS];
                // SAFETY: both are in a list, hence alive, and head is not in `other` any more.
                unsafe { to.append(head, tail) };
            }
        }
        self.len += std::mem::take(&mut other.len);
    }

    /// How many items are in the list.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T: Linked> Strand<T> {
    /// Adds a chain, from `head` to `tail`.
    ///
    /// # Safety
    ///
    /// The chain is alive, and in no list; the link of `tail` is null.
    unsafe fn append(&mut self, head: NonNull<T>, tail: NonNull<T>) {
        match (self.head, self.tail) {
            // SAFETY: the strand is not empty, so its tail is in the list, hence alive by the
            // contract of `push`.
            (Some(_), Some(last)) => unsafe { set_next(last, head.as_ptr()) },
            _ => self.head = Some(head),
        }
        self.tail = Some(tail);
    }
}

impl<T: Linked> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the link of `item`.
///
/// # Safety
///
/// `item` is alive and in a list that the caller owns.
unsafe fn next<T: Linked>(item: NonNull<T>) -> Option<NonNull<T>> {
    // SAFETY: `item` is alive, so `link` may be called and what it returns is valid.
    NonNull::new(unsafe { T::link(item).as_ref().load(Relaxed) })
}

/// Writes the link of `item`.
///
/// # Safety
///
/// `item` is alive, and in no list but one that the caller owns.
unsafe fn set_next<T: Linked>(item: NonNull<T>, next: *mut T) {
    // SAFETY: `item` is alive, so `link` may be called and what it returns is valid.
    unsafe { T::link(item).as_ref().store(next, Relaxed) }
}
