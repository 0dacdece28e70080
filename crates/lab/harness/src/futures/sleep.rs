//! Tasks that sleep.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Executor, join_all, spawn_all, target};
use crate::quantiles::Times;
use crate::sleepers::{Sleepers, lateness};
use crate::{Outcome, Params};

/// One task sleeps a short time again and again, and there is no other: how long it takes.
pub(super) async fn short<E: Executor>(params: &Params) -> Outcome<()> {
    let nap = Duration::from_micros(params.get("us")? as u64);
    let (mut times, end) = (Times::default(), Instant::now() + target(params)?);
    while Instant::now() < end {
        let start = Instant::now();
        E::sleep(nap).await;
        times.push(nap + lateness(start, nap));
    }
    times.report(&[("p50", 0.5), ("p99", 0.99)]);
    Ok(())
}

/// Very many tasks sleep once.
pub(super) async fn many<E: Executor>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let sleepers = Arc::new(Sleepers::new(tasks)?);
    let joins = spawn_all::<E, _>(tasks, |index| {
        let sleepers = Arc::clone(&sleepers);
        async move {
            let start = Instant::now();
            E::sleep(Sleepers::nap(index)).await;
            sleepers.woke(index, start);
        }
    });
    join_all::<E>(joins).await;
    sleepers.report()
}
