//! A coroutine's part of a [`Waiting`](crate::Waiting): a [`Wait`] that others end.

use std::time::Instant;

use lisle_core::Cause;

use super::current;
use super::directed::INTERRUPT;
use super::wait::Wait;
use crate::waiting::Ended;

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
        match self.0.suspend(deadline.map(super::nanos)) {
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
