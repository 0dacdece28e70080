//! Futures have no `park`, but what parking is made of: a task's waker and a reason to go on.
//! Every executor has wakers, so this costs it no more than its own primitives would.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

use super::{Executor, switch::race, target};
use crate::clock::{Count, Pace};
use crate::{Outcome, Params, report_ns};

/// The calling task's waker. Those of one task are interchangeable in all executors here.
pub(super) async fn waker() -> Waker {
    poll_fn(|context| Poll::Ready(context.waker().clone())).await
}

/// Suspends the task until it is woken and `done`. A wake that comes while `done` runs makes the
/// executor ask again.
pub(super) async fn park_until(done: impl Fn() -> bool) {
    poll_fn(|_| if done() { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Two tasks that wake each other in turn: wall time per round trip.
pub(super) async fn park<E: Executor>(params: &Params) -> Outcome<()> {
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let turn = Arc::new(AtomicU64::new(0));
        let race = race::<E, _>(2, |me, gate| {
            let turn = Arc::clone(&turn);
            async move { play(&turn, me as u64, gate.task(1 - me), count).await }
        });
        pace.took(race.await);
    }
    report_ns("round_trip", pace.ns_per(1));
    Ok(())
}

/// One of two players: in even turns the first has the ball, in odd turns the second.
async fn play(turn: &AtomicU64, me: u64, other: &Waker, rounds: Count) {
    for round in 0..rounds {
        let mine = 2 * round + me;
        park_until(|| turn.load(Ordering::Acquire) == mine).await;
        turn.store(mine + 1, Ordering::Release);
        other.wake_by_ref();
    }
}
