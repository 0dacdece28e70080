//! The account of searching and sleeping workers, of which each call that takes its lock is a
//! section: handlers wake coroutines, and thereby workers.

use super::section;

/// See [`lisle_core::Idle`], which tells the protocol.
pub(crate) struct Idle(lisle_core::Idle);

impl Idle {
    pub(crate) fn with_reserve(workers: u32, reserve: u32) -> Self {
        Idle(lisle_core::Idle::with_reserve(workers, reserve))
    }

    pub(crate) fn join(&self) {
        self.0.join();
    }

    pub(crate) fn retire(&self, searching: bool) -> bool {
        self.0.retire(searching)
    }

    pub(crate) fn start_search(&self) -> bool {
        self.0.start_search()
    }

    pub(crate) fn stop_search(&self) -> bool {
        self.0.stop_search()
    }

    pub(crate) fn sleep(&self, worker: u32, searching: bool) -> bool {
        section::within(|| self.0.sleep(worker, searching))
    }

    /// In most cases a fence and a look: whoever wants to wake pays for a section only if there is
    /// a need.
    #[inline]
    pub(crate) fn wake_one(&self) -> Option<u32> {
        if self.0.wants_one() { section::within(|| self.0.wake_one()) } else { None }
    }

    pub(crate) fn wake_specific(&self, worker: u32) -> bool {
        section::within(|| self.0.wake_specific(worker))
    }

    pub(crate) fn leave(&self, worker: u32) -> bool {
        section::within(|| self.0.leave(worker))
    }

    pub(crate) fn sleepers(&self) -> u32 {
        self.0.sleepers()
    }
}
