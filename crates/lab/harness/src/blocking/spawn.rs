//! Starting tasks that do nothing, and joining them.

use std::time::{Duration, Instant};

use super::{Blocking, join_all, spawn_all, target};
use crate::clock::{Count, Pace, ns_each, waves_of};
use crate::{Outcome, Params, report_ns};

/// Each task is joined before the next is started.
pub(super) fn one<S: Blocking>(params: &Params) -> Outcome<()> {
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for _ in 0..count {
            S::join(S::spawn(|| {}).map_err(|error| error.to_string())?);
        }
        pace.took_since(start);
    }
    report_ns("task", pace.ns_per(1));
    Ok(())
}

/// A wave is started as a whole, then joined as a whole.
pub(super) fn waves<S: Blocking>(params: &Params) -> Outcome<()> {
    let size = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for _ in 0..waves_of(size, count) {
            wave::<S>(size)?;
        }
        pace.took_since(start);
    }
    let padding = (waves_of(size, pace.count()) * size as Count) as f64 / pace.count() as f64;
    report_ns("task", pace.ns_per(1) / padding);
    Ok(())
}

/// One big wave first thing in the process, then three more of the same size.
pub(super) fn flood<S: Blocking>(params: &Params) -> Outcome<()> {
    let size = params.get("tasks")?;
    report_ns("cold", ns_each(wave::<S>(size)?, size));
    let mut warm = [Duration::ZERO; 3];
    for time in &mut warm {
        *time = wave::<S>(size)?;
    }
    warm.sort();
    report_ns("warm", ns_each(warm[1], size));
    Ok(())
}

/// Starts `size` tasks, then joins them all.
fn wave<S: Blocking>(size: usize) -> Outcome<Duration> {
    let start = Instant::now();
    join_all::<S>(spawn_all::<S, _>(size, |_| || {})?);
    Ok(start.elapsed())
}
