//! A first-in first-out list through a field of its items.
//!
//! Queues of coroutines must not allocate: a wake-up that fails for want of memory is a lost
//! coroutine. So the next pointer lives in the item, and an item is in one list at a time.
//!
//! ```text
//!   List { head, tail, len: 3 }
//!            |     '-------------------------.
//!            v                               v
//!          item [link] --> item [link] --> item [null]
//! ```
//!
//! The list does not own its items: dropping a list forgets them.

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

/// A first-in first-out list of items that carry their own link.
///
/// # Memory order
///
/// Every access to a link is Relaxed. A list has one owner at a time (`&mut self`), and whatever
/// hands the list on (a lock, a thread's end) orders the accesses. The links are atomic only so
/// that a field that is shared by nature has a type which says so.
pub struct List<T: Linked> {
    /// The oldest item; `None` exactly if the list is empty.
    head: Option<NonNull<T>>,
    /// The newest item; `None` exactly if the list is empty. Its link is null.
    tail: Option<NonNull<T>>,
    len: usize,
}

// SAFETY: the list hands over pointers to items, and `Linked` promises that items may change
// threads.
unsafe impl<T: Linked> Send for List<T> {}

impl<T: Linked> List<T> {
    /// An empty list.
    pub const fn new() -> Self {
        Self { head: None, tail: None, len: 0 }
    }

    /// Adds `item` as the newest.
    ///
    /// # Safety
    ///
    /// `item` is in no list and stays alive until it is popped.
    pub unsafe fn push(&mut self, item: NonNull<T>) {
        // SAFETY: the caller keeps `item` alive.
        unsafe { set_next(item, null_mut()) };
        match self.tail {
            // SAFETY: `tail` is in the list, hence alive by the contract of its own `push`.
            Some(tail) => unsafe { set_next(tail, item.as_ptr()) },
            None => self.head = Some(item),
        }
        self.tail = Some(item);
        self.len += 1;
    }

    /// Removes the oldest item.
    pub fn pop(&mut self) -> Option<NonNull<T>> {
        let item = self.head?;
        // SAFETY: `item` is in the list, hence alive.
        self.head = unsafe { next(item) };
        if self.head.is_none() {
            self.tail = None;
        }
        self.len -= 1;
        Some(item)
    }

    /// Moves all of `other` behind the items of this list, in constant time.
    pub fn append(&mut self, other: &mut Self) {
        let Some(first) = other.head.take() else { return };
        match self.tail {
            // SAFETY: `tail` is in the list, hence alive.
            Some(tail) => unsafe { set_next(tail, first.as_ptr()) },
            None => self.head = Some(first),
        }
        self.tail = other.tail.take();
        self.len += std::mem::take(&mut other.len);
    }

    /// How many items are in the list.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
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
