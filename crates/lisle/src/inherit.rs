//! What a coroutine gets from the one that starts it: the values that are set, and the place in the
//! trace.
//!
//! Every way to start a coroutine comes through here, so that none can forget something. A deadline
//! or cancellation is not among it: those who are in a scope have their starter's, others have
//! none, so that is the scope's affair.

use crate::locals::Values;
use crate::span::Trace;

/// Taken by the starter, unwrapped on the coroutine.
pub(crate) struct Inherited {
    values: Values,
    trace: Trace,
}

impl Inherited {
    #[inline]
    pub(crate) fn of_caller() -> Self {
        Inherited { values: Values::of_caller(), trace: Trace::of_caller() }
    }

    /// Runs the body of the coroutine.
    #[inline]
    pub(crate) fn run<R>(self, f: impl FnOnce() -> R) -> R {
        let Inherited { values, trace } = self;
        values.run(|| trace.run(f))
    }
}
