//! A channel for a bounded number of values, or none: what is in it, who waits for it, and one lock
//! around both.
//!
//! ```text
//!   senders  ->  [ values ]  ->  receivers
//!   (wait while it is full)      (wait while it is empty)
//! ```
//!
//! Whoever comes looks for a partner that waits first: a sender puts its value where the receiver
//! wants it, a receiver that made room puts the next sender's value behind the others. So a value
//! goes to the one that has waited longest, nobody is woken in vain, and a rendezvous is the same
//! with room for nothing.
//!
//! Under the lock nothing is allocated, freed or dropped, and nobody is woken: what is to be done
//! is returned, and done after the lock was given back.
//!
//! While a receiver waits that could be claimed the channel is empty; while a sender does, it is
//! full. Both may wait at once if they are cases of one choice, which does not pair with itself.
//!
//! Rejected:
//!
//! 1. Looking without the lock. It was not seen to be of use: a free lock costs little more than
//!    the look.
//! 2. A lock for each end, as an [unbounded channel](super::unbounded) has them. Those who wait at
//!    one end are served from the other, which then takes both: on two workers some flows gained a
//!    quarter and others lost as much, and choices took a tenth to a quarter longer.

use std::collections::VecDeque;
use std::ptr;

use lisle_rt::{ShortGuard, ShortLock};

use super::chan::{Failed, Registered, Waiters};
use super::returned::{Node, Returned};
use crate::waiters::{Queue, Record, Wait, Whom};

/// See the module.
pub(super) struct Bounded<T> {
    inner: ShortLock<Inner<T>>,
    capacity: usize,
}

/// What is under the lock.
pub(super) struct Inner<T> {
    /// The memory for `capacity` values is there from the beginning.
    values: VecDeque<T>,
    capacity: usize,
    /// What had been handed over to those who do not want it any more. Comes before the values.
    returned: Returned<T>,
    pub(super) senders: Queue,
    receivers: Queue,
    open: bool,
}

impl<T> Waiters for Inner<T> {
    fn receivers(&mut self) -> &mut Queue {
        &mut self.receivers
    }
}

/// What an attempt to send came to.
pub(super) enum Sent {
    Done(Whom),
    Full,
    Disconnected,
}

/// What an attempt to receive came to.
pub(super) enum Received<T> {
    /// The value, whom to wake, and what to free.
    Done(T, Whom, Option<Box<Node<T>>>),
    Empty,
    Disconnected,
}

impl<T> Received<T> {
    /// What is to be done after the lock was given back.
    #[inline(always)]
    pub(super) fn finish(self) -> Result<T, Failed> {
        match self {
            Received::Done(value, whom, freed) => {
                whom.wake();
                drop(freed);
                Ok(value)
            }
            Received::Empty => Err(Failed::Now),
            Received::Disconnected => Err(Failed::Disconnected),
        }
    }
}

impl<T> Inner<T> {
    /// Sends what is in the slot, if it need not wait.
    #[inline(always)]
    pub(super) fn send(&mut self, slot: &mut Option<T>) -> Sent {
        if !self.open {
            return Sent::Disconnected;
        }
        if let Some(receiver) = self.receivers.claim(None) {
            // SAFETY: a receiver of this channel, which waits for this: its slot is there, is
            // empty, and nobody else uses it.
            unsafe { ptr::write(receiver.slot.cast::<Option<T>>(), slot.take()) };
            return Sent::Done(receiver.whom);
        }
        if !self.has_room() {
            return Sent::Full;
        }
        self.push(slot.take().expect("a value to send"));
        Sent::Done(Whom::Nobody)
    }

    /// Receives, if it need not wait.
    #[inline(always)]
    pub(super) fn recv(&mut self) -> Received<T> {
        if !self.returned.is_empty() {
            return self.recv_returned();
        }
        if let Some(value) = self.values.pop_front() {
            let mut whom = Whom::Nobody;
            // Room was made.
            if let Some(sender) = self.senders.claim(None) {
                // SAFETY: a sender of this channel, which waits for this.
                let next = unsafe { take(sender.slot) };
                self.push(next);
                whom = sender.whom;
            }
            return Received::Done(value, whom, None);
        }
        if let Some(sender) = self.senders.claim(None) {
            // SAFETY: as above.
            let value = unsafe { take(sender.slot) };
            return Received::Done(value, sender.whom, None);
        }
        if self.open { Received::Empty } else { Received::Disconnected }
    }

    #[cold]
    fn recv_returned(&mut self) -> Received<T> {
        let (value, node) = self.returned.pop().expect("there is one");
        Received::Done(value, Whom::Nobody, Some(node))
    }

    fn has_room(&self) -> bool {
        self.values.len() < self.capacity
    }

