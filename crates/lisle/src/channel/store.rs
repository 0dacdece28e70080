//! What is in a channel and was not received yet: a ring for a bounded number of values, a list of
//! blocks for any number.
//!
//! Used under the channel's lock, so nothing here allocates, frees or drops a value: blocks come
//! from outside and are given back to it.
//!
//! Rejected: a `VecDeque` for any number of values. When it is full it allocates and copies all of
//! them, with everybody else spinning for the lock.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Values in a block.
const BLOCK: usize = 32;

/// A few values, in order, and the next block.
pub(super) struct Block<T> {
    values: [MaybeUninit<T>; BLOCK],
    next: Option<NonNull<Block<T>>>,
}

impl<T> Block<T> {
    /// An empty block.
    pub(super) fn new() -> Box<Self> {
        Box::new(Block { values: [const { MaybeUninit::uninit() }; BLOCK], next: None })
    }
}

/// The values of a channel.
pub(super) enum Store<T> {
    /// At most `capacity`; the memory is there from the beginning.
    Ring { values: VecDeque<T>, capacity: usize },
    /// Any number.
    Blocks(Blocks<T>),
}

impl<T> Store<T> {
    pub(super) fn bounded(capacity: usize) -> Self {
        Store::Ring { values: VecDeque::with_capacity(capacity), capacity }
    }

    pub(super) fn unbounded() -> Self {
        Store::Blocks(Blocks { first: None, last: None, at: 0, end: 0, len: 0, spare: None })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Store::Ring { values, .. } => values.len(),
            Store::Blocks(blocks) => blocks.len,
        }
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        match self {
            Store::Ring { capacity, .. } => Some(*capacity),
            Store::Blocks(_) => None,
        }
    }

    /// Whether a value can be pushed, given a block if one is wanted.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        match self {
            Store::Ring { values, capacity } => values.len() < *capacity,
            Store::Blocks(_) => true,
        }
    }

    /// Whether the next push takes a block that is not there.
    #[inline]
    pub(super) fn wants_block(&self) -> bool {
        match self {
            Store::Ring { .. } => false,
            Store::Blocks(blocks) => blocks.is_last_full() && blocks.spare.is_none(),
        }
    }

    /// Takes a block in, unless there is one already.
    pub(super) fn put_block(&mut self, block: &mut Option<Box<Block<T>>>) {
        if let Store::Blocks(Blocks { spare: spare @ None, .. }) = self {
            *spare = block.take();
        }
    }

    /// Puts a value last. There is room, and no block is wanted.
    #[inline]
    pub(super) fn push(&mut self, value: T) {
        match self {
            Store::Ring { values, capacity } => {
                // Within the capacity it was made with, so that it does not allocate.
                debug_assert!(values.len() < *capacity);
                values.push_back(value);
            }
            Store::Blocks(blocks) => blocks.push(value),
        }
    }

    /// Takes the first value; and a block, now and then, that is to be dropped outside of the lock.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(T, Option<Box<Block<T>>>)> {
        match self {
            Store::Ring { values, .. } => Some((values.pop_front()?, None)),
            Store::Blocks(blocks) => blocks.pop(),
        }
    }

    /// All of it, to be dropped outside of the lock. There is no room left.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Store::Ring { values: VecDeque::new(), capacity: 0 })
    }
}

/// Values `at..` of the first block to `..end` of the last; none if there is no block, and never an
/// empty first block that is not the last.
pub(super) struct Blocks<T> {
    first: Option<NonNull<Block<T>>>,
    last: Option<NonNull<Block<T>>>,
    at: usize,
    end: usize,
    len: usize,
    /// The next last block. Kept from one to the next, so that a channel in use allocates nothing.
    spare: Option<Box<Block<T>>>,
}

// SAFETY: the blocks are its own, and hold nothing but values.
unsafe impl<T: Send> Send for Blocks<T> {}

impl<T> Blocks<T> {
    #[inline]
    fn is_last_full(&self) -> bool {
        self.last.is_none() || self.end == BLOCK
    }

