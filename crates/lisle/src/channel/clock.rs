//! Channels that time fills: [`after`](super::after), [`at`](super::at), [`tick`](super::tick).
//!
//! Nobody sends. A clock says when there will be something, and its receiver waits until then; so
//! that it costs neither a coroutine nor a thread, and nothing at all while nobody receives.

use std::time::{Duration, Instant};

use lisle_rt::{Ended, ShortLock, Waiting};

use super::chan::Failed;

/// What a clock still has to give.
pub(super) struct Clock {
    /// The moment of the next message; none if there is none any more.
    next: ShortLock<Option<Instant>>,
    /// From one to the next; none if there is one only.
    every: Option<Duration>,
}

impl Clock {
    pub(super) fn new(next: Instant, every: Option<Duration>) -> Self {
        Clock { next: ShortLock::new(Some(next)), every }
    }

    /// When there will be something.
    pub(super) fn next(&self) -> Option<Instant> {
        *self.next.lock()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next().is_none_or(|next| Instant::now() < next)
    }

    pub(super) fn try_recv(&self) -> Result<Instant, Failed> {
        let now = Instant::now();
        let mut next = self.next.lock();
        match *next {
            Some(moment) if moment <= now => {
                // Ticks that nobody took are skipped.
                *next = self.every.and_then(|every| now.checked_add(every));
                Ok(moment)
            }
            _ => Err(Failed::Now),
        }
    }

    pub(super) fn recv(&self, until: Option<Instant>) -> Result<Instant, Failed> {
        loop {
            if let Ok(moment) = self.try_recv() {
                return Ok(moment);
            }
            let next = self.next();
            let earliest = next.into_iter().chain(until).min();
            match sleep(earliest) {
                Failed::TimedOut if until.is_some_and(|until| until <= Instant::now()) => {
                    return self.try_recv().map_err(|_| Failed::TimedOut);
                }
                stopped @ Failed::Stopped(_) => return Err(stopped),
                _ => {}
            }
        }
    }
}

/// Waits for nothing but the deadline; how it ended.
pub(super) fn sleep(until: Option<Instant>) -> Failed {
    match Waiting::begin().wait(until) {
        Ended::Stopped(stop) => Failed::Stopped(stop),
        Ended::TimedOut => Failed::TimedOut,
        Ended::Woken | Ended::Interrupted => Failed::Now,
    }
}

/// Waits for what never comes.
pub(super) fn never(until: Option<Instant>) -> Failed {
    loop {
        match sleep(until) {
            Failed::Now => {}
            ended => return ended,
        }
    }
}
