//! The record of one request.

use std::sync::atomic::{AtomicIsize, AtomicU32, Ordering};

use lisle_core::{Cause, Completion, Ticket, Woken};
use lisle_sys::Errno;

use crate::mn::task::Task;

/// Lies on the stack of the coroutine that waits for it, or in memory that it owns.
#[repr(align(32))]
pub(crate) struct Op {
    task: &'static Task,
    completion: Completion,
    /// What the call would have returned, error numbers negated. Written before it is complete.
    result: AtomicIsize,
    /// How often the kernel had been entered when it was pushed; after the answer, how often since.
    entered: AtomicU32,
}

impl Op {
    #[inline]
    pub(crate) fn new(task: &'static Task, ticket: Ticket) -> Self {
        Op {
            task,
            completion: Completion::new(ticket),
            result: AtomicIsize::new(0),
            entered: AtomicU32::new(0),
        }
    }

    /// Notes how often the kernel has been entered so far.
    #[inline]
    pub(crate) fn set_pushed(&self, entered: u32) {
        self.entered.store(entered, Ordering::Relaxed);
    }

    /// Whether the answer came with the submission, once it is done.
    #[inline]
    pub(crate) fn was_immediate(&self) -> bool {
        self.entered.load(Ordering::Relaxed) <= 1
    }

    /// The word that names it to the kernel.
    pub(crate) fn address(&self) -> u64 {
        std::ptr::from_ref(self) as u64
    }

    /// Notes the answer to the request with this word. Returns the coroutine if it is to run; then
    /// it is the caller's.
    ///
    /// # Safety
    /// The word of a request that was pushed and not completed so far.
    #[inline]
    pub(crate) unsafe fn complete(
        address: u64,
        result: Result<usize, Errno>,
        entered: u32,
    ) -> Option<&'static Task> {
        // SAFETY: the record stays until it is complete.
        let op = unsafe { &*(address as *const Op) };
        let task = op.task;
        let result = match result {
            Ok(value) => value as isize,
            Err(errno) => -(errno.0 as isize),
        };
        op.result.store(result, Ordering::Relaxed);
        let since = entered.wrapping_sub(op.entered.load(Ordering::Relaxed));
        op.entered.store(since, Ordering::Relaxed);
        // From here on the record may be gone.
        let ticket = op.completion.complete();
        (task.wait.wake(ticket, Cause::WAKE) == Woken::Owner).then_some(task)
    }

    /// Asks the processor to fetch the record with this word.
    pub(crate) fn prefetch(address: u64) {
        lisle_fiber::prefetch(address as usize);
    }

    /// Asks the processor to fetch the header of its coroutine.
    ///
    /// # Safety
    /// As for [`complete`](Self::complete).
    pub(crate) unsafe fn prefetch_task(address: u64) {
        // SAFETY: the caller's obligation.
        Task::prefetch_header(unsafe { (*(address as *const Op)).task }.into());
    }

    /// See [`Completion::is_done`].
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.completion.is_done()
    }

    /// Makes it wake the wait with this ticket. False if it is done.
    pub(crate) fn rearm(&self, ticket: Ticket) -> bool {
        match self.completion.ticket() {
            Some(old) => self.completion.rearm(old, ticket),
            None => false,
        }
    }

    /// The answer, once it is done.
    #[inline]
    pub(crate) fn result(&self) -> Result<usize, Errno> {
        debug_assert!(self.is_done());
        let result = self.result.load(Ordering::Relaxed);
        usize::try_from(result).map_err(|_| Errno(-result as i32))
    }
}
