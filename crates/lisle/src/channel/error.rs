//! What sending and receiving may fail with. Whoever could not send gets the value back.
//!
//! Names and methods are those of crossbeam-channel. What is more here is `Stopped`: a deadline or
//! a cancellation of what the caller belongs to ends every wait, and a wait on a channel has an
//! error to say so.
//!
//! Rejected: one error type for all. A caller of `recv` would have to match what cannot happen.

use std::error::Error;
use std::fmt;

use lisle_rt::Stop;

/// Why a value was not sent, with the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<T> {
    /// There are no receivers any more.
    Disconnected(T),
    /// The sender is to stop what it does.
    Stopped(T, Stop),
}

/// Why a value was not sent at once, with the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The channel is full; if it holds nothing, no receiver waits.
    Full(T),
    /// There are no receivers any more.
    Disconnected(T),
}

/// Why a value was not sent in time, with the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The channel remained full; if it holds nothing, no receiver came.
    Timeout(T),
    /// There are no receivers any more.
    Disconnected(T),
    /// The sender is to stop what it does.
    Stopped(T, Stop),
}

/// Why nothing was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvError {
    /// The channel is empty, and there are no senders any more.
    Disconnected,
    /// The receiver is to stop what it does.
    Stopped(Stop),
}

/// Why nothing was received at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// The channel is empty; if it holds nothing, no sender waits.
    Empty,
    /// The channel is empty, and there are no senders any more.
    Disconnected,
}

/// Why nothing was received in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvTimeoutError {
    /// The channel remained empty.
    Timeout,
    /// The channel is empty, and there are no senders any more.
    Disconnected,
    /// The receiver is to stop what it does.
    Stopped(Stop),
}

impl<T> SendError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            SendError::Disconnected(value) | SendError::Stopped(value, _) => value,
        }
    }

    /// Whether it is because there are no receivers any more.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, SendError::Disconnected(_))
    }
}

impl<T> TrySendError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Disconnected(value) => value,
        }
    }

    /// Whether it is because the channel is full.
    pub fn is_full(&self) -> bool {
        matches!(self, TrySendError::Full(_))
    }

    /// Whether it is because there are no receivers any more.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, TrySendError::Disconnected(_))
    }
}

impl<T> SendTimeoutError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(value)
            | SendTimeoutError::Disconnected(value)
            | SendTimeoutError::Stopped(value, _) => value,
        }
    }

    /// Whether it is because the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, SendTimeoutError::Timeout(_))
    }

    /// Whether it is because there are no receivers any more.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, SendTimeoutError::Disconnected(_))
    }
}

impl RecvError {
    /// Whether it is because there are no senders any more.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, RecvError::Disconnected)
    }
}

impl TryRecvError {
    /// Whether it is because the channel is empty.
    pub fn is_empty(&self) -> bool {
        matches!(self, TryRecvError::Empty)
    }

    /// Whether it is because there are no senders any more.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, TryRecvError::Disconnected)
    }
}

impl RecvTimeoutError {
    /// Whether it is because the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, RecvTimeoutError::Timeout)
    }

    /// Whether it is because there are no senders any more.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, RecvTimeoutError::Disconnected)
    }
}

impl<T> From<SendError<T>> for TrySendError<T> {
    /// One that is to stop counts as one that does not wait any longer.
    fn from(error: SendError<T>) -> Self {
        match error {
            SendError::Disconnected(value) => TrySendError::Disconnected(value),
            SendError::Stopped(value, _) => TrySendError::Full(value),
        }
    }
}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(error: SendError<T>) -> Self {
        match error {
            SendError::Disconnected(value) => SendTimeoutError::Disconnected(value),
            SendError::Stopped(value, stop) => SendTimeoutError::Stopped(value, stop),
        }
    }
}

impl From<RecvError> for TryRecvError {
    /// One that is to stop counts as one that does not wait any longer.
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Disconnected => TryRecvError::Disconnected,
            RecvError::Stopped(_) => TryRecvError::Empty,
        }
    }
}

impl From<RecvError> for RecvTimeoutError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Disconnected => RecvTimeoutError::Disconnected,
            RecvError::Stopped(stop) => RecvTimeoutError::Stopped(stop),
        }
    }
}

/// What a stop says in the errors here.
fn stopped(stop: Stop) -> &'static str {
    match stop {
        Stop::TimedOut => "the deadline of what waits has passed",
        Stop::Cancelled => "what waits was cancelled",
    }
}

const NO_RECEIVERS: &str = "sending on a disconnected channel";
const NO_SENDERS: &str = "receiving on an empty and disconnected channel";

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::Disconnected(_) => NO_RECEIVERS,
            SendError::Stopped(_, stop) => stopped(*stop),
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "sending on a full channel",
            TrySendError::Disconnected(_) => NO_RECEIVERS,
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendTimeoutError::Timeout(_) => "timed out waiting on send operation",
            SendTimeoutError::Disconnected(_) => NO_RECEIVERS,
            SendTimeoutError::Stopped(_, stop) => stopped(*stop),
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecvError::Disconnected => NO_SENDERS,
            RecvError::Stopped(stop) => stopped(*stop),
        })
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "receiving on an empty channel",
            TryRecvError::Disconnected => NO_SENDERS,
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecvTimeoutError::Timeout => "timed out waiting on receive operation",
            RecvTimeoutError::Disconnected => NO_SENDERS,
            RecvTimeoutError::Stopped(stop) => stopped(*stop),
        })
    }
}

// Values need not be `Debug`: an error shows what happened, not what was to be sent.

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Disconnected(_) => f.write_str("Disconnected(..)"),
            SendError::Stopped(_, stop) => write!(f, "Stopped(.., {stop:?})"),
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendTimeoutError::Timeout(_) => f.write_str("Timeout(..)"),
            SendTimeoutError::Disconnected(_) => f.write_str("Disconnected(..)"),
            SendTimeoutError::Stopped(_, stop) => write!(f, "Stopped(.., {stop:?})"),
        }
    }
}

impl<T> Error for SendError<T> {}
impl<T> Error for TrySendError<T> {}
impl<T> Error for SendTimeoutError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}
