//! Until when to wait for a lock.

use libc::{clockid_t, timespec};
use lisle_rt::lot::Until;
use lisle_sys::clock;

/// A moment of one of the clocks that locks know.
#[derive(Clone, Copy)]
pub(in crate::call) struct Deadline {
    pub(in crate::call) clock: clockid_t,
    pub(in crate::call) time: timespec,
}

impl Deadline {
    /// Whether locks can be waited for by this clock.
    pub(in crate::call) fn knows(clock: clockid_t) -> bool {
        matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_MONOTONIC)
    }

    /// None if the nanoseconds are not below a second.
    ///
    /// # Safety
    /// `time` is a live timespec.
    pub(in crate::call) unsafe fn read(clock: clockid_t, time: *const timespec) -> Option<Self> {
        // SAFETY: the caller's obligation.
        let time = unsafe { *time };
        (0..1_000_000_000).contains(&time.tv_nsec).then_some(Deadline { clock, time })
    }

    /// How long to wait from now. The clock of real time may be set, so it is looked at again
    /// after a second at the latest.
    pub(in crate::call) fn until(&self) -> Until {
        const LOOK_AGAIN: u64 = 1_000_000_000;
        let seconds = u64::try_from(self.time.tv_sec).unwrap_or(0);
        let moment = seconds.saturating_mul(1_000_000_000).saturating_add(self.nanos());
        let monotonic = clock::now();
        if self.clock == libc::CLOCK_MONOTONIC {
            return if moment > monotonic { Until::At(moment) } else { Until::Past };
        }
        match moment.saturating_sub(real_time()) {
            0 => Until::Past,
            left => Until::At(monotonic + left.min(LOOK_AGAIN)),
        }
    }

    /// Before 1970, the moment is as past as 1970 itself.
    fn nanos(&self) -> u64 {
        if self.time.tv_sec < 0 { 0 } else { self.time.tv_nsec as u64 }
    }
}

/// No deadline, in the form in which hooks ask for one.
pub(in crate::call) fn never() -> Option<Option<Deadline>> {
    Some(None)
}

/// Until when: for ever if there is no deadline.
pub(in crate::call) fn until(deadline: Option<Deadline>) -> Until {
    deadline.map_or(Until::Never, |deadline| deadline.until())
}

fn real_time() -> u64 {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live place; the clock exists.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
