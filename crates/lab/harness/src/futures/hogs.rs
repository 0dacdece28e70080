//! Tasks that compute, and others beside them: as in [`blocking`](crate::blocking).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Executor, join_all, spawn_all, target};
use crate::hogs::{Fair, Hogs, report_lateness};
use crate::quantiles::Times;
use crate::sleepers::lateness;
use crate::{Outcome, Params};

/// Hogs as `hogs` says, if it does, for as long as the process lives: beside a server.
pub(super) fn beside<E: Executor>(params: &Params) {
    let hogs = Hogs::for_ever();
    start::<E>(&hogs, params.get("hogs").unwrap_or(0)).into_iter().for_each(E::detach);
}

fn start<E: Executor>(hogs: &Arc<Hogs>, count: usize) -> Vec<E::Join> {
    spawn_all::<E, _>(count, |_| {
        let hogs = Arc::clone(hogs);
        async move { hogs.compute() }
    })
}

/// A task sleeps a millisecond again and again, beside hogs: by how much it is late.
pub(super) async fn sleeper<E: Executor>(params: &Params) -> Outcome<()> {
    const NAP: Duration = Duration::from_millis(1);
    let target = target(params)?;
    let hogs = Hogs::new(4 * target);
    let all = start::<E>(&hogs, params.get("hogs")?);
    let (mut times, end) = (Times::default(), Instant::now() + target);
    while Instant::now() < end {
        let start = Instant::now();
        E::sleep(NAP).await;
        times.push(lateness(start, NAP));
    }
    hogs.end();
    join_all::<E>(all).await;
    report_lateness(times);
    hogs.report()
}

/// Hogs alone: how much they compute.
pub(super) async fn alone<E: Executor>(params: &Params) -> Outcome<()> {
    let hogs = Hogs::new(target(params)?);
    join_all::<E>(start::<E>(&hogs, params.get("hogs")?)).await;
    hogs.report()
}

/// See [`Fair`]. What computes goes to the threads that the system has for that.
pub(super) async fn fair<E: Executor>(params: &Params) -> Outcome<()> {
    let fair = Fair::new(params)?;
    let mut all = spawn_all::<E, _>(1, |_| {
        let fair = Arc::clone(&fair);
        async move {
            E::sleep(fair.until_late()).await;
            E::unblock(move || fair.small()).await;
        }
    });
    all.extend(spawn_all::<E, _>(fair.tasks(), |index| {
        let fair = Arc::clone(&fair);
        async move { E::unblock(move || fair.work(index)).await }
    }));
    join_all::<E>(all).await;
    fair.report();
    Ok(())
}
