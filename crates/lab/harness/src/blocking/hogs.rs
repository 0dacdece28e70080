//! Tasks that compute, and others beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Blocking, join_all, spawn_all, target};
use crate::hogs::{Fair, Hogs, report_lateness};
use crate::quantiles::Times;
use crate::sleepers::lateness;
use crate::{Outcome, Params};

/// Hogs as `hogs` says, if it does, for as long as the process lives: beside a server.
pub(super) fn beside<S: Blocking>(params: &Params) -> Outcome<()> {
    let hogs = Hogs::for_ever();
    let count = params.get("hogs").unwrap_or(0);
    drop(start::<S>(&hogs, count)?);
    Ok(())
}

fn start<S: Blocking>(hogs: &Arc<Hogs>, count: usize) -> Outcome<Vec<S::Join>> {
    spawn_all::<S, _>(count, |_| {
        let hogs = Arc::clone(hogs);
        move || hogs.compute()
    })
}

/// A task sleeps a millisecond again and again, beside hogs: by how much it is late.
pub(super) fn sleeper<S: Blocking>(params: &Params) -> Outcome<()> {
    const NAP: Duration = Duration::from_millis(1);
    let target = target(params)?;
    let hogs = Hogs::new(4 * target);
    let all = start::<S>(&hogs, params.get("hogs")?)?;
    let (mut times, end) = (Times::default(), Instant::now() + target);
    while Instant::now() < end {
        let start = Instant::now();
        S::sleep(NAP);
        times.push(lateness(start, NAP));
    }
    hogs.end();
    join_all::<S>(all);
    report_lateness(times);
    hogs.report()
}

/// Hogs alone: how much they compute.
pub(super) fn alone<S: Blocking>(params: &Params) -> Outcome<()> {
    let hogs = Hogs::new(target(params)?);
    join_all::<S>(start::<S>(&hogs, params.get("hogs")?)?);
    hogs.report()
}

/// See [`Fair`].
pub(super) fn fair<S: Blocking>(params: &Params) -> Outcome<()> {
    let fair = Fair::new(params)?;
    let late = Arc::clone(&fair);
    // It is there from the beginning, and has not computed.
    let mut all = spawn_all::<S, _>(1, |_| {
        let late = Arc::clone(&late);
        move || {
            S::sleep(late.until_late());
            let small = Arc::clone(&late);
            S::join(S::spawn(move || small.small()).expect("a task more"));
        }
    })?;
    all.extend(spawn_all::<S, _>(fair.tasks(), |index| {
        let fair = Arc::clone(&fair);
        move || fair.work(index)
    })?);
    join_all::<S>(all);
    fair.report();
    Ok(())
}
