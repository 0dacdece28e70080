//! Who waits for what: the queues in channels and all that is made like them.
//!
//! Whoever has to wait leaves a [`Record`] in the [`Queue`] of what it waits for, under the lock of
//! the queue's owner (a [`ShortLock`](lisle_rt::ShortLock)). Records live where the waiters
//! wait, on their stacks or in their futures, so that waiting allocates nothing. A choice among
//! several things is one [`Wait`] with a record in each of several queues.
//!
//! ```text
//!   waiter                               partner
//!   Waiting::begin                       lock of the queue
//!   lock: nothing there? push            claim: the first record whose wait is not over yet
//!   Waiting::wait                          move the value through the record's slot
//!   ended by its waker: claimed, done      take out whom to wake
//!   ended otherwise: give up             unlock, then wake
//! ```
//!
//! # The argument
//!
//! 1. *A wait is ended by one.* The claim of a wait in several queues is a compare-exchange from
//!    WAITING, and so is giving it up: one of them wins. A wait in a single queue is claimed by
//!    being taken out of it and given up by being taken out of it, both under the lock; it needs no
//!    compare-exchange.
//! 2. *A record is used only while it is there.* A partner uses it under the lock of its queue
//!    alone. A waiter returns, and the record ends, only after it has taken the lock of each queue
//!    in which its record may be and has seen it taken out; or after it was woken, which its
//!    partner does when it needs the record no more. (Of a choice, all the other queues' locks are
//!    taken even then.)
//! 3. *What was handed over is there.* A waiter that cannot give up was claimed by a partner that
//!    held the queue's lock and did not give it back before the value was moved. Once the waiter
//!    gets that lock the value is in its slot. A waiter that was woken sees it without the lock,
//!    for waking is Release and being woken Acquire.
//! 4. *Nobody waits for what is there.* The waiter looks and pushes under one hold of the lock. So
//!    a partner comes before, and leaves something to be seen, or after, and finds the record.
//! 5. *A waker used too late harms nobody.* It names its wait; see [`lisle_rt::Waker`]. That of a
//!    task polls it once in vain.
//!
//! A record of a wait that was claimed elsewhere stays in its queue until the waiter takes it out,
//! or a partner that looks for somebody comes across it and drops it from the queue.
//!
//! Rejected:
//!
//! 1. Reference counts on waiters. They would be allocated, and counted for each record;
//!    type-stable wakers and point 2 make do without.
//! 2. Locking the queues of a choice all at once, in the order of their addresses, as Go does. Each
//!    partner would contend for the locks of all, and kinds of queues that are not ours (of
//!    descriptors) have none to offer. The state word does the same with one lock at a time.
//! 3. Waking the waiter to try again (a futex, crossbeam's buffered channels): whoever comes by
//!    takes what it was woken for.

use std::cell::{Cell, UnsafeCell};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task;

/// Whom a wait's end is told.
#[derive(Debug)]
pub(crate) enum Whom {
    /// Nobody: it was told, or does not wait yet.
    Nobody,
    /// A coroutine or an OS thread.
    Waiting(lisle_rt::Waker),
    /// An asynchronous task.
    Task(task::Waker),
}

impl Whom {
    /// Tells it. Not under a lock: a task's waker is the executor's code.
    #[inline]
    pub(crate) fn wake(self) {
        match self {
            Whom::Nobody => {}
            Whom::Waiting(waker) => drop(waker.wake()),
            Whom::Task(waker) => waker.wake(),
        }
    }
}

/// Nobody has ended the wait.
const WAITING: usize = usize::MAX;
/// The waiter gave it up.
const ABORTED: usize = usize::MAX - 1;

/// One wait, in one queue or in several.
#[derive(Debug)]
pub(crate) struct Wait {
    /// Of a wait in several queues; that in a single queue needs none and leaves it alone.
    ///
    /// | value    | meaning                            | set by                            |
    /// |----------|------------------------------------|-----------------------------------|
    /// | WAITING  | it goes on                         | `several`, `again`                |
    /// | a number | claimed, for the case of that name | a partner, from WAITING           |
    /// | ABORTED  | the waiter gave it up              | the waiter, from WAITING          |
    ///
    /// Relaxed throughout: the word only decides who won. Values go through slots, which the locks
    /// of the queues guard.
    state: AtomicUsize,
    several: bool,
    /// Written by the waiter: before the wait is in any queue, or under the lock of the only one.
    /// Taken by the partner that claimed the wait, under the lock of the queue where it did.
    whom: UnsafeCell<Whom>,
}

