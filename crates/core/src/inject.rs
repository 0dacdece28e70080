//! The queue everybody may push to: coroutines that were made runnable off the workers, and what
//! overflows from the workers' own rings.
//!
//! ```text
//!   any thread --push-->  [ SpinLock< o -> o -> o -> o > ]  --pop_into-->  ring of a worker
//!                         [ len: 4                       ]  <--len-------  idle workers, no lock
//! ```
//!
//! It is a list under a spin lock. Workers come here rarely (now and then for fairness, and when
//! their ring is empty) and leave with a batch, so the lock is quiet; what must be cheap is finding
//! out that there is nothing, and that is one load.
//!
//! Rejected: a lock-free list (items are type-stable but reused at once, so removal needs hazard
//! pointers or double-width words), a segmented queue (allocates on push; a wake-up must not).

use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

use crate::list::{Linked, List};
use crate::primitive::{AtomicUsize, const_unless_loom};
use crate::ring::Ring;
use crate::spin::SpinLock;

/// An unbounded first-in first-out queue for many pushers and many poppers.
///
/// # Memory order
///
/// The lock orders everything about the items. `len` is written under the lock and read without it,
/// both Relaxed: a reader that finds zero simply came before the push. Someone who must not miss a
/// push (a worker about to sleep) puts a SeqCst fence before reading, and the pusher one after
/// writing; [`Idle`](crate::Idle) has both.
pub struct Injector<T: Linked> {
    list: SpinLock<List<T>>,
    /// The length of `list` when its lock was last given back. Written by the holder of the lock.
    ///
    /// | value | meaning                                      |
    /// |-------|----------------------------------------------|
    /// | 0     | nothing to pop; poppers stay off the lock    |
    /// | n     | n items as of the last push or pop           |
    len: AtomicUsize,
}

impl<T: Linked> Injector<T> {
    const_unless_loom! {
        /// An empty queue.
        pub fn new() -> Self {
            Self { list: SpinLock::new(List::new()), len: AtomicUsize::new(0) }
        }
    }

    /// Adds one item.
    ///
    /// # Safety
    ///
    /// `item` is in no list and stays alive until it is popped.
    pub unsafe fn push(&self, item: NonNull<T>) {
        // SAFETY: the caller's promise is the one `List::push` asks for.
        self.with_list(|list| unsafe { list.push(item) });
    }

    /// Adds all items of `batch`, in order, under one locking; `batch` is empty afterwards.
    ///
    /// Safe, unlike [`push`](Self::push): items of a list were vouched for when they entered it.
    pub fn push_list(&self, batch: &mut List<T>) {
        if !batch.is_empty() {
            self.with_list(|list| list.append(batch));
        }
    }

    /// Removes the oldest item.
    pub fn pop(&self) -> Option<NonNull<T>> {
        if self.is_empty() {
            return None;
        }
        self.with_list(List::pop)
    }

    /// Removes up to `max` of the oldest items: returns the first and moves the others to `ring`,
    /// in order. Takes no more than `ring` has room for.
    ///
    /// # Safety
    ///
    /// The caller owns `ring`.
    pub unsafe fn pop_into(&self, max: usize, ring: &Ring<T>) -> Option<NonNull<T>> {
        if max == 0 || self.is_empty() {
            return None;
        }
        self.with_list(|list| {
            let first = list.pop()?;
            for _ in 0..ring.room().min(max - 1) {
                let Some(item) = list.pop() else { break };
                // SAFETY: the caller owns `ring`; the item is alive and, since just now, in no
                // list.
                let pushed = unsafe { ring.push(item) };
                // Only its owner fills a ring, and `room` was asked above.
                debug_assert!(pushed.is_ok());
            }
            Some(first)
        })
    }

    /// How many items there are, or were a moment ago.
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Whether there are none, or were none a moment ago.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs `f` under the lock and publishes the new length.
    fn with_list<R>(&self, f: impl FnOnce(&mut List<T>) -> R) -> R {
        let mut list = self.list.lock();
        let result = f(&mut list);
        self.len.store(list.len(), Relaxed);
        result
    }
}

impl<T: Linked> Default for Injector<T> {
    fn default() -> Self {
        Self::new()
    }
}