    #[inline]
    fn push(&mut self, value: T) {
        if self.is_last_full() {
            let block = self.spare.take().expect("no block is wanted");
            let block = NonNull::from(Box::leak(block));
            match self.last {
                // SAFETY: blocks between first and last are there, and this type's own.
                Some(last) => unsafe { (*last.as_ptr()).next = Some(block) },
                None => (self.first, self.at) = (Some(block), 0),
            }
            (self.last, self.end) = (Some(block), 0);
        }
        let last = self.last.expect("made above");
        // SAFETY: as above; `end` is less than BLOCK.
        unsafe { (*last.as_ptr()).values[self.end].write(value) };
        self.end += 1;
        self.len += 1;
    }

    #[inline]
    fn pop(&mut self) -> Option<(T, Option<Box<Block<T>>>)> {
        if self.len == 0 {
            return None;
        }
        let first = self.first.expect("there is a value");
        // SAFETY: the first block is there; its values from `at` on were written (up to `end` if it
        // is the last), and are read once.
        let value = unsafe { (*first.as_ptr()).values[self.at].assume_init_read() };
        self.at += 1;
        self.len -= 1;
        if self.len == 0 && self.first == self.last {
            // The block is used again from its beginning.
            (self.at, self.end) = (0, 0);
            return Some((value, None));
        }
        let block = if self.at == BLOCK { self.drop_first(first) } else { None };
        Some((value, block))
    }

    /// Takes out the first block, whose values have all been read; another one follows.
    fn drop_first(&mut self, first: NonNull<Block<T>>) -> Option<Box<Block<T>>> {
        // SAFETY: from `Box::leak`, and not in the list any more after this function.
        let mut block = unsafe { Box::from_raw(first.as_ptr()) };
        (self.first, self.at) = (block.next.take(), 0);
        if self.spare.is_none() {
            self.spare = Some(block);
            return None;
        }
        Some(block)
    }
}

impl<T> Drop for Blocks<T> {
    fn drop(&mut self) {
        /// Goes on where a value's drop panicked.
        struct Rest<'a, T>(&'a mut Blocks<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                while self.0.pop().is_some() {}
                if let Some(block) = self.0.first.take() {
                    // SAFETY: from `Box::leak`; the only one that is left, and empty.
                    drop(unsafe { Box::from_raw(block.as_ptr()) });
                }
            }
        }
        let rest = Rest(self);
        while rest.0.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn push<T>(store: &mut Store<T>, value: T) {
        if store.wants_block() {
            store.put_block(&mut Some(Block::new()));
        }
        store.push(value);
    }

    #[test]
    fn values_keep_their_order_over_blocks() {
        let mut store = Store::unbounded();
        let (mut sent, mut got) = (0, 0);
        for round in 0..100 {
            for _ in 0..round {
                push(&mut store, sent);
                sent += 1;
            }
            for _ in 0..round - round / 3 {
                assert_eq!(store.pop().unwrap().0, got);
                got += 1;
            }
            assert_eq!(store.len(), sent - got);
        }
        while let Some((value, _)) = store.pop() {
            assert_eq!(value, got);
            got += 1;
        }
        assert_eq!(got, sent);
    }

    #[test]
    fn a_store_that_is_in_use_keeps_its_blocks() {
        let mut store = Store::unbounded();
        let mut taken = 0;
        for number in 0..10 * BLOCK {
            if store.wants_block() {
                taken += 1;
            }
            push(&mut store, number);
            push(&mut store, number);
            assert!(store.pop().is_some() && store.pop().is_some());
        }
        assert_eq!(taken, 1);
    }

    #[test]
    fn what_is_left_is_dropped_once() {
        let value = Arc::new(());
        let mut store = Store::unbounded();
        for _ in 0..3 * BLOCK + 5 {
            push(&mut store, Arc::clone(&value));
        }
        for _ in 0..BLOCK + 7 {
            store.pop();
        }
        assert_eq!(Arc::strong_count(&value), 2 * BLOCK - 2 + 1);
        drop(store.take());
        assert_eq!((Arc::strong_count(&value), store.len()), (1, 0));
    }
}
