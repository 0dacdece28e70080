//! Suspending the running coroutine until somebody or something ends its wait.
//!
//! Every wait is the same four steps, whatever is waited for:
//!
//! ```text
//!   1. arm        a ticket for this wait            (wait word: ARMED)
//!   2. register   the ticket with event sources     lot, slot of a descriptor, alarm
//!   3. suspend    leave the stack, then commit      (ARMED -> PARKED, or it was woken meanwhile)
//!   4. finish     learn the cause, unregister       (RUNNING)
//! ```
//!
//! A source ends the wait by `WaitWord::wake(ticket, cause)`. The word lets one of them win and
//! says whether the winner must make the coroutine runnable (its stack has been left) or the
//! coroutine itself will notice (it has not). Tickets of earlier waits lose.

use lisle_core::{Cause, Ticket, Woken};

use super::current::{self, Here};
use super::directed;
use super::mask::LOOK;
use super::shared;
use super::task::{BUDGET, Ran, Task};
use super::worker::Alarm;
use crate::extent;

/// A wait that has begun: steps 2 to 4.
pub(crate) struct Wait {
    here: Here,
    ticket: Ticket,
}

impl Wait {
    /// Step 1.
    #[inline]
    pub(crate) fn arm(here: Here) -> Self {
        let ticket = here.task.wait.arm();
        Wait { here, ticket }
    }

    /// Whom to wake, for step 2.
    #[inline]
    pub(crate) fn alarm(&self) -> Alarm {
        Alarm { task: self.here.task, ticket: self.ticket }
    }

    /// The wait is off: what was waited for is there. `Err` if a source ended it first.
    pub(crate) fn disarm(self) -> Result<(), Cause> {
        self.here.task.wait.disarm()
    }

    /// A signal came before the wait began in earnest.
    #[cold]
    fn interrupted(self) -> Cause {
        let task = self.here.task;
        let cause = task.wait.disarm().err().unwrap_or(directed::INTERRUPT);
        task.ran.set(Ran::Nothing);
        directed::deliver(task);
        cause
    }

    /// Steps 3 and 4: suspends until woken, or until the deadline in nanoseconds of the monotonic
    /// clock. The sources must be told afterwards that the ticket is void.
    ///
    /// The cause is [`INTERRUPT`](directed::INTERRUPT) if a signal came for the coroutine, whose
    /// handler has run; `signals::interrupts` tells whether the wait is over.
    #[inline]
    pub(crate) fn suspend(self, deadline: Option<u64>) -> Cause {
        if self.here.task.mask.word() & LOOK != 0 {
            return self.interrupted();
        }
        let alarm = deadline.map(|deadline| self.here.worker.set_alarm(deadline, self.alarm()));
        let (task, worker) = (self.here.task, self.here.worker);
        if !task.wait.is_woken() {
            let commit = || {
                if !task.wait.commit() {
                    // SAFETY: woken between arming and leaving, so the coroutine is still this
                    // carrier's, on whose thread the commit runs.
                    unsafe { worker.ready(task) };
                }
            };
            // SAFETY: the running coroutine, its carrier, its worker; `next_local` gives away what
            // it returns; and whoever wakes us before the commit leaves us to it.
            unsafe {
                let next = worker.next_local();
                self.here.leave(next, commit);
            }
            task.budget.set(BUDGET);
        }
        let cause = task.wait.finish();
        if let Some(alarm) = alarm
            && cause != Cause::TIMEOUT
        {
            alarm.cancel();
        }
        if task.mask.word() & LOOK != 0 {
            directed::deliver(task);
        }
        cause
    }
}

impl Wait {
    /// As [`suspend`](Self::suspend), in a wait that deadlines around the caller end: by
    /// [`INTERRUPT`](directed::INTERRUPT), and [`extent::stopped`] tells why. Whoever calls this
    /// has asked that first.
    #[inline]
    pub(crate) fn suspend_stoppably(self, deadline: Option<u64>) -> Cause {
        match extent::limit() {
            extent::NEVER => self.suspend(deadline),
            limit => self.suspend_within(limit, deadline),
        }
    }

    #[cold]
    fn suspend_within(self, limit: u64, deadline: Option<u64>) -> Cause {
        if deadline.is_some_and(|deadline| deadline <= limit) {
            return self.suspend(deadline);
        }
        match self.suspend(Some(limit)) {
            Cause::TIMEOUT => directed::INTERRUPT,
            cause => cause,
        }
    }
}

impl Alarm {
    /// Ends the wait, from any thread. Returns whether it was still going on.
    pub(crate) fn wake(self, cause: Cause) -> bool {
        match self.task.wait.wake(self.ticket, cause) {
            Woken::Lost => false,
            Woken::Early => true,
            Woken::Owner => {
                make_ready(self.task);
                true
            }
        }
    }
}

/// Makes a coroutine runnable that the caller owns, from any thread, and from signal handlers:
/// those may have interrupted the worker's own thread at its run queue, and count as native
/// sections.
pub(crate) fn make_ready(task: &'static Task) {
    match current::suspendable() {
        // SAFETY: it is this thread's worker; the caller owns the task.
        Some(here) => unsafe { here.worker.ready(task) },
        // SAFETY: the caller owns the task.
        None => unsafe { shared::shared().inject(task) },
    }
}
