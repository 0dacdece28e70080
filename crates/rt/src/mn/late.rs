//! Who was preempted.
//!
//! A coroutine that has used up its slice is not like those that wait for an event and then run
//! for microseconds: it computes. So it waits in a queue of its own until a worker has nothing
//! else. All workers share that queue, so that those who compute advance evenly: the oldest runs
//! next, wherever.
//!
//! Others could keep all workers busy for ever. So those in the queue get a turn when a worker has
//! run others for [`PATIENCE`] since the last of them ran there. How long the turn lasts is up to
//! the monitor: until the slice is over, or the shortest stretch that it lets a coroutine run while
//! others wait (`slice::BOUND`). So where coroutines of both kinds want more than there is, those
//! that compute get a third.
//!
//! Rejected: *behind the others of the worker, as after a yield.* A sleeper would then wait for all
//! that compute there, once each.

use std::ptr::NonNull;

use super::section;
use super::shared::Shared;
use super::task::Task;

/// Nanoseconds after which it is the turn of those that compute, though others are ready.
pub(crate) const PATIENCE: u64 = 1_000_000;

impl Shared {
    /// Queues a coroutine that was preempted. Nobody is notified, as with those that yield.
    ///
    /// # Safety
    /// The caller owns the task.
    pub(crate) unsafe fn push_late(&self, task: &'static Task) {
        // SAFETY: the caller's obligation.
        section::within(|| unsafe { self.late.push(NonNull::from(task)) });
    }

    /// The coroutine that has waited longest of those that were preempted.
    #[inline]
    pub(crate) fn take_late(&self) -> Option<&'static Task> {
        if self.late.is_empty() {
            return None;
        }
        // SAFETY: headers are never freed.
        section::within(|| self.late.pop()).map(|task| unsafe { task.as_ref() })
    }
}
