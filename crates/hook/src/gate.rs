//! Calls that are nearly always quick: in place, as long as they are.
//!
//! Nothing tells beforehand whether a buffered write or a directory's next entries will wait for a
//! disk. Mostly they take a microsecond or two, where a hop takes tens; but now and then, when
//! there are too many dirty pages or a journal is being written, they take long, and then they do
//! so again and again. So each class of such calls has a [`Gate`]. While it is open they run in
//! place and are timed. Two in succession that take longer than [`SLOW`] shut it, and calls hop.
//! After a pause a single call is tried in place: if it is quick, the gate opens, else the next
//! pause is longer.
//!
//! The time is real time, so an OS thread that lost its processor meanwhile looks like a slow call.
//! That is why it takes two: on a busy machine a gate would often be shut for nothing else, and
//! calls that take a microsecond would hop for a tenth of a second.
//!
//! # Rejected
//!
//! 1. *Always hop.* Writing lines to a log would take twenty times as long.
//! 2. *`pwritev2` with `RWF_NOWAIT`.* A write may then be taken in part. Doing the rest by another
//!    call lets other writers come between, which tears lines of logs apart, and raises `SIGXFSZ`
//!    where the file's size is limited and the plain call would have been short. ext4 does not know
//!    the flag.

use std::sync::atomic::{AtomicU64, Ordering};

use lisle_sys::clock;

/// Nanoseconds that a call may take in place.
const SLOW: u64 = 200_000;
/// The first pause, in nanoseconds. Each further one is twice as long as the one before.
const PAUSE: u64 = 100_000_000;
const LONGEST_PAUSE: u64 = 10_000_000_000;

/// One class of calls; see the module.
///
/// Relaxed throughout: the word guards no memory, and a call that sees an old state of it is a
/// little slower, or runs in place once more.
pub(crate) struct Gate {
    /// | word | state |
    /// |---|---|
    /// | 0 | open |
    /// | [`DOUBTED`] | open; the latest call was slow |
    /// | a moment to come | shut until then |
    /// | a moment past | shut; the first call that moves the moment on is tried in place |
    ///
    /// The moment, in nanoseconds of the monotonic clock, has the number of the pause in its
    /// lowest bits: 1 for the first.
    word: AtomicU64,
}

const NUMBER: u64 = 15;
/// No number of a pause, and no moment.
const DOUBTED: u64 = NUMBER;
/// The number of the first of the longest pauses.
const LAST: u64 = 8;

/// A call that runs in place and is timed, until this is dropped.
pub(crate) struct Trial<'a> {
    gate: &'a Gate,
    /// The word as the call found it, or made it if it is the one that is tried.
    word: u64,
    began: u64,
}

impl Gate {
    pub(crate) const fn new() -> Self {
        Gate { word: AtomicU64::new(0) }
    }

    /// Runs a call in place or on a spare carrier.
    pub(crate) fn run<R>(&self, call: impl FnOnce() -> R) -> R {
        if !lisle_rt::can_suspend() {
            return call();
        }
        match self.begin() {
            Some(_trial) => call(),
            None => lisle_rt::blocking(call),
        }
    }

    /// Lets a call run in place, for as long as it holds what is returned. None if it is to hop.
    pub(crate) fn begin(&self) -> Option<Trial<'_>> {
        self.begin_at(clock::now())
    }

    fn begin_at(&self, now: u64) -> Option<Trial<'_>> {
        let mut word = self.word.load(Ordering::Relaxed);
        if word != 0 && word != DOUBTED {
            if now < word {
                return None;
            }
            // Whoever moves the moment on has the trial; the others see the gate shut.
            let next = shut(now, word & NUMBER);
            self.word.compare_exchange(word, next, Ordering::Relaxed, Ordering::Relaxed).ok()?;
            word = next;
        }
        Some(Trial { gate: self, word, began: now })
    }
}

impl Trial<'_> {
    fn end_at(&self, now: u64) {
        let slow = now.saturating_sub(self.began) > SLOW;
        let next = match self.word {
            _ if !slow => 0,
            0 => DOUBTED,
            DOUBTED => shut(now, 1),
            word => shut(now, (word & NUMBER) + 1),
        };
        if next != self.word {
            // Fails if another call has decided meanwhile: its word is as good.
            let _ = self.gate.word.compare_exchange(
                self.word,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.end_at(clock::now());
    }
}

/// The word of a gate that is shut from `now` on, for the pause of that number.
fn shut(now: u64, number: u64) -> u64 {
    let number = number.clamp(1, LAST);
    let pause = (PAUSE << (number - 1)).min(LONGEST_PAUSE);
    (now + pause) & !NUMBER | number
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries a call at `now` that takes `span`; whether it ran in place.
    fn call(gate: &Gate, now: u64, span: u64) -> bool {
        let Some(trial) = gate.begin_at(now) else { return false };
        trial.end_at(now + span);
        // Its end was told already.
        std::mem::forget(trial);
        true
    }

    #[test]
    fn open_while_calls_are_quick() {
        let gate = Gate::new();
        assert!((1..100).all(|step| call(&gate, step * 1_000, SLOW)));
    }

    #[test]
    fn a_slow_call_among_quick_ones_is_forgiven() {
        let gate = Gate::new();
        assert!((1..100).all(|step| call(&gate, step * 1_000, SLOW + step % 2)));
    }

    #[test]
    fn slow_calls_shut_it_for_a_pause() {
        let gate = Gate::new();
        assert!(call(&gate, 0, SLOW + 1));
        assert!(call(&gate, 1_000, SLOW + 1));
        assert!(!call(&gate, PAUSE, 1));
        assert!(call(&gate, PAUSE + SLOW + 1_001, 1));
        assert!(call(&gate, PAUSE + SLOW + 1_002, 1));
    }

    #[test]
    fn pauses_grow_and_one_call_at_a_time_is_tried() {
        let gate = Gate::new();
        let (mut now, mut last) = (1_000, 0);
        assert!(call(&gate, 0, SLOW + 1));
        for _ in 0..12 {
            let trial = gate.begin_at(now).expect("the pause is over");
            assert!(last == 0 || gate.begin_at(now).is_none(), "a second one is tried");
            now += 2 * SLOW;
            trial.end_at(now);
            std::mem::forget(trial);
            let pause = gate.word.load(Ordering::Relaxed) - now;
            assert!(pause > last || pause.abs_diff(LONGEST_PAUSE) <= NUMBER);
            last = pause;
            now += pause + NUMBER;
        }
        assert!(call(&gate, now, 1));
        assert_eq!(gate.word.load(Ordering::Relaxed), 0, "a quick call opens it");
    }
}
