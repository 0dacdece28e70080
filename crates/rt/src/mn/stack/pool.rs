//! Ended coroutines' stacks, for the next ones.
//!
//! A worker keeps a few of the default size for itself and trades them with the shared pool by
//! the batch, so that spawning and ending coroutines touches shared memory once in many times.

use std::ptr::NonNull;

use lisle_core::List;
use lisle_fiber::Blocks;
use lisle_sys::mmap;

use super::super::section::SpinLock;
use super::super::task::Task;
use super::slab::Slabs;
use super::{CLASSES, StackError};

/// Stacks that a worker keeps at most, and how many it trades at once.
const KEEP: usize = 64;
const BATCH: usize = 32;

/// Stack use below the header, in bytes, that is left in place for the next coroutine.
const SHALLOW: usize = 32 << 10;
/// A stack is taken for deeply used after this many lives, since use that never suspends leaves
/// no trace that would be cheap to see.
const LIVES_UNTIL_TRIM: u32 = 64;

/// The pool that all workers share.
pub(crate) struct Pool {
    free: [SpinLock<List<Task>>; CLASSES],
    slabs: Slabs,
}

/// A worker's own stacks, all of one class.
pub(crate) struct Cache {
    class: usize,
    free: List<Task>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Pool { free: std::array::from_fn(|_| SpinLock::new(List::new())), slabs: Slabs::new() }
    }

    /// A pooled header between lives, or a new one. The caller owns it.
    pub(crate) fn take(&self, class: usize, blocks: &Blocks) -> Result<&'static Task, StackError> {
        match self.free[class].lock().pop() {
            // SAFETY: headers are never freed.
            Some(task) => Ok(unsafe { task.as_ref() }),
            None => self.slabs.make(class, blocks),
        }
    }

    /// Takes an ended coroutine's header back.
    pub(crate) fn put(&self, task: &'static Task) {
        // SAFETY: the owner gives it away, so it is in no other list.
        unsafe { self.free[task.stack.class].lock().push(NonNull::from(task)) };
    }
}

impl Cache {
    pub(crate) fn new(class: usize) -> Self {
        Cache { class, free: List::new() }
    }

    /// As [`Pool::take`].
    pub(crate) fn take(
        &mut self,
        class: usize,
        pool: &Pool,
        blocks: &Blocks,
    ) -> Result<&'static Task, StackError> {
        if class != self.class {
            return pool.take(class, blocks);
        }
        if self.free.is_empty() {
            let mut shared = pool.free[class].lock();
            while self.free.len() < BATCH
                && let Some(task) = shared.pop()
            {
                // SAFETY: popped, so in no list.
                unsafe { self.free.push(task) };
            }
        }
        match self.free.pop() {
            // SAFETY: headers are never freed.
            Some(task) => Ok(unsafe { task.as_ref() }),
            None => pool.slabs.make(class, blocks),
        }
    }

    /// As [`Pool::put`].
    pub(crate) fn put(&mut self, task: &'static Task, pool: &Pool) {
        if task.stack.class != self.class {
            return pool.put(task);
        }
        // SAFETY: the owner gives it away, so it is in no other list.
        unsafe { self.free.push(NonNull::from(task)) };
        if self.free.len() > KEEP {
            let mut shared = pool.free[self.class].lock();
            for _ in 0..BATCH {
                let Some(task) = self.free.pop() else { break };
                // SAFETY: popped, so in no list.
                unsafe { shared.push(task) };
            }
        }
    }
}

/// Gives back the memory of a stack that was used deeply. To be called by the coroutine itself at
/// its end, so that what lies below its stack pointer is of no use any more.
pub(crate) fn trim(task: &Task) {
    let here = 0_u8;
    let depth = task.block.stack_top.saturating_sub(task.low_water.get());
    let lives = task.lives.get() + 1;
    task.lives.set(lives);
    if depth < SHALLOW && !lives.is_multiple_of(LIVES_UNTIL_TRIM) {
        return;
    }
    // Two pages are left for the frames of this very call.
    let top = ((&raw const here) as usize & !(mmap::PAGE - 1)) - 2 * mmap::PAGE;
    let low = task.stack.low + mmap::PAGE;
    if let (Some(len), Some(memory)) = (top.checked_sub(low), NonNull::new(low as *mut u8)) {
        // SAFETY: part of the coroutine's own stack, between its guard and its frames.
        unsafe { mmap::discard(memory, len) };
    }
}
