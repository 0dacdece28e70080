//! Standing in line: the wait in a single queue, which the parts of `sync` share.
//!
//! Who is in line keeps its place through whatever interrupts the wait; it leaves when its turn has
//! come, when its time is over, or when it is to stop.

use std::time::Instant;

use lisle_rt::{Ended, ShortLock, Stop, Waiting};

use crate::waiters::{Queue, Record, Wait, Whom};

/// A state with a queue of those who wait for it to change.
pub(crate) trait Line {
    fn queue(&mut self) -> &mut Queue;
}

/// How the wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// What was waited for is there, or was given to the caller.
    Served,
    /// The deadline passed. The caller has left the line.
    TimedOut,
    /// The caller is to stop, and has left the line.
    Stopped(Stop),
}

/// Looks under the lock whether what the caller wants is there, and stands in line if not: `look`
/// returns what the others in line get to see. Whoever claims the wait has served the caller.
pub(crate) fn stand<S: Line>(
    lock: &ShortLock<S>,
    deadline: Option<Instant>,
    look: impl Fn(&mut S) -> Result<(), *mut ()>,
) -> Outcome {
    let (wait, record) = (Wait::single(), Record::new());
    let mut stands = false;
    loop {
        let waiting = Waiting::begin();
        let mut state = lock.lock();
        let served =
            if stands { !record.is_queued() } else { join(&mut *state, &record, &wait, &look) };
        if served {
            drop(state);
            waiting.forgo();
            return Outcome::Served;
        }
        stands = true;
        // SAFETY: the wait is in this queue alone, whose lock is held.
        let before = unsafe { wait.set_whom(Whom::Waiting(waiting.waker())) };
        drop(state);
        let ended = waiting.wait(deadline);
        drop(before);
        let outcome = match ended {
            Ended::Woken => return Outcome::Served,
            Ended::Interrupted => continue,
            Ended::TimedOut => Outcome::TimedOut,
            Ended::Stopped(stop) => Outcome::Stopped(stop),
        };
        // SAFETY: it is in this queue or in none.
        let left = unsafe { lock.lock().queue().remove(&record) };
        // Who was claimed meanwhile was served.
        return if left { outcome } else { Outcome::Served };
    }
}

/// Joins the line unless what is wanted is there: then true.
fn join<S: Line>(
    state: &mut S,
    record: &Record,
    wait: &Wait,
    look: impl Fn(&mut S) -> Result<(), *mut ()>,
) -> bool {
    let Err(slot) = look(state) else { return true };
    // SAFETY: both are in no queue yet, and stay in `stand`, which does not end before they have
    // left; the slot is a number.
    unsafe { state.queue().push(record, wait, 0, slot) };
    false
}
