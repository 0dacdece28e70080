//! `park` and `unpark`: one token per coroutine.
//!
//! | `Task::parker` | meaning | set by |
//! |---|---|---|
//! | EMPTY | no token | the parker, when it takes the token or gives up waiting |
//! | TOKEN | `unpark` was called | an unparker, by swap |
//! | WAITING | suspended, to be woken by its ticket | the parker, from EMPTY |
//! | BLOCKED | its OS thread sleeps on this word | the parker, from EMPTY |
//!
//! An unparker swaps TOKEN in and wakes whom the old value names. The current ticket can be read
//! from the wait word by then: the parker armed before it stored WAITING (Release), the unparker
//! read WAITING (Acquire). A later ticket cannot be hit: the parker waits for nothing else until
//! it has taken WAITING or TOKEN away again.

use std::sync::atomic::Ordering;

use lisle_core::Cause;
use lisle_sys::futex;

use super::current;
use super::task::Task;
use super::wait::Wait;
use super::worker::Alarm;

const EMPTY: u32 = 0;
const TOKEN: u32 = 1;
const WAITING: u32 = 2;
const BLOCKED: u32 = 3;

/// Waits for the token of the running coroutine, at most until the deadline, and takes it.
pub(crate) fn park(task: &'static Task, deadline: Option<u64>) {
    let word = &task.parker;
    if word.compare_exchange(TOKEN, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_ok() {
        return;
    }
    match current::suspendable() {
        Some((task, worker)) => {
            let wait = Wait::arm(task, worker);
            match word.compare_exchange(EMPTY, WAITING, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    wait.suspend(deadline);
                }
                // The token came. Nobody has the ticket, so the wait cannot have ended.
                Err(_) => drop(wait.disarm()),
            }
        }
        None => {
            let slept = word.compare_exchange(EMPTY, BLOCKED, Ordering::AcqRel, Ordering::Acquire);
            if slept.is_ok() {
                // An early return is a spurious one, which `park` may have.
                let _ = futex::wait(word, BLOCKED, deadline);
            }
        }
    }
    word.swap(EMPTY, Ordering::Acquire);
}

/// Leaves the token for `task` and wakes it if it waits for it.
pub(crate) fn unpark(task: &'static Task) {
    match task.parker.swap(TOKEN, Ordering::AcqRel) {
        WAITING => {
            Alarm { task, ticket: task.wait.ticket() }.wake(Cause::WAKE);
        }
        BLOCKED => {
            futex::wake(&task.parker, 1);
        }
        _ => {}
    }
}
