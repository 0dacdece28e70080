//! A queue of any length with an end for writing and an end for reading, each with a state of its
//! own: under two locks, those who write and those who read do not wait for each other.
//!
//! ```text
//!   Reader { first, at }                            Writer { last, end }
//!       |                                               |
//!       [ . . . v v v ] -next-> [ v v v v v v ] -next-> [ v v . . . . ]
//! ```
//!
//! The ends share no count: whoever reads knows from elsewhere that a value is there. A block that
//! has been read becomes the spare one ([`Joint`]), which the writer takes, so that a queue in use
//! allocates nothing; and nothing here does under a lock: blocks come from outside and are given
//! back to it.
//!
//! Rejected: a `VecDeque`. When it is full it allocates and copies all of its values, with
//! everybody else spinning for the lock.

use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Values in a block.
const BLOCK: usize = 32;

/// A few values, in order, and the next block.
pub(super) struct Block<T> {
    values: [MaybeUninit<T>; BLOCK],
    /// Written before the first value of the next block, and read after it.
    next: *mut Block<T>,
}

impl<T> Block<T> {
    /// An empty block.
    pub(super) fn new() -> Box<Self> {
        Box::new(Block { values: [const { MaybeUninit::uninit() }; BLOCK], next: null_mut() })
    }
}

/// What the two ends share: where the reader begins, and the block that the writer takes next.
///
/// | word      | value   | set by                                               |
/// |-----------|---------|------------------------------------------------------|
/// | beginning | null    | at first                                             |
/// |           | a block | the writer, once, before the first value is told of  |
/// | spare     | null    | at first, and by the writer, who takes what is there |
/// |           | a block | whoever has one to spare, from null                  |
///
/// A block is made spare by Release and taken by Acquire: what was in it has been read before it is
/// written again. The beginning is Relaxed: whoever reads it knows of the first value, which
/// orders it.
pub(super) struct Joint<T> {
    beginning: AtomicPtr<Block<T>>,
    spare: AtomicPtr<Block<T>>,
}

impl<T> Joint<T> {
    pub(super) const fn new() -> Self {
        Joint { beginning: AtomicPtr::new(null_mut()), spare: AtomicPtr::new(null_mut()) }
    }

    /// Makes a block the spare one; gives it back if there is one.
    pub(super) fn offer(&self, block: Box<Block<T>>) -> Option<Box<Block<T>>> {
        let block = Box::into_raw(block);
        let (release, relaxed) = (Ordering::Release, Ordering::Relaxed);
        let offered = self.spare.compare_exchange(null_mut(), block, release, relaxed);
        // SAFETY: from the box above, and nobody else has it.
        offered.err().map(|_| unsafe { Box::from_raw(block) })
    }
}

impl<T> Drop for Joint<T> {
    fn drop(&mut self) {
        let spare = *self.spare.get_mut();
        if !spare.is_null() {
            // SAFETY: from a box, and nobody else has it; it holds no value.
            drop(unsafe { Box::from_raw(spare) });
        }
    }
}

/// The end for writing: the next value is number `end` of the last block, or the first of another
/// one if the last is full.
pub(super) struct Writer<T> {
    last: *mut Block<T>,
    end: usize,
}

// SAFETY: it leads to blocks that hold nothing but values, and writes them where no reader reads.
unsafe impl<T: Send> Send for Writer<T> {}

impl<T> Writer<T> {
    pub(super) const fn new() -> Self {
        Writer { last: null_mut(), end: BLOCK }
    }

    /// Whether the next value needs a block that is not there.
    #[inline]
    pub(super) fn wants_block(&self, joint: &Joint<T>) -> bool {
        // Others may make one spare meanwhile, but only the writer takes it.
        self.end == BLOCK && joint.spare.load(Ordering::Relaxed).is_null()
    }

    /// Writes a value behind the others.
    ///
    /// # Safety
    /// The joint is that of this queue and its reader, whose [`Remains`] were not taken; no block
    /// is wanted.
    #[inline]
    pub(super) unsafe fn push(&mut self, joint: &Joint<T>, value: T) {
        if self.end == BLOCK {
            // SAFETY: the caller's obligation.
            unsafe { self.begin_block(joint) };
        }
        // SAFETY: the last block is there: the reader leaves it only for a next one. Of its values
        // the reader touches none from `end` on; `end` is less than BLOCK.
        unsafe { (&raw mut (*self.last).values[self.end]).write(MaybeUninit::new(value)) };
        self.end += 1;
    }

