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
///
/// Who gives up looks once more, and shows what it has shown the others: what came in time counts,
/// although whoever lets go on has not come to the caller yet.
pub(crate) fn stand<S: Line>(
    lock: &ShortLock<S>,
    deadline: Option<Instant>,
    look: impl Fn(&mut S, Option<*mut ()>) -> Result<(), *mut ()>,
) -> Outcome {
    let (wait, record) = (Wait::single(), Record::new());
    let mut shown = None;
    loop {
        let waiting = Waiting::begin();
        let mut state = lock.lock();
        let served = match shown {
            Some(_) => !record.is_queued(),
            None => match look(&mut *state, None) {
                Ok(()) => true,
                Err(slot) => {
                    shown = Some(slot);
                    // SAFETY: both are in no queue yet, and stay here until they have left this
                    // one; the slot is a number.
                    unsafe { state.queue().push(&record, &wait, 0, slot) };
                    false
                }
            },
        };
        if served {
            drop(state);
            waiting.forgo();
            return Outcome::Served;
        }
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
        let mut state = lock.lock();
        // SAFETY: it is in this queue or in none.
        let left = unsafe { state.queue().remove(&record) };
        // Who was claimed meanwhile was served.
        let served = !left || look(&mut *state, shown).is_ok();
        return if served { Outcome::Served } else { outcome };
    }
}
