//! Tasks that end together: with a scope, or because they are told to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::channel::Channels;
use super::park::{park_until, waker};
use super::{Executor, target};
use crate::clock::Pace;
use crate::gate::Arrivals;
use crate::{Outcome, Params, report};

/// Scopes of tasks that do nothing: wall time per scope.
pub(super) async fn scope<E: Executor>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for _ in 0..count {
            E::scope(tasks).await?;
        }
        pace.took_since(start);
    }
    report("scope", pace.ns_per(1) / 1e3, "us");
    Ok(())
}

/// How often tasks are started and told to stop.
const TIMES: usize = 5;
/// How long they would sleep.
const HOUR: Duration = Duration::from_secs(3600);

/// Tasks that wait are told to stop: wall time until all have ended, the median of some times.
pub(super) async fn cancel<E: Executor, C: Channels>(params: &Params) -> Outcome<()> {
    let (tasks, sleeps) = (params.get("tasks")?, params.get("sleeps")? == 1);
    let mut times = [Duration::ZERO; TIMES];
    for time in &mut times {
        *time = cancel_once::<E, C>(tasks, sleeps).await?;
    }
    times.sort();
    report("cancel", times[TIMES / 2].as_secs_f64() * 1e3, "ms");
    Ok(())
}

async fn cancel_once<E: Executor, C: Channels>(tasks: usize, sleeps: bool) -> Outcome<Duration> {
    let arrivals = Arc::new(Arrivals::new(tasks, waker().await));
    let channels = (0..tasks).map(|_| C::channel(None)).collect::<Outcome<Vec<_>>>()?;
    // Senders are kept: a channel that is closed would end the waiting, too.
    let (kept, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
    let futures: Vec<_> = receivers
        .into_iter()
        .map(|mut receiver| {
            let arrivals = Arc::clone(&arrivals);
            async move {
                if let Some(owner) = arrivals.arrive() {
                    owner.wake_by_ref();
                }
                if sleeps {
                    E::sleep(HOUR).await;
                } else {
                    C::receive(&mut receiver).await;
                }
            }
        })
        .collect();
    let group = E::group(futures);
    park_until(|| arrivals.are_complete()).await;
    // The last arrivals may still be on their way to being suspended.
    for _ in 0..100 {
        E::yield_now().await;
    }
    let start = Instant::now();
    E::cancel(group).await;
    let elapsed = start.elapsed();
    drop(kept);
    Ok(elapsed)
}
