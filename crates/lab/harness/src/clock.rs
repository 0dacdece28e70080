//! How long to repeat: as often as fills the time that was asked for.
//!
//! Systems differ by a factor of a thousand in some cases, so a fixed count would be too short for
//! one and last for ever with another. Short trials find the count; they are also the warm-up, and
//! the figure comes from the last, full run alone.
//!
//! A [`Pace`] is asked for counts in a loop and not given a closure, so that the same code serves
//! cases that block and cases that await.

use std::time::{Duration, Instant};

/// Number of repetitions of a run.
pub(crate) type Count = u64;

/// The first trial's count.
const FIRST: Count = 64;

/// Finds the count that fills a time.
///
/// ```text
/// let mut pace = Pace::new(target);
/// while let Some(count) = pace.next() {
///     pace.took(run(count));
/// }
/// pace.ns_per(1)
/// ```
pub(crate) struct Pace {
    target: Duration,
    count: Count,
    elapsed: Duration,
    state: State,
}

enum State {
    /// The next run is too short to judge by.
    Trial,
    /// The next run gives the figure.
    Last,
    Over,
}

impl Pace {
    pub(crate) fn new(target: Duration) -> Self {
        Pace { target, count: FIRST, elapsed: Duration::ZERO, state: State::Trial }
    }

    /// The count of the next run, until there is a figure.
    pub(crate) fn next(&self) -> Option<Count> {
        match self.state {
            State::Trial | State::Last => Some(self.count),
            State::Over => None,
        }
    }

    /// Notes how long that run took.
    pub(crate) fn took(&mut self, elapsed: Duration) {
        if let State::Last = self.state {
            self.elapsed = elapsed;
            self.state = State::Over;
            return;
        }
        let ratio = self.target.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
        if ratio <= 4.0 {
            self.count = ((self.count as f64 * ratio) as Count).max(1);
            self.state = State::Last;
        } else {
            // Not at once: the first trials are slower than what follows them, or luckier.
            self.count = (self.count as f64 * (ratio / 2.0).min(16.0)) as Count;
        }
    }

    /// [`took`](Self::took) the time since `start`.
    pub(crate) fn took_since(&mut self, start: Instant) {
        self.took(start.elapsed());
    }

    /// The count of the last run.
    pub(crate) fn count(&self) -> Count {
        self.count
    }

    /// Nanoseconds per operation of the last run, of `operations` in each repetition.
    pub(crate) fn ns_per(&self, operations: usize) -> f64 {
        self.elapsed.as_nanos() as f64 / (self.count as f64 * operations as f64)
    }
}

/// Nanoseconds of each of `operations` that took `elapsed` in all.
pub(crate) fn ns_each(elapsed: Duration, operations: usize) -> f64 {
    elapsed.as_nanos() as f64 / operations as f64
}

/// The number of waves of `size` operations that make up `count` of them.
pub(crate) fn waves_of(size: usize, count: Count) -> Count {
    count.div_ceil(size as Count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(target: Duration, each: Duration) -> Pace {
        let mut pace = Pace::new(target);
        while let Some(count) = pace.next() {
            pace.took(each * count as u32);
        }
        pace
    }

    #[test]
    fn count_fills_the_target() {
        let pace = run(Duration::from_millis(10), Duration::from_nanos(50));
        assert_eq!(pace.count(), 200_000);
        assert_eq!(pace.ns_per(2), 25.0);
    }

    #[test]
    fn slow_operations_run_at_least_once() {
        assert_eq!(run(Duration::from_millis(1), Duration::from_secs(1)).count(), 1);
    }

    #[test]
    fn waves_cover_the_count() {
        assert_eq!(waves_of(1000, 64), 1);
        assert_eq!(waves_of(1000, 2001), 3);
    }
}
