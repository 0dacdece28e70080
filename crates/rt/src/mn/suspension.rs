//! A coroutine's part of a [`Waiting`](crate::Waiting): a [`Wait`] that others end.

use std::time::Instant;

use lisle_core::Cause;
use lisle_sys::clock;

use super::current;
use super::directed::{self, INTERRUPT};
use super::nudge;
use super::parker;
use super::shared::started;
use super::task::Task;
use super::wait::Wait;
use crate::extent;
use crate::stop::Ended;

pub(crate) use super::worker::Alarm;

/// See the module.
pub(crate) struct Suspension(Wait);

impl Suspension {
    /// None where the calling code cannot be suspended.
    #[inline]
    pub(crate) fn begin() -> Option<Self> {
        current::suspendable().map(|here| Suspension(Wait::arm(here)))
    }

    #[inline]
    pub(crate) fn alarm(&self) -> Alarm {
        self.0.alarm()
    }

    #[inline]
    pub(crate) fn suspend(self, deadline: Option<Instant>) -> Ended {
        if let Some(stop) = extent::stopped() {
            return match self.0.disarm() {
                // What came in time counts.
                Err(Cause::WAKE) => Ended::Woken,
                _ => Ended::Stopped(stop),
            };
        }
        match self.0.suspend_stoppably(deadline.map(nanos)) {
            Cause::WAKE => Ended::Woken,
            Cause::TIMEOUT => Ended::TimedOut,
            INTERRUPT => extent::stopped().map_or(Ended::Interrupted, Ended::Stopped),
            cause => unreachable!("nobody else ends the wait: {cause:?}"),
        }
    }

    #[inline]
    pub(crate) fn forgo(self) {
        let _ = self.0.disarm();
    }
}

/// A coroutine that may wait: others may have it look whether it is to stop.
#[derive(Clone, Copy)]
pub(crate) struct Sleeper(&'static Task);

impl Sleeper {
    /// The calling coroutine.
    pub(crate) fn own() -> Option<Self> {
        current::current().map(Sleeper)
    }
}

/// Has coroutines look whether they are to stop: those that wait, and those about to. One that has
/// ended meanwhile, or the next on its stack, looks in vain.
pub(crate) fn interrupt(sleepers: impl Iterator<Item = Sleeper> + Clone) {
    // They do not exist in the child of a fork.
    if started().is_some() && sleepers.clone().next().is_some() {
        let tasks = sleepers.map(|sleeper| sleeper.0);
        // They have slept, each in memory of its own: it is cheaper to miss it all at once.
        tasks.clone().for_each(Task::prefetch_wait);
        directed::look_all(tasks.clone());
        tasks.clone().for_each(parker::rouse);
        tasks.for_each(nudge::rouse);
    }
}

/// A moment as the waits have it, in nanoseconds of the monotonic clock.
pub(crate) fn nanos(moment: Instant) -> u64 {
    let left = moment.saturating_duration_since(Instant::now());
    clock::now().saturating_add(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX))
}
