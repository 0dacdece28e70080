//! Sending and receiving that wait, by coroutines and OS threads.
//!
//! What is done without waiting is inlined where it is called, by order, since compilers are of
//! two minds about code of this size; what is done while somebody waits is not.

use std::cell::UnsafeCell;
use std::time::Instant;

use lisle_rt::{Ended, ShortGuard, Waiting};

use super::bounded::{Inner, Received, Sent};
use super::chan::{Chan, Failed, Kind, Registered, Waiters};
use super::unbounded::Looked;
use crate::waiters::{Record, Wait, Whom};

impl<T> Chan<T> {
    /// Sends `value`, which comes back if that fails.
    #[inline]
    pub(super) fn send(&self, value: T, until: Option<Instant>) -> Result<(), (T, Failed)> {
        let mut slot = Some(value);
        let failed = match &self.kind {
            Kind::Bounded(chan) => {
                let mut inner = chan.lock();
                match inner.send(&mut slot) {
                    Sent::Done(whom) => {
                        drop(inner);
                        whom.wake();
                        return Ok(());
                    }
                    Sent::Full => return self.wait_to_send(inner, slot, until),
                    Sent::Disconnected => Failed::Disconnected,
                }
            }
            Kind::Unbounded(chan) => match chan.try_send(&mut slot) {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            },
        };
        Err((slot.expect("it was not sent"), failed))
    }

    /// Waits for a receiver or for room. A coroutine begins to under the hold of the lock under
    /// which it saw that it has to, which is `inner`.
    #[inline(never)]
    fn wait_to_send(
        &self,
        mut inner: ShortGuard<'_, Inner<T>>,
        slot: Option<T>,
        until: Option<Instant>,
    ) -> Result<(), (T, Failed)> {
        let slot = UnsafeCell::new(slot);
        let (wait, record) = (Wait::single(), Record::new());
        // SAFETY: they stay here until the wait is over.
        let register = || unsafe { self.register_send(&record, &wait, 0, &slot) };
        // SAFETY: it is in this channel's queue, or in none.
        let remove = || unsafe { self.unregister_send(&record) };
        // SAFETY: as above; whom it was to wake before was nobody.
        let begun = Waiting::begin_suspension().inspect(|waiting| unsafe {
            wait.set_whom(Whom::Waiting(waiting.waker()));
            inner.senders.push(&record, &wait, 0, slot.get().cast());
        });
        drop(inner);
        let result = match begun {
            Some(waiting) => wait_out(waiting, remove, until),
            None => wait_once(&wait, register, remove, until),
        };
        match result {
            // A partner has ended the wait.
            Ok(Registered::Waits) => sent(slot.into_inner()),
            result => self.send_again(slot.into_inner(), result, until),
        }
    }

    /// Goes on after a wait that no partner has ended, and of which nothing is in the queue.
    #[cold]
    fn send_again(
        &self,
        slot: Option<T>,
        mut result: Result<Registered, Failed>,
        until: Option<Instant>,
    ) -> Result<(), (T, Failed)> {
        let slot = UnsafeCell::new(slot);
        let (wait, record) = (Wait::single(), Record::new());
        // SAFETY: they stay here until the wait is over.
        let register = || unsafe { self.register_send(&record, &wait, 0, &slot) };
        // SAFETY: it is in this channel's queue, or in none.
        let remove = || unsafe { self.unregister_send(&record) };
        loop {
            let failed = match result {
                Ok(Registered::Waits) => return sent(slot.into_inner()),
                // SAFETY: it is in no queue, so the slot is ours alone.
                Ok(Registered::Ready) => match self.try_send(unsafe { &mut *slot.get() }) {
                    Ok(()) => return Ok(()),
                    Err(failed) => failed,
                },
                Err(failed) => failed,
            };
            if failed != Failed::Now {
                return Err((slot.into_inner().expect("it was not sent"), failed));
            }
            result = wait_once(&wait, register, remove, until);
        }
    }

