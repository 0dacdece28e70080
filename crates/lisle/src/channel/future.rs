//! Sending and receiving in asynchronous tasks.
//!
//! A future is a waiter like any other, whose record and slot are in it; that is why it is pinned
//! while it is in a queue, and takes itself out when it is dropped. A clock has no queue: a
//! coroutine sleeps for the future.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::chan::{Chan, Failed, Registered, Slot};
use super::error::{RecvError, SendError};
use super::receiver::Receiver;
use crate::waiters::{Record, Wait, Whom};

/// What both kinds of future are made of.
struct Waiter<T> {
    record: Record,
    wait: Wait,
    /// Used by the future alone, except while it is `queued`; then by partners, under the lock.
    slot: Slot<T>,
    /// It was put into the queue; a partner may have taken it out since.
    queued: bool,
    _pinned: PhantomPinned,
}

// SAFETY: a value in the slot goes from one to the other with the future or a lock, and is not
// shared.
unsafe impl<T: Send> Sync for Waiter<T> {}

impl<T> Waiter<T> {
    fn new(value: Option<T>) -> Self {
        Waiter {
            record: Record::new(),
            wait: Wait::single(),
            slot: UnsafeCell::new(value),
            queued: false,
            _pinned: PhantomPinned,
        }
    }
}

/// Sends a value; see [`Sender::send_async`](super::Sender::send_async).
#[must_use = "futures do nothing unless they are polled"]
pub struct SendFuture<'a, T> {
    chan: &'a Chan<T>,
    waiter: Waiter<T>,
}

impl<'a, T> SendFuture<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>, value: T) -> Self {
        SendFuture { chan, waiter: Waiter::new(Some(value)) }
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out but values, which are not pinned.
        let SendFuture { chan, waiter } = unsafe { self.get_unchecked_mut() };
        let mut whom = Whom::Nobody;
        loop {
            if waiter.queued {
                whom = task(whom, context);
                // SAFETY: it is in this channel's queue of senders, or in none.
                if unsafe { chan.renew_send(&waiter.record, &waiter.wait, &mut whom) } {
                    return Poll::Pending;
                }
                waiter.queued = false;
                // A partner has ended the wait.
                let left = waiter.slot.get_mut().take();
                return Poll::Ready(left.map_or(Ok(()), |v| Err(SendError::Disconnected(v))));
            }
            let slot = waiter.slot.get_mut();
            assert!(slot.is_some(), "polled after it was done");
            match chan.try_send(slot) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(Failed::Now) => {}
                Err(_) => {
                    let value = slot.take().expect("it was not sent");
                    return Poll::Ready(Err(SendError::Disconnected(value)));
                }
            }
            whom = task(whom, context);
            // SAFETY: it is in no queue.
            drop(unsafe { waiter.wait.set_whom(whom) });
            let Waiter { record, wait, slot, .. } = &*waiter;
            // SAFETY: they are pinned, and `drop` takes them out of the queue.
            if unsafe { chan.register_send(record, wait, 0, slot) } == Registered::Waits {
                waiter.queued = true;
                return Poll::Pending;
            }
            whom = Whom::Nobody;
        }
    }
}

impl<T> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        if self.waiter.queued {
            // SAFETY: it is in this channel's queue of senders, or in none.
            unsafe { self.chan.unregister_send(&self.waiter.record) };
        }
    }
}

/// Receives a value; see [`Receiver::recv_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct RecvFuture<'a, T> {
    receiver: &'a Receiver<T>,
    waiter: Waiter<T>,
    timer: Option<Arc<Timer>>,
}

impl<'a, T> RecvFuture<'a, T> {
    pub(super) fn new(receiver: &'a Receiver<T>) -> Self {
        RecvFuture { receiver, waiter: Waiter::new(None), timer: None }
    }
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out but values, which are not pinned.
        let RecvFuture { receiver, waiter, timer } = unsafe { self.get_unchecked_mut() };
        let Some(chan) = receiver.chan() else {
            return poll_clock(receiver, timer, context);
        };
        let mut whom = Whom::Nobody;
        loop {
            if waiter.queued {
                whom = task(whom, context);
                // SAFETY: it is in this channel's queue of receivers, or in none.
                if unsafe { chan.renew_recv(&waiter.record, &waiter.wait, &mut whom) } {
                    return Poll::Pending;
                }
                waiter.queued = false;
                // A partner has ended the wait.
                let value = waiter.slot.get_mut().take();
                return Poll::Ready(value.ok_or(RecvError::Disconnected));
            }
            match chan.try_recv() {
                Ok(value) => return Poll::Ready(Ok(value)),
                Err(Failed::Now) => {}
                Err(_) => return Poll::Ready(Err(RecvError::Disconnected)),
            }
            whom = task(whom, context);
            // SAFETY: it is in no queue.
            drop(unsafe { waiter.wait.set_whom(whom) });
            let Waiter { record, wait, slot, .. } = &*waiter;
            // SAFETY: they are pinned, and `drop` takes them out of the queue.
            if unsafe { chan.register_recv(record, wait, 0, slot) } == Registered::Waits {
                waiter.queued = true;
                return Poll::Pending;
            }
            whom = Whom::Nobody;
        }
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    fn drop(&mut self) {
        if self.waiter.queued
            && let Some(chan) = self.receiver.chan()
        {
            // SAFETY: it is in this channel's queue of receivers, or in none.
            let waits = unsafe { chan.unregister_recv(&self.waiter.record) };
            if !waits && let Some(value) = self.waiter.slot.get_mut().take() {
                chan.give_back(value);
            }
        }
    }
}

/// The task that polls, unless it is known already.
fn task(whom: Whom, context: &Context<'_>) -> Whom {
    match whom {
        Whom::Task(_) => whom,
        _ => Whom::Task(context.waker().clone()),
    }
}

/// What a coroutine that sleeps is to wake.
struct Timer {
    waker: Mutex<Waker>,
    until: Instant,
}

fn poll_clock<T>(
    receiver: &Receiver<T>,
    timer: &mut Option<Arc<Timer>>,
    context: &Context<'_>,
) -> Poll<Result<T, RecvError>> {
    if let Ok(value) = receiver.attempt() {
        return Poll::Ready(Ok(value));
    }
    // Nothing will ever come: the future need not be polled again.
    let Some(until) = receiver.next_moment() else { return Poll::Pending };
    let waker = context.waker().clone();
    match timer {
        Some(timer) if timer.until == until => {
            let mut place = timer.waker.lock().unwrap_or_else(PoisonError::into_inner);
            let old = std::mem::replace(&mut *place, waker);
            drop(place);
            drop(old);
        }
        _ => {
            let new = Arc::new(Timer { waker: Mutex::new(waker), until });
            *timer = Some(Arc::clone(&new));
            crate::spawn(move || {
                crate::sleep(new.until.saturating_duration_since(Instant::now()));
                let waker = new.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
                waker.wake();
            });
        }
    }
    Poll::Pending
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendFuture { .. }")
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("RecvFuture { .. }")
    }
}
