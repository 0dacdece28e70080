//! The sending end of a channel.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::chan::{Chan, Failed};
use super::error::{SendError, SendTimeoutError, TrySendError};
use super::future::SendFuture;

/// The sending end of a [channel](crate::channel). Clones send on the same channel.
pub struct Sender<T> {
    chan: Arc<Chan<T>>,
}

// What a panic could interrupt is over before anybody's code runs.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// One that was counted.
    pub(super) fn new(chan: Arc<Chan<T>>) -> Self {
        Sender { chan }
    }

    #[inline]
    pub(crate) fn chan(&self) -> &Chan<T> {
        &self.chan
    }

    /// Sends a value if that can be done at once: if there is room, or a receiver waits.
    ///
    /// # Errors
    /// If it cannot, or if all receivers are gone. The error has the value.
    ///
    /// ```
    /// use lisle::channel::{self, TrySendError};
    ///
    /// let (sender, receiver) = channel::bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Disconnected(3)));
    /// ```
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut slot = Some(value);
        self.chan.try_send(&mut slot).map_err(|failed| {
            let value = slot.expect("it was not sent");
            match failed {
                Failed::Disconnected => TrySendError::Disconnected(value),
                _ => TrySendError::Full(value),
            }
        })
    }

    /// Sends a value; waits while the channel is full.
    ///
    /// # Errors
    /// If all receivers are gone, or the caller is to stop. The error has the value.
    ///
    /// ```
    /// let (sender, receiver) = lisle::channel::rendezvous();
    /// let coroutine = lisle::spawn(move || receiver.recv());
    /// sender.send("now").unwrap();
    /// assert_eq!(coroutine.join().unwrap(), Ok("now"));
    /// assert_eq!(sender.send("late").unwrap_err().into_inner(), "late");
    /// ```
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.chan.send(value, None).map_err(|(value, failed)| match failed {
            Failed::Stopped(stop) => SendError::Stopped(value, stop),
            _ => SendError::Disconnected(value),
        })
    }

    /// [`send`](Self::send), waiting for at most `timeout`.
    ///
    /// # Errors
    /// As `send`, and if the time is over.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, _receiver) = lisle::channel::rendezvous();
    /// assert!(sender.send_timeout(1, Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        // A deadline beyond the clock's range is none.
        self.send_until(value, Instant::now().checked_add(timeout))
    }

    /// [`send`](Self::send), waiting until `deadline` at most.
    ///
    /// # Errors
    /// As `send`, and if the time is over.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let (sender, _receiver) = lisle::channel::rendezvous();
    /// assert!(sender.send_deadline(1, Instant::now()).unwrap_err().is_timeout());
    /// ```
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, Some(deadline))
    }

    fn send_until(&self, value: T, until: Option<Instant>) -> Result<(), SendTimeoutError<T>> {
        self.chan.send(value, until).map_err(|(value, failed)| match failed {
            Failed::Stopped(stop) => SendTimeoutError::Stopped(value, stop),
            Failed::Disconnected => SendTimeoutError::Disconnected(value),
            Failed::TimedOut | Failed::Now => SendTimeoutError::Timeout(value),
        })
    }

    /// Sends a value from an asynchronous task, of any executor.
    ///
    /// Dropping the future before it is done drops the value, unless it was sent.
    ///
    /// # Errors
    /// If all receivers are gone. The error has the value.
    ///
    /// ```
    /// # use std::{pin::pin, task::{Context, Poll, Waker}};
    /// let (sender, receiver) = lisle::channel::bounded(1);
    /// let task = async move { sender.send_async(7).await };
    /// # assert!(pin!(task).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    /// assert_eq!(receiver.recv(), Ok(7));
    /// ```
    pub fn send_async(&self, value: T) -> SendFuture<'_, T> {
        SendFuture::new(&self.chan, value)
    }

    /// The number of values in the channel.
    pub fn len(&self) -> usize {
        self.chan.len()
    }

    /// Whether the channel holds nothing, as a [`rendezvous`](crate::channel::rendezvous) always
    /// does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the channel has no room, as a [`rendezvous`](crate::channel::rendezvous) never has.
    pub fn is_full(&self) -> bool {
        self.capacity().is_some_and(|capacity| self.len() >= capacity)
    }

    /// How many values the channel can hold; none if it is any number.
    pub fn capacity(&self) -> Option<usize> {
        self.chan.capacity()
    }

    /// Whether both send on the same channel.
    ///
    /// ```
    /// let (sender, _receiver) = lisle::channel::unbounded::<i32>();
    /// let (other, _receiver) = lisle::channel::unbounded::<i32>();
    /// assert!(sender.same_channel(&sender.clone()) && !sender.same_channel(&other));
    /// ```
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.chan, &other.chan)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Chan::<T>::count(&self.chan.senders);
        Sender { chan: Arc::clone(&self.chan) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // Release and Acquire: what was sent by others is there for who finds it disconnected.
        if self.chan.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.chan.disconnect(false);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Sender { .. }")
    }
}
