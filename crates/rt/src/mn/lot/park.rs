//! Waiting in line: queues in which coroutines and OS threads wait alike.
//!
//! What the words of C's objects (condition variables, barriers, read-write locks) cannot say, who
//! came first and who was woken, the queue says. Nobody wakes for no reason, a wake-up is never
//! taken by somebody who came later, and the woken one touches neither queue nor object again, so
//! that the object may be destroyed as soon as its last waiter was woken.
//!
//! The object's own words are read and changed under the bucket's lock: when a waiter is admitted,
//! when it is woken, when it gives up.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use lisle_core::Cause;
use lisle_sys::futex;

use super::generation;
use super::queue::{Bucket, Node, Sleeper, Waiters, bucket};
use crate::mn::current;
use crate::mn::directed::INTERRUPT;
use crate::mn::wait::Wait;

/// How a wait in line ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parked {
    /// There was nothing to wait for.
    Admitted,
    /// `before` said that the wait is off.
    Refused,
    /// By somebody through [`with_waiters`].
    Woken,
    /// `until` said so.
    TimedOut,
    /// By a signal.
    Interrupted,
}

/// How long to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Without end.
    Never,
    /// A moment of the monotonic clock, in nanoseconds, at which to ask again.
    At(u64),
    /// No longer.
    Past,
}

/// What a waiter does besides waiting; see [`park`].
pub trait Line {
    /// Whether those who wake change the object's words after they have woken somebody, still under
    /// the lock. Then the woken one goes on after that.
    const SETTLES: bool = true;

