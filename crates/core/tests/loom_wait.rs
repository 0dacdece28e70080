//! Models of the wait word: a wait has one winner, and the coroutine is made runnable once.
#![cfg(loom)]

use lisle_core::{Cause, Ticket, WaitWord, Woken};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread::{self, JoinHandle};

/// A coroutine reduced to what a wait is about.
struct Coroutine {
    word: WaitWord,
    /// Written until the stack is left, and again by whoever resumes.
    stack: UnsafeCell<u32>,
    /// Written by the winner before it wakes, read by the resumed coroutine.
    gift: UnsafeCell<Option<Cause>>,
    resumed: AtomicUsize,
}

// SAFETY: the word decides who may touch the cells; that is what the models check.
unsafe impl Sync for Coroutine {}
// SAFETY: it holds nothing that belongs to a thread.
unsafe impl Send for Coroutine {}

impl Coroutine {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            word: WaitWord::new(),
            stack: UnsafeCell::new(0),
            gift: UnsafeCell::new(None),
            resumed: AtomicUsize::new(0),
        })
    }

    /// What is done by the one who has to make the coroutine runnable; here it runs at once.
    fn resume(&self) -> Cause {
        self.resumed.fetch_add(1, Relaxed);
        // SAFETY: the resumer is alone with the stack; loom checks that it sees the last write.
        self.stack.with_mut(|stack| unsafe { *stack += 1 });
        self.word.finish()
    }

    /// The carrier's side: leave the stack, commit, resume if too late.
    fn leave(&self) -> Option<Cause> {
        // SAFETY: the stack is the carrier's until `commit`.
        self.stack.with_mut(|stack| unsafe { *stack += 1 });
        if self.word.commit() { None } else { Some(self.resume()) }
    }
}

/// A source that fires in a thread of its own; the cause, if it had to resume the coroutine.
fn source(
    coroutine: &Arc<Coroutine>,
    ticket: Ticket,
    cause: Cause,
) -> JoinHandle<(Woken, Option<Cause>)> {
    let coroutine = coroutine.clone();
    thread::spawn(move || {
        let woken = coroutine.word.wake(ticket, cause);
        (woken, (woken == Woken::Owner).then(|| coroutine.resume()))
    })
}

#[test]
fn waker_and_commit_agree() {
    loom::model(|| {
        let coroutine = Coroutine::new();
        let ticket = coroutine.word.arm();
        let waker = {
            let coroutine = coroutine.clone();
            thread::spawn(move || {
                // SAFETY: the only waker, so nobody else writes, and the coroutine does not read
                // yet.
                coroutine.gift.with_mut(|gift| unsafe { *gift = Some(Cause::WAKE) });
                let woken = coroutine.word.wake(ticket, Cause::WAKE);
                (woken, (woken == Woken::Owner).then(|| coroutine.resume()))
            })
        };
        let left = coroutine.leave();
        if left.is_some() {
            // SAFETY: resumed here; loom checks that the waker's write is seen.
            assert_eq!(coroutine.gift.with(|gift| unsafe { *gift }), left);
        }
        let (woken, resumed) = waker.join().unwrap();
        assert_eq!(left.is_some(), woken == Woken::Early);
        assert_eq!(left.or(resumed), Some(Cause::WAKE));
        assert_eq!(coroutine.resumed.load(Relaxed), 1);
    });
}

#[test]
fn one_of_two_wakers_wins() {
    loom::model(|| {
        let coroutine = Coroutine::new();
        let ticket = coroutine.word.arm();
        let wake = source(&coroutine, ticket, Cause::WAKE);
        let timeout = source(&coroutine, ticket, Cause::TIMEOUT);
        let left = coroutine.leave();
        let ((by_wake, a), (by_timeout, b)) = (wake.join().unwrap(), timeout.join().unwrap());

        assert!((by_wake == Woken::Lost) != (by_timeout == Woken::Lost));
        assert_eq!(coroutine.resumed.load(Relaxed), 1);
        let cause = left.or(a).or(b);
        let winner = if by_wake == Woken::Lost { Cause::TIMEOUT } else { Cause::WAKE };
        assert_eq!(cause, Some(winner));
        let owners = [by_wake, by_timeout].iter().filter(|&&woken| woken == Woken::Owner).count();
        assert_eq!(owners + usize::from(left.is_some()), 1);
    });
}

#[test]
fn stale_ticket_loses() {
    loom::model(|| {
        let coroutine = Coroutine::new();
        let stale = coroutine.word.arm();
        let late = source(&coroutine, stale, Cause::TIMEOUT);
        // The first wait ends in one of two ways, and the second must end by its own waker only.
        let first = coroutine.word.disarm();
        let ticket = coroutine.word.arm();
        let waker = source(&coroutine, ticket, Cause::WAKE);
        let left = coroutine.leave();
        let (woken, resumed) = waker.join().unwrap();
        assert_ne!(woken, Woken::Lost);
        assert_eq!(left.or(resumed), Some(Cause::WAKE));

        let expected = if first == Err(Cause::TIMEOUT) { Woken::Early } else { Woken::Lost };
        assert_eq!(late.join().unwrap(), (expected, None));
        assert_eq!(coroutine.resumed.load(Relaxed), 1);
    });
}

#[test]
fn disarm_and_waker_agree() {
    loom::model(|| {
        let coroutine = Coroutine::new();
        let ticket = coroutine.word.arm();
        let waker = {
            let coroutine = coroutine.clone();
            thread::spawn(move || {
                // SAFETY: the coroutine reads only after losing to this waker.
                coroutine.gift.with_mut(|gift| unsafe { *gift = Some(Cause::CLOSED) });
                coroutine.word.wake(ticket, Cause::CLOSED)
            })
        };
        let disarmed = coroutine.word.disarm();
        if let Err(cause) = disarmed {
            // SAFETY: the waker won, so its write is done; loom checks that it is seen.
            assert_eq!(coroutine.gift.with(|gift| unsafe { *gift }), Some(cause));
        }
        let expected = if disarmed.is_ok() { Woken::Lost } else { Woken::Early };
        assert_eq!(waker.join().unwrap(), expected);
        assert!(!coroutine.word.is_woken());
    });
}

#[test]
fn second_wait_starts_where_the_first_was_resumed() {
    loom::model(|| {
        let coroutine = Coroutine::new();
        let first = coroutine.word.arm();
        let waker = {
            let coroutine = coroutine.clone();
            thread::spawn(move || {
                if coroutine.word.wake(first, Cause::WAKE) != Woken::Owner {
                    return None;
                }
                coroutine.resume();
                // Waits again, on this thread now, and nobody has the new ticket.
                Some((coroutine.word.arm(), coroutine.leave()))
            })
        };
        let left = coroutine.leave();
        // The waker fires in any case, so this one either loses or is the one that resumes.
        let late = coroutine.word.wake(first, Cause::TIMEOUT);
        assert!(late != Woken::Early);
        if late == Woken::Owner {
            assert_eq!(coroutine.resume(), Cause::TIMEOUT);
        }
        if let Some((second, resumed)) = waker.join().unwrap() {
            assert_eq!((left, late, resumed), (None, Woken::Lost, None));
            assert_eq!(coroutine.word.wake(second, Cause::CANCEL), Woken::Owner);
            assert_eq!(coroutine.resume(), Cause::CANCEL);
        }
    });
}
