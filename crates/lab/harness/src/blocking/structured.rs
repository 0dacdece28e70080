//! Tasks that end together: with a scope, or because they are told to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::channel::Channels;
use super::{Blocking, target};
use crate::clock::Pace;
use crate::gate::Arrivals;
use crate::{Outcome, Params, report};

/// Scopes of tasks that do nothing: wall time per scope.
pub(super) fn scope<S: Blocking>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for _ in 0..count {
            S::scope(tasks);
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
pub(super) fn cancel<S: Blocking, C: Channels>(params: &Params) -> Outcome<()> {
    let (tasks, sleeps) = (params.get("tasks")?, params.get("sleeps")? == 1);
    let mut times = [Duration::ZERO; TIMES];
    for time in &mut times {
        *time = cancel_once::<S, C>(tasks, sleeps)?;
    }
    times.sort();
    report("cancel", times[TIMES / 2].as_secs_f64() * 1e3, "ms");
    Ok(())
}

fn cancel_once<S: Blocking, C: Channels>(tasks: usize, sleeps: bool) -> Outcome<Duration> {
    let arrivals = Arc::new(Arrivals::new(tasks, S::current()));
    let channels = (0..tasks).map(|_| C::channel(None)).collect::<Outcome<Vec<_>>>()?;
    // Senders are kept: a channel that is closed would end the waiting, too.
    let (kept, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
    let bodies = receivers.into_iter().map(|receiver| {
        let arrivals = Arc::clone(&arrivals);
        move || {
            if let Some(owner) = arrivals.arrive() {
                S::unpark(owner);
            }
            if sleeps {
                S::sleep(HOUR);
            } else {
                C::receive(&receiver);
            }
        }
    });
    let group = S::group(bodies)?;
    while !arrivals.are_complete() {
        S::park();
    }
    // The last arrivals may still be on their way into what they wait in.
    for _ in 0..100 {
        S::yield_now();
    }
    let start = Instant::now();
    S::cancel(group);
    let elapsed = start.elapsed();
    drop(kept);
    Ok(elapsed)
}