    /// # Safety
    /// As for [`push`](Self::push).
    unsafe fn begin_block(&mut self, joint: &Joint<T>) {
        let block = joint.spare.swap(null_mut(), Ordering::Acquire);
        // SAFETY: a block that was spare, of which there is one, is nobody else's.
        unsafe { (&raw mut (*block).next).write(null_mut()) };
        if self.last.is_null() {
            joint.beginning.store(block, Ordering::Relaxed);
        } else {
            // SAFETY: as in `push`; the reader looks at it once it knows of the next value.
            unsafe { (&raw mut (*self.last).next).write(block) };
        }
        (self.last, self.end) = (block, 0);
    }
}

/// The end for reading: the next value is number `at` of the first block, or the first of the next
/// one if all of it have been read.
pub(super) struct Reader<T> {
    first: *mut Block<T>,
    at: usize,
}

// SAFETY: as of the writer: it reads where that has written.
unsafe impl<T: Send> Send for Reader<T> {}

impl<T> Reader<T> {
    pub(super) const fn new() -> Self {
        Reader { first: null_mut(), at: BLOCK }
    }

    /// Takes the first value; and a block, now and then, that is to be dropped outside of any lock.
    ///
    /// # Safety
    /// The joint is that of this queue and its writer, who has written a value that was not taken
    /// yet; and that happened before.
    #[inline]
    pub(super) unsafe fn pop(&mut self, joint: &Joint<T>) -> (T, Option<Box<Block<T>>>) {
        let mut freed = None;
        if self.at == BLOCK {
            // SAFETY: the caller's obligation.
            freed = unsafe { self.leave_block(joint) };
        }
        // SAFETY: the first block is there until this end leaves it; the value was written, by the
        // caller's word, and is read once.
        let value = unsafe { (&raw const (*self.first).values[self.at]).read().assume_init() };
        self.at += 1;
        (value, freed)
    }

    /// # Safety
    /// As for [`pop`](Self::pop), and all of the first block was read, if there is one.
    unsafe fn leave_block(&mut self, joint: &Joint<T>) -> Option<Box<Block<T>>> {
        let old = std::mem::replace(&mut self.at, 0);
        debug_assert_eq!(old, BLOCK);
        if self.first.is_null() {
            self.first = joint.beginning.load(Ordering::Relaxed);
            return None;
        }
        // SAFETY: it is there. The writer wrote the link before the value that the caller knows
        // of, and has left the block then.
        let next = unsafe { (&raw const (*self.first).next).read() };
        let read = std::mem::replace(&mut self.first, next);
        // SAFETY: from a box, and neither end comes to it any more.
        joint.offer(unsafe { Box::from_raw(read) })
    }

    /// Takes what is left, `len` values. The reader begins anew, with nothing.
    ///
    /// # Safety
    /// As for [`pop`](Self::pop), of all of these values; and the writer will write no more.
    pub(super) unsafe fn take(&mut self, joint: &Joint<T>, len: usize) -> Remains<T> {
        let first = if self.first.is_null() && len > 0 {
            (joint.beginning.load(Ordering::Relaxed), 0)
        } else {
            (self.first, self.at)
        };
        (self.first, self.at) = (null_mut(), BLOCK);
        Remains { reader: Reader { first: first.0, at: first.1 }, len }
    }
}

/// The last values of a queue, to be dropped outside of any lock.
pub(super) struct Remains<T> {
    reader: Reader<T>,
    len: usize,
}

