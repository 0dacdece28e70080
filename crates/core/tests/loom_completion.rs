//! Models of a request's word: a coroutine that gives up waiting still leaves only after the
//! kernel's answer, and is always told of it.
#![cfg(loom)]

use lisle_core::{Cause, Completion, WaitWord, Woken};
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Notify};
use loom::thread;

/// A coroutine with one request, reduced to what the wait is about.
struct Coroutine {
    wait: WaitWord,
    request: Completion,
    /// Written by the reaper, read by the coroutine.
    result: UnsafeCell<u32>,
    /// Stands for the run queue: notified by whoever has to make the coroutine runnable.
    runnable: Notify,
}

// SAFETY: the words decide who may touch the cell; that is what the models check.
unsafe impl Sync for Coroutine {}
// SAFETY: it holds nothing that belongs to a thread.
unsafe impl Send for Coroutine {}

/// Ends a wait and, as its owner, makes the coroutine runnable.
fn wake(coroutine: &Coroutine, ticket: lisle_core::Ticket, cause: Cause) {
    if coroutine.wait.wake(ticket, cause) == Woken::Owner {
        coroutine.runnable.notify();
    }
}

/// Leaves the stack and comes back: the carrier's part, then that of whoever resumes it.
fn suspend(coroutine: &Coroutine) -> Cause {
    if coroutine.wait.commit() {
        coroutine.runnable.wait();
    }
    coroutine.wait.finish()
}

#[test]
fn deadline_and_completion() {
    loom::model(|| {
        let wait = WaitWord::new();
        let first = wait.arm();
        let coroutine = Arc::new(Coroutine {
            wait,
            request: Completion::new(first),
            result: UnsafeCell::new(0),
            runnable: Notify::new(),
        });
        let reaper = {
            let coroutine = coroutine.clone();
            thread::spawn(move || {
                // SAFETY: before `complete`, the result is the reaper's.
                coroutine.result.with_mut(|result| unsafe { *result = 7 });
                let ticket = coroutine.request.complete();
                wake(&coroutine, ticket, Cause::WAKE);
            })
        };
        let timer = {
            let coroutine = coroutine.clone();
            thread::spawn(move || wake(&coroutine, first, Cause::TIMEOUT))
        };
        let _ = suspend(&coroutine);
        while !coroutine.request.is_done() {
            let second = coroutine.wait.arm();
            let from = coroutine.request.ticket().unwrap_or(second);
            if coroutine.request.rearm(from, second) {
                let _ = suspend(&coroutine);
            } else {
                let _ = coroutine.wait.disarm();
            }
        }
        // SAFETY: complete, so the result is the coroutine's.
        assert_eq!(coroutine.result.with(|result| unsafe { *result }), 7);
        timer.join().unwrap();
        reaper.join().unwrap();
        // Whatever is left in the words loses against the next wait.
        let third = coroutine.wait.arm();
        assert_eq!(coroutine.wait.wake(first, Cause::TIMEOUT), Woken::Lost);
        assert_eq!(coroutine.wait.wake(third, Cause::WAKE), Woken::Early);
    });
}
