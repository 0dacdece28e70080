//! Starting tasks that do nothing, and joining them.

use std::time::{Duration, Instant};

use super::{Executor, join_all, spawn_all, target};
use crate::clock::{Count, Pace, ns_each, waves_of};
use crate::{Outcome, Params, report_ns};

/// Each task is joined before the next is started.
pub(super) async fn one<E: Executor>(params: &Params) -> Outcome<()> {
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for _ in 0..count {
            E::spawn(async {}).await;
        }
        pace.took_since(start);
    }
    report_ns("task", pace.ns_per(1));
    Ok(())
}

/// A wave is started as a whole, then joined as a whole.
pub(super) async fn waves<E: Executor>(params: &Params) -> Outcome<()> {
    let size = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for _ in 0..waves_of(size, count) {
            wave::<E>(size).await;
        }
        pace.took_since(start);
    }
    let padding = (waves_of(size, pace.count()) * size as Count) as f64 / pace.count() as f64;
    report_ns("task", pace.ns_per(1) / padding);
    Ok(())
}

/// One big wave first thing in the process, then three more of the same size.
pub(super) async fn flood<E: Executor>(params: &Params) -> Outcome<()> {
    let size = params.get("tasks")?;
    report_ns("cold", ns_each(wave::<E>(size).await, size));
    let mut warm = [Duration::ZERO; 3];
    for time in &mut warm {
        *time = wave::<E>(size).await;
    }
    warm.sort();
    report_ns("warm", ns_each(warm[1], size));
    Ok(())
}

/// Starts `size` tasks, then joins them all.
async fn wave<E: Executor>(size: usize) -> Duration {
    let start = Instant::now();
    join_all::<E>(spawn_all::<E, _>(size, |_| async {})).await;
    start.elapsed()
}
