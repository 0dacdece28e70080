//! Why what the caller does is to end: its deadline, or a cancellation.

/// Why a wait that could have gone on is over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stop {
    /// The deadline of what it belongs to has passed.
    TimedOut,
    /// What it belongs to was cancelled.
    Cancelled,
}
