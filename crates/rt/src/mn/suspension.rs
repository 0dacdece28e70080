//! A coroutine's part of a [`Waiting`](crate::Waiting): a [`Wait`] that others end.

use std::time::Instant;

use lisle_core::Cause;
use lisle_sys::clock;

use super::current;
use super::directed::INTERRUPT;
use super::wait::Wait;
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
        match self.0.suspend(deadline.map(nanos)) {
            Cause::WAKE => Ended::Woken,
            Cause::TIMEOUT => Ended::TimedOut,
            INTERRUPT => Ended::Interrupted,
            cause => unreachable!("nobody else ends the wait: {cause:?}"),
        }
    }

    #[inline]
    pub(crate) fn forgo(self) {
        let _ = self.0.disarm();
    }
}

/// A moment as the waits have it, in nanoseconds of the monotonic clock.
pub(crate) fn nanos(moment: Instant) -> u64 {
    let left = moment.saturating_duration_since(Instant::now());
    clock::now().saturating_add(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX))
}
