//! Giving way to others.
//!
//! A coroutine whose calls never have to wait, because what it reads is always there, would run for
//! ever. So each may make [`BUDGET`] calls on descriptors that end at once; before the next it goes
//! behind the others, and behind those that an event makes runnable meanwhile: with hundreds of
//! readers of cached files, one that waits for the network or a timer is still served first.

use super::current::{self, Here};
use super::task::BUDGET;

/// To be called before a call on a descriptor is tried. Whether the caller is a coroutine that can
/// suspend here; if so the call counts against its budget, and it may have to give way first.
#[inline]
pub fn begin_io() -> bool {
    let Some(here) = current::suspendable() else { return false };
    match here.task.budget.get() {
        0 => step_aside(&here),
        left => here.task.budget.set(left - 1),
    }
    true
}

#[cold]
fn step_aside(here: &Here) {
    let Here { task, worker, .. } = *here;
    task.budget.set(BUDGET);
    // SAFETY: the running coroutine, its worker, its carrier; the commit runs on the worker's
    // thread and gives the coroutine away once its stack has been left.
    unsafe {
        let next = worker.next_local();
        if next.is_some() || worker.wants_look() {
            here.leave(next, || worker.set_aside(task));
        }
    }
}

/// Lets the other runnable coroutines of this worker run first.
pub fn yield_now() {
    let Some(here) = current::suspendable() else {
        lisle_sys::thread::yield_now();
        return;
    };
    let Here { task, worker, .. } = here;
    // SAFETY: as in `step_aside`.
    unsafe {
        let next = worker.next_local();
        if next.is_none() && !worker.wants_look() {
            return;
        }
        task.budget.set(BUDGET);
        here.leave(next, || worker.requeue(task));
    }
}
