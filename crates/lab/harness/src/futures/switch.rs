//! Tasks that yield, and the start line that other cases share.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::park::{park_until, waker};
use super::{Executor, join_all, spawn_all, target};
use crate::clock::Pace;
use crate::gate::Gate;
use crate::{Outcome, Params, report_ns};

/// Tasks that yield: wall time per yield of any of them.
pub(super) async fn yields<E: Executor>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let race = race::<E, _>(tasks, |_, _| async move {
            for _ in 0..count {
                E::yield_now().await;
            }
        });
        pace.took(race.await);
    }
    report_ns("yield", pace.ns_per(tasks));
    Ok(())
}

/// Runs the futures that `make` returns on `tasks` tasks that start together; returns the time
/// until the last has ended.
pub(super) async fn race<E: Executor, F: Future<Output = ()> + Send + 'static>(
    tasks: usize,
    mut make: impl FnMut(usize, Arc<Gate<Waker>>) -> F,
) -> Duration {
    let gate = Arc::new(Gate::new(tasks, waker().await));
    let racers = spawn_all::<E, _>(tasks, |index| {
        let (gate, body) = (Arc::clone(&gate), make(index, Arc::clone(&gate)));
        async move {
            pass(&gate, index).await;
            body.await;
        }
    });
    park_until(|| gate.is_full()).await;
    let start = Instant::now();
    gate.open().for_each(Waker::wake_by_ref);
    join_all::<E>(racers).await;
    start.elapsed()
}

/// Arrives at the gate as task `index` and waits for it to open.
async fn pass(gate: &Gate<Waker>, index: usize) {
    if let Some(owner) = gate.arrive(index, waker().await) {
        owner.wake_by_ref();
    }
    park_until(|| gate.is_open()).await;
}
