//! What senders and receivers share: one of two kinds of channel.
//!
//! | kind | locks | a send waits |
//! |---|---|---|
//! | [`Bounded`] | one, around its values and all who wait | while it is full |
//! | [`Unbounded`] | one for senders, one for receivers | never |
//!
//! See [`waiters`](crate::waiters) for how a wait ends.
//!
//! Rejected: queues without locks (crossbeam's). They are faster where many threads send at once,
//! and cannot hand over directly: whoever is woken competes with whoever comes by.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use lisle_rt::Stop;

use super::bounded::Bounded;
use super::unbounded::{Looked, Unbounded};
use crate::waiters::{Queue, Record, Wait, Whom};

/// Where a waiting sender has its value, and a waiting receiver wants one. A partner that ended the
/// wait and moved nothing has disconnected the channel.
pub(crate) type Slot<T> = UnsafeCell<Option<T>>;

/// What senders and receivers share.
pub(crate) struct Chan<T> {
    pub(super) kind: Kind<T>,
    /// Handles of either kind. Whoever drops the last one disconnects the channel.
    pub(super) senders: AtomicUsize,
    pub(super) receivers: AtomicUsize,
}

pub(super) enum Kind<T> {
    Bounded(Bounded<T>),
    /// In a box: it is several times as big.
    Unbounded(Box<Unbounded<T>>),
}

/// What is under a lock under which receivers wait.
pub(super) trait Waiters {
    fn receivers(&mut self) -> &mut Queue;
}

/// How a wait to send or receive failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failed {
    /// It would have had to wait.
    Now,
    /// The deadline passed.
    TimedOut,
    /// The other side is gone.
    Disconnected,
    /// See [`Stop`].
    Stopped(Stop),
}

/// How an arm of a choice, or a future, was registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Registered {
    /// It is in the queue.
    Waits,
    /// It need not wait, and is not in the queue.
    Ready,
}

impl<T> Chan<T> {
    pub(super) fn new(kind: Kind<T>) -> Self {
        Chan { kind, senders: AtomicUsize::new(1), receivers: AtomicUsize::new(1) }
    }

    /// Sends what is in the slot, which it leaves there if it fails.
    #[inline]
    pub(crate) fn try_send(&self, slot: &mut Option<T>) -> Result<(), Failed> {
        match &self.kind {
            Kind::Bounded(chan) => chan.try_send(slot),
            Kind::Unbounded(chan) => chan.try_send(slot),
        }
    }

    /// Receives, if it need not wait.
    #[inline]
    pub(crate) fn try_recv(&self) -> Result<T, Failed> {
        match &self.kind {
            Kind::Bounded(chan) => chan.try_recv(),
            Kind::Unbounded(chan) => match chan.look() {
                Looked::Done(result) => result,
                Looked::Empty(_) => Err(Failed::Now),
            },
        }
    }

    /// Queues a sender if it has to wait.
    ///
    /// # Safety
    /// As for [`Queue::push`].
    #[inline]
    pub(crate) unsafe fn register_send(
        &self,
        record: &Record,
        wait: &Wait,
        case: usize,
        slot: &Slot<T>,
    ) -> Registered {
        match &self.kind {
            // SAFETY: the caller's obligation.
            Kind::Bounded(chan) => unsafe {
                chan.register_send(record, wait, case, slot.get().cast())
            },
            Kind::Unbounded(_) => Registered::Ready,
        }
    }

    /// Queues a receiver if it has to wait.
    ///
    /// # Safety
    /// As for [`Queue::push`]; the slot is empty.
    #[inline]
    pub(crate) unsafe fn register_recv(
        &self,
        record: &Record,
        wait: &Wait,
        case: usize,
        slot: &Slot<T>,
    ) -> Registered {
        let slot = slot.get().cast();
        // SAFETY: the caller's obligation.
        unsafe {
            match &self.kind {
                Kind::Bounded(chan) => chan.register_recv(record, wait, case, slot),
                Kind::Unbounded(chan) => chan.register_recv(record, wait, case, slot),
            }
        }
    }

