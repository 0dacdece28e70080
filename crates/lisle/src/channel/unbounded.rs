//! A channel for any number of values: senders at one end, receivers at the other, and a lock for
//! each.
//!
//! ```text
//!   senders ->  back lock:  the writer, receivers that wait; sent
//!                       [ blocks of values ]
//!               front lock: the reader; received, seen             -> receivers
//! ```
//!
//! A value is there exactly if more were sent than received. Both are counts that only grow, each
//! stored under the lock of its end, so that each end can read what it needs of the other without a
//! lock; receivers remember the count of those sent that they saw last, and look again only once
//! they have received as many.
//!
//! # The argument
//!
//! 1. *What is counted was written.* A value is written under the back lock before `sent` is stored
//!    (Release); who takes it has loaded that count (Acquire) under the front lock, or is told by
//!    one who had, under the same lock. So [`Reader::pop`] finds it, and each value is taken once.
//! 2. *While a receiver waits that could be claimed the channel is empty.* Receivers begin to wait
//!    under the back lock, under which nothing is sent, having seen there that as many were
//!    received as sent. Whoever sends claims one that waits before it would write.
//! 3. *Nobody waits for what is there*, by the same: a value comes before, and is seen, or after,
//!    and finds who waits.
//! 4. *Nobody is told wrongly that the channel is empty.* `received` never overtakes `sent`. It is
//!    read first: if the two are equal then, nothing was there when `sent` was read.
//!
//! A receiver takes one lock: the front one if there is a value, else the back one. Nobody holds
//! both. Under either nothing is allocated, freed or dropped, and nobody is woken.
//!
//! Nobody waits to send, which makes it simple; see [`bounded`](super::bounded) for what a bound
//! costs.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lisle_rt::{ShortGuard, ShortLock};

use super::blocks::{Block, Joint, Reader, Remains, Writer};
use super::chan::{Failed, Registered, Waiters};
use super::returned::Returned;
use crate::waiters::{Queue, Record, Wait, Whom};

/// See the module. The ends are apart, or those at one would slow those at the other.
///
/// | word         | values                            | stored under, and how          |
/// |--------------|-----------------------------------|--------------------------------|
/// | sent         | only grows                        | the back lock, Release         |
/// | received     | only grows, never above sent      | the front lock, Relaxed        |
/// | seen         | a sent of earlier, never below    | the front lock, Relaxed        |
/// |              | received                          |                                |
/// | has_returned | whether `returned` has values     | the back lock, Relaxed         |
///
/// Values come with `sent` alone, which is loaded Acquire where they are taken. Of the others an
/// older value only leads to a look under a lock.
#[repr(C)]
pub(super) struct Unbounded<T> {
    /// The back lock.
    sending: ShortLock<Sending<T>>,
    /// Values that were ever sent. Stored under `sending`.
    sent: AtomicUsize,
    _apart: [u8; APART],
    /// The front lock.
    receiving: ShortLock<Reader<T>>,
    /// Values that were ever received. Stored under `receiving`.
    received: AtomicUsize,
    /// What `sent` was when a receiver last looked. Stored under `receiving`.
    seen: AtomicUsize,
    /// Whether `returned` holds something. Stored under `sending`.
    has_returned: AtomicBool,
    joint: Joint<T>,
}

/// Processors fetch lines of 64 bytes in pairs.
const APART: usize = 128;

/// What is under the senders' lock.
pub(super) struct Sending<T> {
    writer: Writer<T>,
    receivers: Queue,
    /// What had been handed over to those who do not want it any more. Comes before all else.
    returned: Returned<T>,
    open: bool,
}

impl<T> Waiters for Sending<T> {
    fn receivers(&mut self) -> &mut Queue {
        &mut self.receivers
    }
}

/// What an attempt to receive came to.
pub(super) enum Looked<'a, T> {
    Done(Result<T, Failed>),
    /// There is nothing, and will not be while the lock is held.
    Empty(ShortGuard<'a, Sending<T>>),
}

impl<T> Unbounded<T> {
    pub(super) fn new() -> Self {
        Unbounded {
            sending: ShortLock::new(Sending {
                writer: Writer::new(),
                receivers: Queue::new(),
                returned: Returned::new(),
                open: true,
            }),
            sent: AtomicUsize::new(0),
            _apart: [0; APART],
            receiving: ShortLock::new(Reader::new()),
            received: AtomicUsize::new(0),
            seen: AtomicUsize::new(0),
            has_returned: AtomicBool::new(false),
            joint: Joint::new(),
        }
    }

    /// Sends what is in the slot, which it leaves there if it fails.
    #[inline]
    pub(super) fn try_send(&self, slot: &mut Option<T>) -> Result<(), Failed> {
        let mut block = None;
        loop {
            let mut sending = self.sending.lock();
            if !sending.open {
                return Err(Failed::Disconnected);
            }
            if let Some(receiver) = sending.receivers.claim(None) {
                // SAFETY: a receiver of this channel, which waits for this: its slot is there, is
                // empty, and nobody else uses it.
                unsafe { ptr::write(receiver.slot.cast::<Option<T>>(), slot.take()) };
                drop(sending);
                receiver.whom.wake();
                return Ok(());
            }
            if let Some(new) = block.take() {
                block = self.joint.offer(new);
            }
            if !sending.writer.wants_block(&self.joint) {
                let value = slot.take().expect("a value to send");
                // SAFETY: this channel's joint; it is open, so nobody has taken what remains.
                unsafe { sending.writer.push(&self.joint, value) };
                let count = self.sent.load(Ordering::Relaxed).wrapping_add(1);
                self.sent.store(count, Ordering::Release);
                drop(sending);
                // One that somebody else's came before.
                drop(block);
                return Ok(());
            }
            drop(sending);
            block = Some(Block::new());
        }
    }

