//! The place in a trace of the `tracing` crate, carried from who starts a coroutine to the
//! coroutine: the current span and the dispatcher. `no_span.rs` stands in without the feature.
//!
//! `tracing` keeps both in thread-locals, which are each coroutine's own. So spans of two
//! coroutines never mix, without doing anything; but a new coroutine begins outside of every span,
//! which is what this mends. The dispatcher is carried too because a span of a dispatcher that is
//! set for an extent (`with_default`) means nothing to the events of another.
//!
//! Rejected: entering the span with `Span::in_scope` alone, which keeps tests that set a subscriber
//! for an extent from seeing the events of coroutines.

use tracing::Span;
use tracing::dispatcher::{self, Dispatch};
use tracing::subscriber::NoSubscriber;

/// Where a coroutine begins in the trace; none if nobody listens to its starter.
pub(crate) struct Trace(Option<(Dispatch, Span)>);

impl Trace {
    #[inline]
    pub(crate) fn of_caller() -> Self {
        let dispatch = dispatcher::get_default(|dispatch| {
            let listens = !dispatch.is::<NoSubscriber>();
            listens.then(|| dispatch.clone())
        });
        // Not in there: what looks for the dispatcher while it is looked for finds none.
        Trace(dispatch.map(|dispatch| (dispatch, Span::current())))
    }

    /// Runs `f` there.
    #[inline]
    pub(crate) fn run<R>(self, f: impl FnOnce() -> R) -> R {
        match self.0 {
            None => f(),
            Some((dispatch, span)) => dispatcher::with_default(&dispatch, || span.in_scope(f)),
        }
    }
}