    /// Whether the sender was still in the queue, from which it is taken.
    ///
    /// # Safety
    /// It is in no other queue.
    pub(crate) unsafe fn unregister_send(&self, record: &Record) -> bool {
        // SAFETY: the caller's obligation.
        self.with_senders(|queue| unsafe { queue.remove(record) }).unwrap_or(false)
    }

    /// Whether the receiver was still in the queue, from which it is taken.
    ///
    /// # Safety
    /// It is in no other queue.
    pub(crate) unsafe fn unregister_recv(&self, record: &Record) -> bool {
        // SAFETY: the caller's obligation.
        self.with_receivers(|queue| unsafe { queue.remove(record) })
    }

    /// Whether the sender still waits in the queue; then `whom` is whom to wake from now on, and
    /// otherwise it is left to the caller, as is whom it was before.
    ///
    /// # Safety
    /// It is in the queue of senders, or in none, and so is its wait.
    pub(super) unsafe fn renew_send(&self, record: &Record, wait: &Wait, whom: &mut Whom) -> bool {
        // SAFETY: the caller's obligation.
        let renew = |queue: &mut Queue| unsafe { renew(queue, record, wait, whom) };
        self.with_senders(renew).unwrap_or(false)
    }

    /// As [`renew_send`](Self::renew_send), of a receiver.
    ///
    /// # Safety
    /// It is in the queue of receivers, or in none, and so is its wait.
    pub(super) unsafe fn renew_recv(&self, record: &Record, wait: &Wait, whom: &mut Whom) -> bool {
        // SAFETY: the caller's obligation.
        self.with_receivers(|queue| unsafe { renew(queue, record, wait, whom) })
    }

    /// Uses the queue of senders under its lock, if there is one.
    fn with_senders<R>(&self, f: impl FnOnce(&mut Queue) -> R) -> Option<R> {
        match &self.kind {
            Kind::Bounded(chan) => Some(f(&mut chan.lock().senders)),
            Kind::Unbounded(_) => None,
        }
    }

    /// Uses the queue of receivers under its lock.
    fn with_receivers<R>(&self, f: impl FnOnce(&mut Queue) -> R) -> R {
        match &self.kind {
            Kind::Bounded(chan) => f(chan.lock().receivers()),
            Kind::Unbounded(chan) => f(chan.lock().receivers()),
        }
    }

    /// Gives back what was handed over: to the receiver that waits, or as the first value.
    #[cold]
    pub(crate) fn give_back(&self, value: T) {
        match &self.kind {
            Kind::Bounded(chan) => chan.give_back(value),
            Kind::Unbounded(chan) => chan.give_back(value),
        }
    }

    /// Ends the waits of all, and lets nobody send any more. With `drop_values`, nobody will
    /// receive any more either.
    pub(super) fn disconnect(&self, drop_values: bool) {
        match &self.kind {
            Kind::Bounded(chan) => chan.disconnect(drop_values),
            Kind::Unbounded(chan) => chan.disconnect(drop_values),
        }
    }

    /// The number of values that are to be had without a sender that comes.
    pub(super) fn len(&self) -> usize {
        match &self.kind {
            Kind::Bounded(chan) => chan.len(),
            Kind::Unbounded(chan) => chan.len(),
        }
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        match &self.kind {
            Kind::Bounded(chan) => Some(chan.capacity()),
            Kind::Unbounded(_) => None,
        }
    }

    /// Counts one handle more.
    pub(super) fn count(counter: &AtomicUsize) {
        // Relaxed: whoever clones a handle has one, so that the count is not zero. It cannot
        // overflow: `Arc` aborts long before.
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// # Safety
/// The record is in `queue` or in none, and so is its wait.
unsafe fn renew(queue: &mut Queue, record: &Record, wait: &Wait, whom: &mut Whom) -> bool {
    let waits = queue.holds(record);
    if waits {
        // SAFETY: its only queue, whose lock the caller holds.
        *whom = unsafe { wait.set_whom(std::mem::replace(whom, Whom::Nobody)) };
    }
    waits
}
