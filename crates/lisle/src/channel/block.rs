//! Sending and receiving that wait, by coroutines and OS threads.

use std::cell::UnsafeCell;
use std::time::Instant;

use lisle_rt::{Ended, Waiting};

use super::chan::{Chan, Failed, Registered};
use crate::waiters::{Record, Wait, Whom};

impl<T> Chan<T> {
    /// Sends what is in the slot, which it leaves there if it fails.
    #[inline]
    pub(super) fn send(
        &self,
        mut slot: Option<T>,
        until: Option<Instant>,
    ) -> Result<(), (T, Failed)> {
        match self.try_send(&mut slot) {
            Ok(()) => return Ok(()),
            Err(Failed::Now) => {}
            Err(failed) => return Err((slot.expect("it was not sent"), failed)),
        }
        let slot = UnsafeCell::new(slot);
        let (wait, record) = (Wait::single(), Record::new());
        // SAFETY: they stay here until the wait is over.
        let register = || unsafe { self.register_send(&record, &wait, 0, &slot) };
        // SAFETY: it is in this channel's queue, or in none.
        let remove = || unsafe { self.unregister_send(&record) };
        loop {
            let result = wait_once(&wait, register, remove, until);
            if result == Ok(Registered::Waits) {
                // A partner has ended the wait.
                let left = slot.into_inner();
                return left.map_or(Ok(()), |value| Err((value, Failed::Disconnected)));
            }
            // SAFETY: it is in no queue, so the slot is ours alone.
            let slot = unsafe { &mut *slot.get() };
            let failed = match result.map(|_| self.try_send(slot)) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Failed::Now)) | Err(Failed::Now) => continue,
                Ok(Err(failed)) | Err(failed) => failed,
            };
            return Err((slot.take().expect("it was not sent"), failed));
        }
    }

    /// Receives.
    #[inline]
    pub(super) fn recv(&self, until: Option<Instant>) -> Result<T, Failed> {
        match self.try_recv() {
            Err(Failed::Now) => {}
            done => return done,
        }
        let slot = UnsafeCell::new(None);
        let (wait, record) = (Wait::single(), Record::new());
        // SAFETY: they stay here until the wait is over.
        let register = || unsafe { self.register_recv(&record, &wait, 0, &slot) };
        // SAFETY: it is in this channel's queue, or in none.
        let remove = || unsafe { self.unregister_recv(&record) };
        loop {
            match wait_once(&wait, register, remove, until) {
                // A partner has ended the wait.
                Ok(Registered::Waits) => return slot.into_inner().ok_or(Failed::Disconnected),
                Ok(Registered::Ready) => match self.try_recv() {
                    Err(Failed::Now) => {}
                    done => return done,
                },
                Err(Failed::Now) => {}
                Err(failed) => return Err(failed),
            }
        }
    }
}

/// Waits in one queue: `Waits` if a partner has ended the wait, `Ready` if there was none.
#[inline]
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
