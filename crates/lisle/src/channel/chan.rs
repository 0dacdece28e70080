//! A channel: what is in it, who waits for it, and one lock around both.
//!
//! ```text
//!   senders  ->  [ store: ring or blocks ]  ->  receivers
//!   (wait while it is full)                     (wait while it is empty)
//! ```
//!
//! Whoever comes looks for a partner that waits first: a sender puts its value where the receiver
//! wants it, a receiver that made room puts the next sender's value into the store. So a value goes
//! to the one that has waited longest, nobody is woken in vain, and a rendezvous is the same with
//! a store that holds nothing. See [`waiters`](crate::waiters) for how a wait ends.
//!
//! Under the lock nothing is allocated, freed or dropped, and nobody is woken: what is to be done
//! is returned, and done after the lock was given back.
//!
//! While a receiver waits that could be claimed the store is empty; while a sender does, it is
//! full. Both may wait at once if they are cases of one choice, which does not pair with itself.
//!
//! Rejected:
//!
//! 1. Queues without locks (crossbeam's). They are faster where many threads send at once, and
//!    cannot hand over directly: whoever is woken competes with whoever comes by.
//! 2. Looking at the store without the lock. It was not seen to be of use: a free lock costs little
//!    more than the look.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use lisle_rt::{ShortGuard, ShortLock, Stop};

use super::store::{Block, Store};
use crate::waiters::{Queue, Record, Wait, Whom};

/// Where a waiting sender has its value, and a waiting receiver wants one. A partner that ended the
/// wait and moved nothing has disconnected the channel.
pub(crate) type Slot<T> = UnsafeCell<Option<T>>;

/// What senders and receivers share.
pub(crate) struct Chan<T> {
    inner: ShortLock<Inner<T>>,
    /// Handles of either kind. Whoever drops the last one disconnects the channel.
    pub(super) senders: AtomicUsize,
    pub(super) receivers: AtomicUsize,
}

/// What is under the lock.
pub(super) struct Inner<T> {
    store: Store<T>,
    /// What had been handed over to those who do not want it any more. Comes before the store.
    returned: Option<Box<Returned<T>>>,
    pub(super) senders: Queue,
    pub(super) receivers: Queue,
    open: bool,
}

pub(super) struct Returned<T> {
    value: Option<T>,
    next: Option<Box<Returned<T>>>,
}

/// What an attempt to send came to.
pub(super) enum Sent {
    Done(Whom),
    Full,
    Disconnected,
    /// Once more, with a block.
    WantsBlock,
}

/// What an attempt to receive came to.
pub(super) enum Received<T> {
    /// The value, whom to wake, and what to free.
    Done(T, Whom, Freed<T>),
    Empty,
    Disconnected,
}

impl<T> Received<T> {
    /// What is to be done after the lock was given back.
    #[inline]
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

/// Memory to be freed after the lock was given back.
#[derive(Default)]
pub(super) enum Freed<T> {
    #[default]
    Nothing,
    #[expect(dead_code, reason = "held to be dropped")]
    Block(Box<Block<T>>),
    #[expect(dead_code, reason = "held to be dropped")]
    Returned(Box<Returned<T>>),
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

impl<T> Inner<T> {
    /// Sends what is in the slot, if it need not wait.
    #[inline]
    pub(super) fn send(&mut self, slot: &mut Option<T>, own: Option<&Wait>) -> Sent {
        if !self.open {
            return Sent::Disconnected;
        }
        if let Some(receiver) = self.receivers.claim(own) {
            // SAFETY: a receiver of this channel, which waits for this: its slot is there, is
            // empty, and nobody else uses it.
            unsafe { ptr::write(receiver.slot.cast::<Option<T>>(), slot.take()) };
            return Sent::Done(receiver.whom);
        }
        if !self.store.has_room() {
            return Sent::Full;
        }
        if self.store.wants_block() {
            return Sent::WantsBlock;
        }
        self.store.push(slot.take().expect("a value to send"));
        Sent::Done(Whom::Nobody)
    }

    /// Receives, if it need not wait.
    #[inline]
    pub(super) fn recv(&mut self, own: Option<&Wait>) -> Received<T> {
        if self.returned.is_some() {
            return self.recv_returned();
        }
        if let Some((value, block)) = self.store.pop() {
            let mut whom = Whom::Nobody;
            // Room was made. In blocks there was room before, and nobody waits.
            if let Some(sender) = self.senders.claim(own) {
                // SAFETY: a sender of this channel, which waits for this.
                let next = unsafe { take(sender.slot) };
                self.store.push(next);
                whom = sender.whom;
            }
            return Received::Done(value, whom, block.map_or(Freed::Nothing, Freed::Block));
        }
        if let Some(sender) = self.senders.claim(own) {
            // SAFETY: as above.
            let value = unsafe { take(sender.slot) };
            return Received::Done(value, sender.whom, Freed::Nothing);
        }
        if self.open { Received::Empty } else { Received::Disconnected }
    }

    #[cold]
    fn recv_returned(&mut self) -> Received<T> {
        let mut first = self.returned.take().expect("there is one");
        self.returned = first.next.take();
        let value = first.value.take().expect("a value that was returned");
        Received::Done(value, Whom::Nobody, Freed::Returned(first))
    }