    /// Puts a value last. There is room.
    fn push(&mut self, value: T) {
        // Within the capacity it was made with, so that it does not allocate.
        debug_assert!(self.has_room());
        self.values.push_back(value);
    }

    /// Whether `own` need not wait to send.
    fn can_send(&mut self, own: &Wait) -> bool {
        !self.open || self.receivers.has_waiter(Some(own)) || self.has_room()
    }

    fn can_recv(&mut self, own: &Wait) -> bool {
        !self.open
            || !self.returned.is_empty()
            || !self.values.is_empty()
            || self.senders.has_waiter(Some(own))
    }
}

/// The value of a sender that was claimed.
///
/// # Safety
/// The slot is that of a sender of a `T`, claimed by the caller, who has not given the lock back.
#[inline]
unsafe fn take<T>(slot: *mut ()) -> T {
    // SAFETY: it is there, and nobody else uses it.
    unsafe { (*slot.cast::<Option<T>>()).take() }.expect("who waits to send has a value")
}

impl<T> Bounded<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Bounded {
            inner: ShortLock::new(Inner {
                values: VecDeque::with_capacity(capacity),
                capacity,
                returned: Returned::new(),
                senders: Queue::new(),
                receivers: Queue::new(),
                open: true,
            }),
            capacity,
        }
    }

    /// For those who look and then wait under one hold of the lock.
    #[inline]
    pub(super) fn lock(&self) -> ShortGuard<'_, Inner<T>> {
        self.inner.lock()
    }

    /// Sends what is in the slot, which it leaves there if it fails.
    #[inline]
    pub(super) fn try_send(&self, slot: &mut Option<T>) -> Result<(), Failed> {
        let sent = self.inner.lock().send(slot);
        match sent {
            Sent::Done(whom) => {
                whom.wake();
                Ok(())
            }
            Sent::Full => Err(Failed::Now),
            Sent::Disconnected => Err(Failed::Disconnected),
        }
    }

    /// Receives, if it need not wait.
    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, Failed> {
        let received = self.inner.lock().recv();
        received.finish()
    }

    /// As [`Chan::register_send`](super::chan::Chan::register_send).
    ///
    /// # Safety
    /// As for [`Queue::push`].
    #[inline]
    pub(super) unsafe fn register_send(
        &self,
        record: &Record,
        wait: &Wait,
        case: usize,
        slot: *mut (),
    ) -> Registered {
        let mut inner = self.inner.lock();
        if inner.can_send(wait) {
            return Registered::Ready;
        }
        // SAFETY: the caller's obligation.
        unsafe { inner.senders.push(record, wait, case, slot) };
        Registered::Waits
    }

    /// As [`Chan::register_recv`](super::chan::Chan::register_recv).
    ///
    /// # Safety
    /// As for [`Queue::push`]; the slot is empty.
    #[inline]
    pub(super) unsafe fn register_recv(
        &self,
        record: &Record,
        wait: &Wait,
        case: usize,
        slot: *mut (),
    ) -> Registered {
        let mut inner = self.inner.lock();
        if inner.can_recv(wait) {
            return Registered::Ready;
        }
        // SAFETY: the caller's obligation.
        unsafe { inner.receivers.push(record, wait, case, slot) };
        Registered::Waits
    }

    /// Gives back what was handed over: to the receiver that waits, or as the first value.
    #[cold]
    pub(super) fn give_back(&self, value: T) {
        let (mut node, mut slot) = (Returned::node(), Some(value));
        let mut inner = self.inner.lock();
        let whom = match inner.receivers.claim(None) {
            Some(receiver) => {
                // SAFETY: as in `Inner::send`.
                unsafe { ptr::write(receiver.slot.cast::<Option<T>>(), slot.take()) };
                receiver.whom
            }
            None => {
                inner.returned.push(node.take().expect("made above"), slot.take());
                Whom::Nobody
            }
        };
        drop(inner);
        whom.wake();
    }

    /// Ends the waits of all, and lets nobody send any more. With `drop_values`, nobody will
    /// receive any more either.
    #[cold]
    pub(super) fn disconnect(&self, drop_values: bool) {
        let mut inner = self.inner.lock();
        inner.open = false;
        let values = drop_values
            .then(|| (std::mem::take(&mut inner.values), std::mem::take(&mut inner.returned)));
        drop(inner);
        loop {
            let mut inner = self.inner.lock();
            let claimed = inner.receivers.claim(None).or_else(|| inner.senders.claim(None));
            drop(inner);
            match claimed {
                Some(claimed) => claimed.whom.wake(),
                None => break,
            }
        }
        drop(values);
    }

    /// The number of values in the channel.
    pub(super) fn len(&self) -> usize {
        let inner = self.inner.lock();
        inner.values.len() + inner.returned.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }
}
