//! What the two kinds of systems share when tasks sleep: how long, and by how much they were late.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::process::cpu_time;
use crate::quantiles::Times;
use crate::random::Random;
use crate::{Outcome, report};

/// By how much the sleep since `start` was too long.
pub(crate) fn lateness(start: Instant, asked: Duration) -> Duration {
    let elapsed = start.elapsed();
    assert!(elapsed >= asked, "woken {:?} too early", asked - elapsed);
    elapsed - asked
}

/// Tasks that sleep once, each for a time of its own.
pub(crate) struct Sleepers {
    lateness: Box<[AtomicU64]>,
    used_before: Duration,
}

impl Sleepers {
    /// `tasks` tasks are about to be started.
    pub(crate) fn new(tasks: usize) -> Outcome<Self> {
        let lateness = (0..tasks).map(|_| AtomicU64::new(0)).collect();
        Ok(Sleepers { lateness, used_before: cpu_time()? })
    }

    /// How long task `index` is to sleep: 10 to 1000 ms.
    pub(crate) fn nap(index: usize) -> Duration {
        Duration::from_micros(10_000 + Random::new(index).below(990_000))
    }

    /// Task `index` has slept since `start`.
    pub(crate) fn woke(&self, index: usize, start: Instant) {
        let lateness = lateness(start, Self::nap(index)).as_nanos() as u64;
        self.lateness[index].store(lateness, Ordering::Relaxed);
    }

    /// Reports what was noted, when all have been joined.
    pub(crate) fn report(&self) -> Outcome<()> {
        let used = cpu_time()? - self.used_before;
        let times: Times = self.lateness.iter().map(|time| time.load(Ordering::Relaxed)).collect();
        times.report(&[("late_p50", 0.5), ("late_p99", 0.99), ("late_max", 1.0)]);
        report("cpu", used.as_secs_f64() * 1e3, "ms");
        Ok(())
    }
}
