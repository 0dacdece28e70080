//! How waits end, and why: a deadline, or a cancellation, of what the caller does.

/// Why a wait that could have gone on is over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stop {
    /// The deadline of what it belongs to has passed.
    TimedOut,
    /// What it belongs to was cancelled.
    Cancelled,
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// By a [`Waker`](crate::Waker).
    Woken,
    /// The deadline passed.
    TimedOut,
    /// For no reason that matters here; what was waited for is to be looked at again.
    Interrupted,
    /// The caller is to stop what it does.
    Stopped(Stop),
}