    /// Receives, if it need not wait.
    #[inline(always)]
    pub(super) fn look(&self) -> Looked<'_, T> {
        loop {
            if self.has_returned.load(Ordering::Relaxed)
                && let Some(value) = self.take_returned()
            {
                return Looked::Done(Ok(value));
            }
            if !self.looks_empty() {
                match self.pop() {
                    Some(value) => return Looked::Done(Ok(value)),
                    // Another receiver took it.
                    None => continue,
                }
            }
            let sending = self.sending.lock();
            if self.is_empty(&sending) {
                if !sending.open {
                    return Looked::Done(Err(Failed::Disconnected));
                }
                return Looked::Empty(sending);
            }
        }
    }

    /// Whether as many were received as sent, a moment ago.
    #[inline(always)]
    fn looks_empty(&self) -> bool {
        let received = self.received.load(Ordering::Relaxed);
        received == self.seen.load(Ordering::Relaxed)
            && received == self.sent.load(Ordering::Acquire)
    }

    /// Whether nothing is there, and nothing will be while the lock is held.
    #[inline]
    fn is_empty(&self, sending: &Sending<T>) -> bool {
        sending.returned.is_empty()
            && self.received.load(Ordering::Relaxed) == self.sent.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn pop(&self) -> Option<T> {
        let mut reader = self.receiving.lock();
        let received = self.received.load(Ordering::Relaxed);
        if received == self.seen.load(Ordering::Relaxed) {
            let sent = self.sent.load(Ordering::Acquire);
            self.seen.store(sent, Ordering::Relaxed);
            if received == sent {
                return None;
            }
        }
        // SAFETY: this channel's joint. More were sent than received, and point 1 of the module.
        let (value, freed) = unsafe { reader.pop(&self.joint) };
        self.received.store(received.wrapping_add(1), Ordering::Relaxed);
        drop(reader);
        drop(freed);
        Some(value)
    }

    #[cold]
    fn take_returned(&self) -> Option<T> {
        let mut sending = self.sending.lock();
        let (value, node) = sending.returned.pop()?;
        self.has_returned.store(!sending.returned.is_empty(), Ordering::Relaxed);
        drop(sending);
        drop(node);
        Some(value)
    }

    /// As [`Chan::register_recv`](super::chan::Chan::register_recv).
    ///
    /// # Safety
    /// As for [`Queue::push`]; the slot is empty.
    pub(super) unsafe fn register_recv(
        &self,
        record: &Record,
        wait: &Wait,
        case: usize,
        slot: *mut (),
    ) -> Registered {
        let mut sending = self.sending.lock();
        if !sending.open || !self.is_empty(&sending) {
            return Registered::Ready;
        }
        // SAFETY: the caller's obligation.
        unsafe { sending.receivers.push(record, wait, case, slot) };
        Registered::Waits
    }

    /// The lock under which receivers wait.
    pub(super) fn lock(&self) -> ShortGuard<'_, Sending<T>> {
        self.sending.lock()
    }

    /// Gives back what was handed over: to the receiver that waits, or as the first value.
    #[cold]
    pub(super) fn give_back(&self, value: T) {
        let (mut node, mut slot) = (Returned::node(), Some(value));
        let mut sending = self.sending.lock();
        let whom = match sending.receivers.claim(None) {
            Some(receiver) => {
                // SAFETY: as in `try_send`.
                unsafe { ptr::write(receiver.slot.cast::<Option<T>>(), slot.take()) };
                receiver.whom
            }
            None => {
                sending.returned.push(node.take().expect("made above"), slot.take());
                self.has_returned.store(true, Ordering::Relaxed);
                Whom::Nobody
            }
        };
        drop(sending);
        whom.wake();
    }

    /// Ends the waits of all, and lets nobody send any more. With `drop_values`, nobody will
    /// receive any more either.
    #[cold]
    pub(super) fn disconnect(&self, drop_values: bool) {
        let mut sending = self.sending.lock();
        sending.open = false;
        let returned = drop_values.then(|| std::mem::take(&mut sending.returned));
        drop(sending);
        let values = drop_values.then(|| self.take_values());
        loop {
            let claimed = self.sending.lock().receivers.claim(None);
            match claimed {
                Some(claimed) => claimed.whom.wake(),
                None => break,
            }
        }
        drop((values, returned));
    }

    /// All values. Nobody sends any more.
    fn take_values(&self) -> Remains<T> {
        let mut reader = self.receiving.lock();
        // Acquire: the values come with the count.
        let sent = self.sent.load(Ordering::Acquire);
        let left = sent.wrapping_sub(self.received.load(Ordering::Relaxed));
        self.seen.store(sent, Ordering::Relaxed);
        self.received.store(sent, Ordering::Relaxed);
        // SAFETY: so many were sent and not received; nobody writes any more, by the caller's word.
        unsafe { reader.take(&self.joint, left) }
    }

    /// The number of values in the channel.
    pub(super) fn len(&self) -> usize {
        // In this order: it is never more than the other.
        let received = self.received.load(Ordering::Acquire);
        let values = self.sent.load(Ordering::Acquire).wrapping_sub(received);
        if self.has_returned.load(Ordering::Relaxed) {
            return values + self.sending.lock().returned.len();
        }
        values
    }
}

impl<T> Drop for Unbounded<T> {
    fn drop(&mut self) {
        // Both ends have been dropped: nobody sends.
        drop(self.take_values());
    }
}
