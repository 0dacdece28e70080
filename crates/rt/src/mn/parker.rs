//! `park` and `unpark`: one token per coroutine.
//!
//! | `Task::parker` | meaning | set by |
//! |---|---|---|
//! | EMPTY | no token | the parker, when it takes the token or gives up waiting |
//! | TOKEN | `unpark` was called | an unparker, by swap |
//! | WAITING | suspended; above the state, the low bits of its ticket | the parker, from EMPTY |
//! | BLOCKED | its OS thread sleeps on this word | the parker, from EMPTY |
//!
//! An unparker swaps TOKEN in and wakes whom the old value names. If that is WAITING, it reads the
//! current ticket from the wait word. By then the wait may have ended by its deadline, and the
//! coroutine, or the next on this header, may wait for something else, which must not be ended: so
//! the ticket is used only if it has the low bits that the word had.

use std::sync::atomic::Ordering;

use lisle_core::{Cause, Ticket};
use lisle_sys::futex;

use super::current;
use super::task::Task;
use super::wait::Wait;
use super::worker::Alarm;
use crate::extent;

const EMPTY: u32 = 0;
const TOKEN: u32 = 1;
const WAITING: u32 = 2;
const BLOCKED: u32 = 3;
const STATE: u32 = 3;

/// The word of a coroutine that waits with this ticket.
fn waiting(ticket: Ticket) -> u32 {
    ticket.low() << 2 | WAITING
}

/// Waits for the token of the running coroutine, at most until the deadline, and takes it.
pub(crate) fn park(task: &'static Task, deadline: Option<u64>) {
    let word = &task.parker;
    if word.compare_exchange(TOKEN, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_ok() {
        return;
    }
    match current::suspendable() {
        Some(here) => {
            let wait = Wait::arm(here);
            let state = waiting(wait.alarm().ticket);
            match word.compare_exchange(EMPTY, state, Ordering::AcqRel, Ordering::Acquire) {
                // Nobody has woken it, which `park` may do for no reason.
                Ok(_) if extent::stopped().is_some() => drop(wait.disarm()),
                Ok(_) => {
                    wait.suspend_stoppably(deadline);
                }
                // The token came. Nobody has the ticket, so the wait cannot have ended.
                Err(_) => drop(wait.disarm()),
            }
        }
        None => {
            let slept = word.compare_exchange(EMPTY, BLOCKED, Ordering::AcqRel, Ordering::Acquire);
            if slept.is_ok() && extent::stopped().is_none() {
                let limit = Some(extent::limit()).filter(|limit| *limit != extent::NEVER);
                let deadline = deadline.into_iter().chain(limit).min();
                // An early return is a spurious one, which `park` may have.
                let _ = futex::wait(word, BLOCKED, deadline);
            }
        }
    }
    word.swap(EMPTY, Ordering::Acquire);
}

/// Leaves the token for `task` and wakes it if it waits for it.
pub(crate) fn unpark(task: &'static Task) {
    let old = task.parker.swap(TOKEN, Ordering::AcqRel);
    match old & STATE {
        WAITING => {
            let ticket = task.wait.ticket();
            if waiting(ticket) == old {
                Alarm { task, ticket }.wake(Cause::WAKE);
            }
        }
        BLOCKED => {
            futex::wake(&task.parker, 1);
        }
        _ => {}
    }
}

/// Has `task` look again if its OS thread sleeps in [`park`]. Whoever calls this has made a barrier
/// since there is something to be seen.
pub(crate) fn rouse(task: &'static Task) {
    let word = &task.parker;
    if word.compare_exchange(BLOCKED, TOKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
        futex::wake(word, 1);
    }
}