// SAFETY: `whom` has one user at a time by its rule, and may be used and dropped on any thread; the
// locks order the uses.
unsafe impl Send for Wait {}
// SAFETY: as above.
unsafe impl Sync for Wait {}

impl Wait {
    /// A wait that will be in one queue at most.
    #[inline]
    pub(crate) const fn single() -> Self {
        Wait::new(false)
    }

    /// A wait that will be in several queues.
    #[inline]
    pub(crate) const fn several() -> Self {
        Wait::new(true)
    }

    const fn new(several: bool) -> Self {
        Wait { state: AtomicUsize::new(WAITING), several, whom: UnsafeCell::new(Whom::Nobody) }
    }

    /// Says whom to wake; returns whom it was before, to be dropped outside of any lock.
    ///
    /// # Safety
    /// The wait is in no queue, or in one whose lock the caller holds.
    #[inline]
    pub(crate) unsafe fn set_whom(&self, whom: Whom) -> Whom {
        // SAFETY: by the rule on the field; no reference to it outlives a function of this file.
        unsafe { ptr::replace(self.whom.get(), whom) }
    }

    /// Begins anew a wait in several queues.
    ///
    /// # Safety
    /// It is in no queue.
    pub(crate) unsafe fn again(&self, whom: Whom) {
        self.state.store(WAITING, Ordering::Relaxed);
        // SAFETY: the caller's obligation.
        drop(unsafe { self.set_whom(whom) });
    }

    /// The waiter gives up a wait in several queues. Unless it was claimed: for which case.
    pub(crate) fn abort(&self) -> Result<(), usize> {
        self.end(ABORTED)
    }

    fn end(&self, how: usize) -> Result<(), usize> {
        let relaxed = Ordering::Relaxed;
        self.state.compare_exchange(WAITING, how, relaxed, relaxed).map(drop)
    }

    #[inline]
    fn claim(&self, case: usize) -> bool {
        !self.several || self.end(case).is_ok()
    }

    fn goes_on(&self) -> bool {
        !self.several || self.state.load(Ordering::Relaxed) == WAITING
    }
}

/// A waiter's place in one queue. All of it but `queued`, `next` and `previous` is written before
/// it is pushed and only read while it is in the queue; those belong to the lock of the queue.
#[derive(Debug)]
pub(crate) struct Record {
    wait: Cell<*const Wait>,
    case: Cell<usize>,
    slot: Cell<*mut ()>,
    queued: Cell<bool>,
    next: Cell<*const Record>,
    previous: Cell<*const Record>,
}

// SAFETY: the cells are used by the waiter before the push, and under the queue's lock afterwards.
// What the pointers lead to is the business of `push`.
unsafe impl Send for Record {}
// SAFETY: as above.
unsafe impl Sync for Record {}

impl Record {
    /// A record that is in no queue.
    #[inline]
    pub(crate) const fn new() -> Self {
        Record {
            wait: Cell::new(ptr::null()),
            case: Cell::new(0),
            slot: Cell::new(ptr::null_mut()),
            queued: Cell::new(false),
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
        }
    }

    /// Whether it is in its queue; asked by the waiter under the lock of that.
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.get()
    }
}

/// A wait that the caller has ended, having taken it out of the queue.
#[derive(Debug)]
#[must_use = "the waiter sleeps until it is woken"]
pub(crate) struct Claimed {
    /// Where the waiter has its value, or wants one.
    pub(crate) slot: *mut (),
    /// Who is to be woken once the lock was given back.
    pub(crate) whom: Whom,
}

/// Records in the order in which they came.
#[derive(Debug)]
pub(crate) struct Queue {
    first: *const Record,
    last: *const Record,
}

// SAFETY: it leads to records, which may be used from any thread that has the queue.
unsafe impl Send for Queue {}

impl Queue {
    /// A queue with nobody in it.
    pub(crate) const fn new() -> Self {
        Queue { first: ptr::null(), last: ptr::null() }
    }