    fn can_send(&mut self, own: Option<&Wait>) -> bool {
        !self.open || self.receivers.has_waiter(own) || self.store.has_room()
    }

    fn can_recv(&mut self, own: Option<&Wait>) -> bool {
        !self.open
            || self.returned.is_some()
            || self.store.len() > 0
            || self.senders.has_waiter(own)
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

impl<T> Chan<T> {
    pub(super) fn new(store: Store<T>) -> Self {
        Chan {
            inner: ShortLock::new(Inner {
                store,
                returned: None,
                senders: Queue::new(),
                receivers: Queue::new(),
                open: true,
            }),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
        }
    }

    /// For those who look and then wait under one hold of the lock.
    #[inline]
    pub(super) fn lock(&self) -> ShortGuard<'_, Inner<T>> {
        self.inner.lock()
    }

    /// Sends what is in the slot, which it leaves there if it fails.
    #[inline]
    pub(crate) fn try_send(&self, slot: &mut Option<T>) -> Result<(), Failed> {
        let mut block = None;
        loop {
            let mut inner = self.inner.lock();
            if block.is_some() {
                inner.store.put_block(&mut block);
            }
            let sent = inner.send(slot, None);
            drop(inner);
            match sent {
                Sent::Done(whom) => {
                    whom.wake();
                    return Ok(());
                }
                Sent::Full => return Err(Failed::Now),
                Sent::Disconnected => return Err(Failed::Disconnected),
                Sent::WantsBlock => block = Some(Block::new()),
            }
        }
    }

    /// Receives, if it need not wait.
    #[inline]
    pub(crate) fn try_recv(&self) -> Result<T, Failed> {
        let received = self.inner.lock().recv(None);
        received.finish()
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
        let mut inner = self.inner.lock();
        if inner.can_send(Some(wait)) {
            return Registered::Ready;
        }
        // SAFETY: the caller's obligation.
        unsafe { inner.senders.push(record, wait, case, slot.get().cast()) };
        Registered::Waits
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
        let mut inner = self.inner.lock();
        if inner.can_recv(Some(wait)) {
            return Registered::Ready;
        }
        // SAFETY: the caller's obligation.
        unsafe { inner.receivers.push(record, wait, case, slot.get().cast()) };
        Registered::Waits
    }

    /// Whether the sender was still in the queue, from which it is taken.
    ///
    /// # Safety
    /// It is in no other queue.
    pub(crate) unsafe fn unregister_send(&self, record: &Record) -> bool {
        // SAFETY: the caller's obligation.
        unsafe { self.inner.lock().senders.remove(record) }
    }

    /// Whether the receiver was still in the queue, from which it is taken.
    ///
    /// # Safety
    /// It is in no other queue.
    pub(crate) unsafe fn unregister_recv(&self, record: &Record) -> bool {
        // SAFETY: the caller's obligation.
        unsafe { self.inner.lock().receivers.remove(record) }
    }

    /// Whether the sender still waits in the queue; then `whom` is whom to wake from now on, and
    /// otherwise it is left to the caller, as is whom it was before.
    ///
    /// # Safety
    /// It is in the queue of senders, or in none, and so is its wait.
    pub(super) unsafe fn renew_send(&self, record: &Record, wait: &Wait, whom: &mut Whom) -> bool {
        let mut inner = self.inner.lock();
        // SAFETY: the caller's obligation.
        unsafe { renew(&mut inner.senders, record, wait, whom) }
    }

    /// As [`renew_send`](Self::renew_send), of a receiver.
    ///
    /// # Safety
    /// It is in the queue of receivers, or in none, and so is its wait.
    pub(super) unsafe fn renew_recv(&self, record: &Record, wait: &Wait, whom: &mut Whom) -> bool {
        let mut inner = self.inner.lock();
        // SAFETY: the caller's obligation.
        unsafe { renew(&mut inner.receivers, record, wait, whom) }
    }

    /// Gives back what was handed over: to the receiver that waits, or as the first value.
    #[cold]
    pub(crate) fn give_back(&self, value: T) {
        let mut returned = Box::new(Returned { value: None, next: None });
        let mut slot = Some(value);
        let mut inner = self.inner.lock();
        let whom = match inner.receivers.claim(None) {
            Some(receiver) => {
                // SAFETY: as in `Inner::send`.
                unsafe { ptr::write(receiver.slot.cast::<Option<T>>(), slot.take()) };
                receiver.whom
            }
            None => {
                returned.value = slot.take();
                returned.next = inner.returned.take();
                inner.returned = Some(returned);
                drop(inner);
                return;
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
        let values = drop_values.then(|| (inner.store.take(), inner.returned.take()));
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

    /// Whether nothing is to be had without a sender that comes.
    pub(super) fn len(&self) -> usize {
        let inner = self.inner.lock();
        let mut len = inner.store.len();
        let mut at = &inner.returned;
        while let Some(returned) = at {
            len += 1;
            at = &returned.next;
        }
        len
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.inner.lock().store.capacity()
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