    /// Receives.
    #[inline]
    pub(super) fn recv(&self, until: Option<Instant>) -> Result<T, Failed> {
        match &self.kind {
            Kind::Bounded(chan) => {
                let mut inner = chan.lock();
                match inner.recv() {
                    Received::Empty => self.wait_to_recv(inner, until),
                    received => {
                        drop(inner);
                        received.finish()
                    }
                }
            }
            Kind::Unbounded(chan) => match chan.look() {
                Looked::Done(result) => result,
                Looked::Empty(sending) => self.wait_to_recv(sending, until),
            },
        }
    }

    /// Waits for a value, as [`wait_to_send`](Self::wait_to_send) does for room.
    #[inline(never)]
    fn wait_to_recv<W: Waiters>(
        &self,
        mut inner: ShortGuard<'_, W>,
        until: Option<Instant>,
    ) -> Result<T, Failed> {
        let slot = UnsafeCell::new(None);
        let (wait, record) = (Wait::single(), Record::new());
        // SAFETY: they stay here until the wait is over.
        let register = || unsafe { self.register_recv(&record, &wait, 0, &slot) };
        // SAFETY: it is in this channel's queue, or in none.
        let remove = || unsafe { self.unregister_recv(&record) };
        // SAFETY: as above; whom it was to wake before was nobody.
        let begun = Waiting::begin_suspension().inspect(|waiting| unsafe {
            wait.set_whom(Whom::Waiting(waiting.waker()));
            inner.receivers().push(&record, &wait, 0, slot.get().cast());
        });
        drop(inner);
        let result = match begun {
            Some(waiting) => wait_out(waiting, remove, until),
            None => wait_once(&wait, register, remove, until),
        };
        match result {
            // A partner has ended the wait.
            Ok(Registered::Waits) => slot.into_inner().ok_or(Failed::Disconnected),
            result => self.recv_again(result, until),
        }
    }

    /// As [`send_again`](Self::send_again).
    #[cold]
    fn recv_again(
        &self,
        mut result: Result<Registered, Failed>,
        until: Option<Instant>,
    ) -> Result<T, Failed> {
        let slot = UnsafeCell::new(None);
        let (wait, record) = (Wait::single(), Record::new());
        // SAFETY: they stay here until the wait is over.
        let register = || unsafe { self.register_recv(&record, &wait, 0, &slot) };
        // SAFETY: it is in this channel's queue, or in none.
        let remove = || unsafe { self.unregister_recv(&record) };
        loop {
            match result {
                Ok(Registered::Waits) => return slot.into_inner().ok_or(Failed::Disconnected),
                Ok(Registered::Ready) => match self.try_recv() {
                    Err(Failed::Now) => {}
                    done => return done,
                },
                Err(Failed::Now) => {}
                Err(failed) => return Err(failed),
            }
            result = wait_once(&wait, register, remove, until);
        }
    }
}

/// What sending came to if a partner has ended the wait; `left` is what is in the slot then.
#[inline]
fn sent<T>(left: Option<T>) -> Result<(), (T, Failed)> {
    left.map_or(Ok(()), |value| Err((value, Failed::Disconnected)))
}

/// Waits in one queue: `Waits` if a partner has ended the wait, `Ready` if there was none.
fn wait_once(
    wait: &Wait,
    register: impl Fn() -> Registered,
    remove: impl Fn() -> bool,
    until: Option<Instant>,
) -> Result<Registered, Failed> {
    let waiting = Waiting::begin();
    // SAFETY: it is in no queue.
    drop(unsafe { wait.set_whom(Whom::Waiting(waiting.waker())) });
    if register() == Registered::Ready {
        waiting.forgo();
        return Ok(Registered::Ready);
    }
    wait_out(waiting, remove, until)
}

/// Waits until a partner has ended the wait, which is `Waits`. On failure it is out of the queue.
#[inline]
fn wait_out(
    waiting: Waiting,
    remove: impl Fn() -> bool,
    until: Option<Instant>,
) -> Result<Registered, Failed> {
    let ended = waiting.wait(until);
    if ended == Ended::Woken || !remove() {
        return Ok(Registered::Waits);
    }
    Err(match ended {
        Ended::TimedOut => Failed::TimedOut,
        Ended::Stopped(stop) => Failed::Stopped(stop),
        Ended::Woken | Ended::Interrupted => Failed::Now,
    })
}
