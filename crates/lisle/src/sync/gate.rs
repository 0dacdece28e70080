//! Something that is open or closed, and that any number wait to pass: the common ground of
//! [`Event`](super::Event) and [`WaitGroup`](super::WaitGroup).
//!
//! ```text
//!   reasons to be closed      0 ----> 1 ----> 2 ----> 1 ----> 0        the round is over:
//!                            open   closed                   open     who waits in it passes
//! ```
//!
//! Who waits when the gate opens passes, even if it is closed again at once. So those in line note
//! the round that they came in, and whoever opens the gate lets pass all of earlier rounds. They
//! are first in the line.
//!
//! Who opens it wakes one at a time and gives the lock back in between: a thousand in line must not
//! keep others from the lock. Rejected: taking the whole line out at once. Those in it whose time
//! is over must find themselves in the queue that they left.

use std::ptr;
use std::time::Instant;

use lisle_rt::{ShortLock, Stop};

use super::line::{Line, Outcome, stand};
use crate::waiters::Queue;

pub(super) struct Gate(ShortLock<State>);

struct State {
    /// Reasons to be closed.
    reasons: usize,
    /// How often it was opened.
    round: usize,
    queue: Queue,
}

impl Line for State {
    fn queue(&mut self) -> &mut Queue {
        &mut self.queue
    }
}

impl Gate {
    pub(super) const fn new(reasons: usize) -> Self {
        Gate(ShortLock::new(State { reasons, round: 0, queue: Queue::new() }))
    }

    pub(super) fn reasons(&self) -> usize {
        self.0.lock().reasons
    }

    /// Changes the number of reasons. `change` is called with the lock held.
    pub(super) fn change(&self, change: impl FnOnce(usize) -> usize) {
        let mut state = self.0.lock();
        let before = state.reasons;
        state.reasons = change(before);
        if before == 0 || state.reasons != 0 {
            return;
        }
        state.round += 1;
        let round = state.round;
        loop {
            let is_earlier = state.queue.first_slot().is_some_and(|slot| slot.addr() < round);
            let next = if is_earlier { state.queue.claim(None) } else { None };
            drop(state);
            match next {
                Some(next) => next.whom.wake(),
                None => return,
            }
            state = self.0.lock();
        }
    }

    /// Waits until it is open, at most until the deadline. Whether it was.
    ///
    /// # Errors
    /// The caller is to stop.
    pub(super) fn pass(&self, deadline: Option<Instant>) -> Result<bool, Stop> {
        let outcome = stand(&self.0, deadline, |state, shown| {
            let was_open = shown.is_some_and(|round| round.addr() < state.round);
            let passes = was_open || state.reasons == 0;
            if passes { Ok(()) } else { Err(ptr::without_provenance_mut(state.round)) }
        });
        match outcome {
            Outcome::Served => Ok(true),
            Outcome::TimedOut => Ok(false),
            Outcome::Stopped(stop) => Err(stop),
        }
    }
}