    /// Puts a waiter last. `slot` is what partners get to see of it.
    ///
    /// # Safety
    /// The record is in no queue. Record, wait and slot stay where they are until the record is out
    /// of the queue, and the waiter does not use the slot meanwhile. A wait that is `single` is in
    /// no other queue.
    #[inline]
    pub(crate) unsafe fn push(&mut self, record: &Record, wait: &Wait, case: usize, slot: *mut ()) {
        debug_assert!(!record.queued.get() && case < ABORTED);
        record.wait.set(wait);
        record.case.set(case);
        record.slot.set(slot);
        record.queued.set(true);
        record.next.set(ptr::null());
        record.previous.set(self.last);
        // SAFETY: what is in the queue is there, by the contract of this function.
        match unsafe { self.last.as_ref() } {
            Some(last) => last.next.set(record),
            None => self.first = record,
        }
        self.last = record;
    }

    /// Ends the wait of the first one whose wait is not over; not that of the caller, `own`.
    #[inline]
    pub(crate) fn claim(&mut self, own: Option<&Wait>) -> Option<Claimed> {
        // SAFETY: what is in the queue is there, by the contract of `push`.
        while let Some((record, wait)) = unsafe { self.first_besides(own) } {
            // SAFETY: it is in this queue.
            unsafe { self.unlink(record) };
            if wait.claim(record.case.get()) {
                // SAFETY: the claim makes it this caller's.
                let whom = unsafe { ptr::replace(wait.whom.get(), Whom::Nobody) };
                return Some(Claimed { slot: record.slot.get(), whom });
            }
        }
        None
    }

    /// Whether [`claim`](Self::claim) has a good chance to find somebody.
    pub(crate) fn has_waiter(&mut self, own: Option<&Wait>) -> bool {
        // SAFETY: as in `claim`.
        while let Some((record, wait)) = unsafe { self.first_besides(own) } {
            if wait.goes_on() {
                return true;
            }
            // SAFETY: it is in this queue.
            unsafe { self.unlink(record) };
        }
        false
    }

    /// The slot of the first record, whose wait is in this queue alone.
    pub(crate) fn first_slot(&self) -> Option<*mut ()> {
        // SAFETY: what is in the queue is there, by the contract of `push`.
        unsafe { self.first.as_ref() }.map(|first| first.slot.get())
    }

    /// Takes a record out; false if it is not in the queue any more.
    ///
    /// # Safety
    /// The record is in no other queue.
    #[inline]
    pub(crate) unsafe fn remove(&mut self, record: &Record) -> bool {
        let queued = record.queued.get();
        if queued {
            // SAFETY: queued, and nowhere else by the caller's word.
            unsafe { self.unlink(record) };
        }
        queued
    }

    /// Whether a record is in the queue, of which it is known that it is in no other one.
    pub(crate) fn holds(&self, record: &Record) -> bool {
        record.queued.get()
    }

    /// # Safety
    /// For as long as what it returns is used, that stays in the queue or the lock stays held.
    #[inline]
    unsafe fn first_besides<'a>(&self, own: Option<&Wait>) -> Option<(&'a Record, &'a Wait)> {
        let own = own.map_or(ptr::null(), ptr::from_ref);
        let mut at = self.first;
        // SAFETY: by the contract of `push`, records and waits in the queue are there.
        while let Some(record) = unsafe { at.as_ref() } {
            if record.wait.get() != own {
                // SAFETY: as above.
                return Some((record, unsafe { &*record.wait.get() }));
            }
            at = record.next.get();
        }
        None
    }

    /// # Safety
    /// The record is in this queue.
    #[inline]
    unsafe fn unlink(&mut self, record: &Record) {
        let (next, previous) = (record.next.get(), record.previous.get());
        // SAFETY: neighbours in the queue are there, by the contract of `push`.
        match unsafe { previous.as_ref() } {
            Some(previous) => previous.next.set(next),
            None => self.first = next,
        }
        // SAFETY: as above.
        match unsafe { next.as_ref() } {
            Some(next) => next.previous.set(previous),
            None => self.last = previous,
        }
        record.queued.set(false);
    }
}

#[cfg(test)]
mod tests;