    /// Whether to wait. Otherwise the waiter has what it wants.
    fn admit(&self, others: &mut Waiters<'_>) -> bool;

    /// Done by a waiter that was queued, before it sleeps. It must not wait itself. Returns whether
    /// to wait.
    fn before(&self) -> bool {
        true
    }

    /// How long to wait from now.
    fn until(&self) -> Until {
        Until::Never
    }

    /// How an OS thread sleeps while `word` is 0, at most until the moment. May return early, and
    /// may unwind.
    fn sleep(&self, word: &AtomicU32, deadline: Option<u64>) {
        let _ = futex::wait(word, 0, deadline);
    }

    /// Whether the wait of a coroutine is over that a signal or the like has interrupted.
    fn interrupted(&self) -> bool {
        false
    }

    /// The waiter was taken out of the queue without having been woken.
    fn give_up(&self, others: &mut Waiters<'_>);

    /// The waiter was woken, and cannot make use of it: `before` called the wait off, or `sleep`
    /// unwinds.
    fn pass_on(&self) {}
}

/// Runs `f` with the waiters for `address`, who cannot come or go meanwhile. It must be short, and
/// must not wait, allocate, or call this module.
pub fn with_waiters<R>(address: usize, f: impl FnOnce(&mut Waiters<'_>) -> R) -> R {
    bucket(address).with(address, f)
}

/// Waits for `address` in line, to be woken through [`with_waiters`] by somebody whose mask has a
/// bit in common with `mask`. Suspends the coroutine where it can be suspended, else blocks the OS
/// thread.
pub fn park(address: usize, mask: u32, line: &impl Line) -> Parked {
    match current::suspendable() {
        Some(here) => park_coroutine(address, mask, line, Wait::arm(here)),
        None => park_thread(address, mask, line),
    }
}

fn park_coroutine<L: Line>(address: usize, mask: u32, line: &L, mut wait: Wait) -> Parked {
    let mut node = Node::new(address, mask, Sleeper::Coroutine(wait.alarm()));
    let place = NonNull::from(&mut node);
    let bucket = bucket(address);
    if !enter(bucket, address, line, place) {
        // Nobody has the ticket.
        let _ = wait.disarm();
        return Parked::Admitted;
    }
    let refused = !line.before();
    loop {
        let cause = match if refused { Until::Past } else { line.until() } {
            Until::Never => wait.suspend(None),
            Until::At(moment) => wait.suspend(Some(moment)),
            Until::Past => wait.disarm().err().unwrap_or(Cause::TIMEOUT),
        };
        if cause == Cause::WAKE {
            if L::SETTLES {
                bucket.with(address, |_| ());
            }
            return leave(bucket, line, refused, Parked::Woken);
        }
        let interrupted = cause == INTERRUPT && line.interrupted();
        let next = bucket.with(address, |others| {
            // SAFETY: the node is ours, queued once, and the lock is held.
            if !unsafe { others.has(place) } {
                return Next::Done(Parked::Woken);
            }
            if !refused && !interrupted && line.until() != Until::Past {
                let here = current::suspendable().expect("on a worker, as before");
                let wait = Wait::arm(here);
                // SAFETY: as above.
                unsafe { (*place.as_ptr()).sleeper = Sleeper::Coroutine(wait.alarm()) };
                return Next::Wait(wait);
            }
            // SAFETY: as above.
            unsafe { others.withdraw(place) };
            line.give_up(others);
            Next::Done(if interrupted { Parked::Interrupted } else { Parked::TimedOut })
        });
        match next {
            Next::Wait(next) => wait = next,
            Next::Done(parked) => return leave(bucket, line, refused, parked),
        }
    }
}

/// The end of a coroutine's wait.
fn leave(bucket: &Bucket, line: &impl Line, refused: bool, parked: Parked) -> Parked {
    left(bucket);
    match parked {
        Parked::Woken if refused => line.pass_on(),
        _ if refused => {}
        _ => return parked,
    }
    Parked::Refused
}

/// What a coroutine does whose wait did not end by being woken.
enum Next {
    Wait(Wait),
    Done(Parked),
}

fn park_thread(address: usize, mask: u32, line: &impl Line) -> Parked {
    let word = AtomicU32::new(0);
    let mut node = Node::new(address, mask, Sleeper::Thread(&raw const word));
    let place = NonNull::from(&mut node);
    let bucket = bucket(address);
    if !enter(bucket, address, line, place) {
        return Parked::Admitted;
    }
    // Takes the node out, also when `sleep` unwinds.
    let queued = Queued { bucket, address, line, place, word: &word, done: Cell::new(false) };
    if !line.before() {
        if !queued.withdraw() {
            line.pass_on();
        }
        return Parked::Refused;
    }
    loop {
        match line.until() {
            _ if word.load(Ordering::Acquire) != 0 => break,
            Until::Never => line.sleep(&word, None),
            Until::At(moment) => line.sleep(&word, Some(moment)),
            Until::Past if queued.withdraw() => return Parked::TimedOut,
            Until::Past => break,
        }
    }
    queued.done.set(true);
    Parked::Woken
}

/// Queues the node if there is something to wait for.
fn enter(bucket: &Bucket, address: usize, line: &impl Line, place: NonNull<Node>) -> bool {
    generation::begin();
    bucket.waiters.fetch_add(1, Ordering::SeqCst);
    let waits = bucket.with(address, |others| {
        let waits = line.admit(others);
        if waits {
            // SAFETY: a new node, which its waiter takes out or sees taken out before it goes on.
            unsafe { others.enter(place) };
        }
        waits
    });
    if !waits {
        left(bucket);
    }
    waits
}

fn left(bucket: &Bucket) {
    bucket.waiters.fetch_sub(1, Ordering::Relaxed);
}

/// The node of an OS thread, which must not be left in the queue.
struct Queued<'a, L: Line> {
    bucket: &'a Bucket,
    address: usize,
    line: &'a L,
    place: NonNull<Node>,
    word: &'a AtomicU32,
    /// Whether the node is known to be in no queue.
    done: Cell<bool>,
}

impl<L: Line> Queued<'_, L> {
    /// Takes the node out. False if somebody did in order to wake the thread; then it has done so
    /// when this returns.
    fn withdraw(&self) -> bool {
        self.done.set(true);
        let withdrawn = self.bucket.with(self.address, |others| {
            // SAFETY: ours, queued once.
            let withdrawn = unsafe { others.withdraw(self.place) };
            if withdrawn {
                self.line.give_up(others);
            }
            withdrawn
        });
        while !withdrawn && self.word.load(Ordering::Acquire) == 0 {
            let _ = futex::wait(self.word, 0, None);
        }
        withdrawn
    }
}

impl<L: Line> Drop for Queued<'_, L> {
    fn drop(&mut self) {
        if !self.done.get() && !self.withdraw() {
            self.line.pass_on();
        }
        left(self.bucket);
    }
}