impl<T> Drop for Remains<T> {
    fn drop(&mut self) {
        /// Goes on where a value's drop panicked.
        struct Rest<'a, T>(&'a mut Remains<T>);
        impl<T> Rest<'_, T> {
            fn drop_values(&mut self) {
                let joint = Joint::new();
                while self.0.len > 0 {
                    self.0.len -= 1;
                    // SAFETY: by the contract of `take` they are there, as is the first block, so
                    // that the joint has nothing to do but take in what was read.
                    drop(unsafe { self.0.reader.pop(&joint) });
                }
            }
        }
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.drop_values();
                let last = std::mem::replace(&mut self.0.reader.first, null_mut());
                if !last.is_null() {
                    // SAFETY: from a box; the writer has left it, or will not write any more.
                    drop(unsafe { Box::from_raw(last) });
                }
            }
        }
        Rest(self).drop_values();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A queue whose ends and count are in one hand.
    struct Whole<T> {
        joint: Joint<T>,
        writer: Writer<T>,
        reader: Reader<T>,
        len: usize,
        blocks: usize,
    }

    impl<T> Whole<T> {
        fn new() -> Self {
            let (joint, writer, reader) = (Joint::new(), Writer::new(), Reader::new());
            Whole { joint, writer, reader, len: 0, blocks: 0 }
        }

        fn push(&mut self, value: T) {
            if self.writer.wants_block(&self.joint) {
                assert!(self.joint.offer(Block::new()).is_none());
                self.blocks += 1;
            }
            // SAFETY: one queue's; a block is there.
            unsafe { self.writer.push(&self.joint, value) };
            self.len += 1;
        }

        fn pop(&mut self) -> T {
            assert!(self.len > 0);
            self.len -= 1;
            // SAFETY: there is a value.
            unsafe { self.reader.pop(&self.joint) }.0
        }
    }

    impl<T> Drop for Whole<T> {
        fn drop(&mut self) {
            // SAFETY: so many are there, and nothing will be written.
            drop(unsafe { self.reader.take(&self.joint, self.len) });
        }
    }

    #[test]
    fn values_keep_their_order_over_blocks() {
        let mut whole = Whole::new();
        let (mut sent, mut got) = (0, 0);
        for round in 0..100 {
            for _ in 0..round {
                whole.push(sent);
                sent += 1;
            }
            for _ in 0..round - round / 3 {
                assert_eq!(whole.pop(), got);
                got += 1;
            }
        }
        while whole.len > 0 {
            assert_eq!(whole.pop(), got);
            got += 1;
        }
        assert_eq!(got, sent);
    }

    #[test]
    fn a_queue_in_use_makes_do_with_two_blocks() {
        let mut whole = Whole::new();
        for number in 0..10 * BLOCK {
            whole.push(number);
            whole.push(number);
            assert_eq!((whole.pop(), whole.pop()), (number, number));
        }
        assert_eq!(whole.blocks, 2);
    }

    #[test]
    fn what_is_left_is_dropped_once() {
        for (sent, got) in [(0, 0), (5, 0), (5, 5), (3 * BLOCK + 5, BLOCK + 7), (BLOCK, BLOCK)] {
            let value = Arc::new(());
            let mut whole = Whole::new();
            (0..sent).for_each(|_| whole.push(Arc::clone(&value)));
            (0..got).for_each(|_| drop(whole.pop()));
            assert_eq!(Arc::strong_count(&value), 1 + sent - got);
            drop(whole);
            assert_eq!(Arc::strong_count(&value), 1);
        }
    }

    #[test]
    fn a_panic_leaves_out_none() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Panics(bool);
        impl Drop for Panics {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Ordering::Relaxed);
                assert!(!self.0, "on purpose");
            }
        }
        let mut whole = Whole::new();
        (0..2 * BLOCK).for_each(|number| whole.push(Panics(number == 3)));
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(whole)));
        assert!(dropped.is_err() && DROPPED.load(Ordering::Relaxed) == 2 * BLOCK);
    }

    #[test]
    fn the_ends_are_used_at_once() {
        let count = if cfg!(miri) { 500 } else { 200_000 };
        let (joint, sent) = (Joint::new(), AtomicUsize::new(0));
        let (mut writer, mut reader) = (Writer::new(), Reader::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..count {
                    if writer.wants_block(&joint) {
                        drop(joint.offer(Block::new()));
                    }
                    // SAFETY: one queue's; a block is there.
                    unsafe { writer.push(&joint, Box::new(number)) };
                    sent.store(number + 1, Ordering::Release);
                }
            });
            for number in 0..count {
                while sent.load(Ordering::Acquire) == number {
                    std::thread::yield_now();
                }
                // SAFETY: the count says that it is there.
                assert_eq!(*unsafe { reader.pop(&joint) }.0, number);
            }
        });
        // SAFETY: nothing is left, and nothing will be written.
        drop(unsafe { reader.take(&joint, 0) });
    }
}
