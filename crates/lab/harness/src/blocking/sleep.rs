//! Tasks that sleep.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Blocking, join_all, spawn_all, target};
use crate::quantiles::Times;
use crate::sleepers::{Sleepers, lateness};
use crate::{Outcome, Params};

/// One task sleeps a short time again and again, and there is no other: how long it takes.
pub(super) fn short<S: Blocking>(params: &Params) -> Outcome<()> {
    let nap = Duration::from_micros(params.get("us")? as u64);
    let (mut times, end) = (Times::default(), Instant::now() + target(params)?);
    while Instant::now() < end {
        let start = Instant::now();
        S::sleep(nap);
        times.push(nap + lateness(start, nap));
    }
    times.report(&[("p50", 0.5), ("p99", 0.99)]);
    Ok(())
}

/// Very many tasks sleep once.
pub(super) fn many<S: Blocking>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let sleepers = Arc::new(Sleepers::new(tasks)?);
    let joins = spawn_all::<S, _>(tasks, |index| {
        let sleepers = Arc::clone(&sleepers);
        move || {
            let start = Instant::now();
            S::sleep(Sleepers::nap(index));
            sleepers.woke(index, start);
        }
    })?;
    join_all::<S>(joins);
    sleepers.report()
}
