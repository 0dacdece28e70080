//! The receiving end of a channel, or of a clock.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::chan::{Chan, Failed};
use super::clock::{self, Clock};
use super::error::{RecvError, RecvTimeoutError, TryRecvError};
use super::future::RecvFuture;
use super::iter::{IntoIter, Iter, TryIter};

/// The receiving end of a [channel](crate::channel). Clones receive from the same channel: each
/// value goes to one of them.
pub struct Receiver<T> {
    source: Source<T>,
}

/// Where values come from.
pub(super) enum Source<T> {
    Chan(Arc<Chan<T>>),
    /// With the proof that moments are what is received: the identity.
    Clock(Arc<Clock>, fn(Instant) -> T),
    Never,
}

// What a panic could interrupt is over before anybody's code runs.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    /// One that was counted.
    pub(super) fn new(source: Source<T>) -> Self {
        Receiver { source }
    }

    /// The channel that is to be waited for, if it is one.
    #[inline]
    pub(crate) fn chan(&self) -> Option<&Chan<T>> {
        match &self.source {
            Source::Chan(chan) => Some(chan),
            Source::Clock(..) | Source::Never => None,
        }
    }

    /// When there will be something by itself.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        match &self.source {
            Source::Clock(clock, _) => clock.next(),
            Source::Chan(_) | Source::Never => None,
        }
    }

    #[inline]
    pub(crate) fn attempt(&self) -> Result<T, Failed> {
        match &self.source {
            Source::Chan(chan) => chan.try_recv(),
            Source::Clock(clock, value) => clock.try_recv().map(value),
            Source::Never => Err(Failed::Now),
        }
    }

    #[inline]
    fn wait(&self, until: Option<Instant>) -> Result<T, Failed> {
        match &self.source {
            Source::Chan(chan) => chan.recv(until),
            Source::Clock(clock, value) => clock.recv(until).map(value),
            Source::Never => Err(clock::never(until)),
        }
    }

    /// Receives a value if there is one, or a sender waits.
    ///
    /// # Errors
    /// If there is none, or if there is none and all senders are gone.
    ///
    /// ```
    /// use lisle::channel::{self, TryRecvError};
    ///
    /// let (sender, receiver) = channel::unbounded();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(5).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.attempt().map_err(|failed| match failed {
            Failed::Disconnected => TryRecvError::Disconnected,
            _ => TryRecvError::Empty,
        })
    }

    /// Receives a value; waits while the channel is empty.
    ///
    /// # Errors
    /// If the channel is empty and all senders are gone, or if the caller is to stop.
    ///
    /// ```
    /// use lisle::channel::{self, RecvError};
    ///
    /// let (sender, receiver) = channel::unbounded();
    /// lisle::spawn(move || sender.send(5));
    /// assert_eq!(receiver.recv(), Ok(5));
    /// assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
    /// ```
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.wait(None).map_err(|failed| match failed {
            Failed::Stopped(stop) => RecvError::Stopped(stop),
            _ => RecvError::Disconnected,
        })
    }

    /// [`recv`](Self::recv), waiting for at most `timeout`.
    ///
    /// # Errors
    /// As `recv`, and if the time is over.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (_sender, receiver) = lisle::channel::rendezvous::<i32>();
    /// assert!(receiver.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        // A deadline beyond the clock's range is none.
        self.recv_until(Instant::now().checked_add(timeout))
    }

    /// [`recv`](Self::recv), waiting until `deadline` at most.
    ///
    /// # Errors
    /// As `recv`, and if the time is over.
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// let (_sender, receiver) = lisle::channel::rendezvous::<i32>();
    /// assert!(receiver.recv_deadline(Instant::now()).unwrap_err().is_timeout());
    /// ```
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    fn recv_until(&self, until: Option<Instant>) -> Result<T, RecvTimeoutError> {
        self.wait(until).map_err(|failed| match failed {
            Failed::Stopped(stop) => RecvTimeoutError::Stopped(stop),
            Failed::Disconnected => RecvTimeoutError::Disconnected,
            Failed::TimedOut | Failed::Now => RecvTimeoutError::Timeout,
        })
    }

    /// Receives a value in an asynchronous task, of any executor.
    ///
    /// Dropping the future before it is done loses nothing: a value that was handed to it goes to
    /// the next receiver. A wait for a channel that time fills needs a coroutine to end it.
    ///
    /// # Errors
    /// If the channel is empty and all senders are gone.
    ///
    /// ```
    /// # use std::{pin::pin, task::{Context, Poll, Waker}};
    /// let (sender, receiver) = lisle::channel::bounded(1);
    /// sender.send(7).unwrap();
    /// let task = async { receiver.recv_async().await };
    /// # let polled = pin!(task).poll(&mut Context::from_waker(Waker::noop()));
    /// # assert_eq!(polled, Poll::Ready(Ok(7)));
    /// ```
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture::new(self)
    }

    /// Receives until the channel is empty and all senders are gone, or the caller is to stop.
    ///
    /// ```
    /// let (sender, receiver) = lisle::channel::unbounded();
    /// lisle::spawn(move || (0..3).try_for_each(|number| sender.send(number)));
    /// assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// Receives what is there, without waiting.
    ///
    /// ```
    /// let (sender, receiver) = lisle::channel::unbounded();
    /// (0..3).try_for_each(|number| sender.send(number)).unwrap();
    /// assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }

    /// The number of values in the channel.
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Chan(chan) => chan.len(),
            Source::Clock(clock, _) => usize::from(!clock.is_empty()),
            Source::Never => 0,
        }
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
        match &self.source {
            Source::Chan(chan) => chan.capacity(),
            Source::Clock(..) => Some(1),
            Source::Never => Some(0),
        }
    }

    /// Whether both receive from the same channel.
    ///
    /// ```
    /// use lisle::channel::{never, unbounded};
    ///
    /// let (_sender, receiver) = unbounded::<i32>();
    /// assert!(receiver.same_channel(&receiver.clone()) && !receiver.same_channel(&never()));
    /// ```
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        match (&self.source, &other.source) {
            (Source::Chan(one), Source::Chan(other)) => Arc::ptr_eq(one, other),
            (Source::Clock(one, _), Source::Clock(other, _)) => Arc::ptr_eq(one, other),
            (Source::Never, Source::Never) => true,
            _ => false,
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Receiver {
            source: match &self.source {
                Source::Chan(chan) => {
                    Chan::<T>::count(&chan.receivers);
                    Source::Chan(Arc::clone(chan))
                }
                Source::Clock(clock, value) => Source::Clock(Arc::clone(clock), *value),
                Source::Never => Source::Never,
            },
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Release and Acquire: the last one has all that others left.
        if let Source::Chan(chan) = &self.source
            && chan.receivers.fetch_sub(1, Ordering::AcqRel) == 1
        {
            chan.disconnect(true);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Receiver { .. }")
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}
