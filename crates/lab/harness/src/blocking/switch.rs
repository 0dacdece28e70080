//! Cases that do little but switch between tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Blocking, join_all, spawn_all, target};
use crate::clock::{Count, Pace};
use crate::gate::Gate;
use crate::{Outcome, Params, report_ns};

/// Tasks that yield: wall time per yield of any of them.
pub(super) fn yields<S: Blocking>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        pace.took(race::<S, _>(tasks, move |_, _| {
            for _ in 0..count {
                S::yield_now();
            }
        })?);
    }
    report_ns("yield", pace.ns_per(tasks));
    Ok(())
}

/// Runs `body` on `tasks` tasks that start together; returns the time until the last has ended.
pub(super) fn race<S: Blocking, F>(tasks: usize, body: F) -> Outcome<Duration>
where
    F: Fn(usize, &Gate<S::Task>) + Clone + Send + 'static,
{
    race_with::<S, _>(tasks, |index| {
        let body = body.clone();
        move |gate: &Gate<S::Task>| body(index, gate)
    })
}

/// Runs these on a task each, that start together.
pub(super) fn race_of<S: Blocking, F>(bodies: Vec<F>) -> Outcome<Duration>
where
    F: FnOnce() + Send + 'static,
{
    let (tasks, mut bodies) = (bodies.len(), bodies.into_iter());
    race_with::<S, _>(tasks, |_| {
        let body = bodies.next().expect("there is one for each task");
        move |_: &Gate<S::Task>| body()
    })
}

fn race_with<S: Blocking, F>(tasks: usize, mut make: impl FnMut(usize) -> F) -> Outcome<Duration>
where
    F: FnOnce(&Gate<S::Task>) + Send + 'static,
{
    let gate = Arc::new(Gate::new(tasks, S::current()));
    let racers = spawn_all::<S, _>(tasks, |index| {
        let (gate, body) = (Arc::clone(&gate), make(index));
        move || {
            pass::<S>(&gate, index);
            body(&gate);
        }
    })?;
    while !gate.is_full() {
        S::park();
    }
    let start = Instant::now();
    gate.open().for_each(S::unpark);
    join_all::<S>(racers);
    Ok(start.elapsed())
}

/// Arrives at the gate as task `index` and waits for it to open.
fn pass<S: Blocking>(gate: &Gate<S::Task>, index: usize) {
    if let Some(owner) = gate.arrive(index, S::current()) {
        S::unpark(owner);
    }
    while !gate.is_open() {
        S::park();
    }
}

/// Two tasks that wake each other in turn: wall time per round trip.
pub(super) fn park<S: Blocking>(params: &Params) -> Outcome<()> {
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let turn = Arc::new(AtomicU64::new(0));
        pace.took(race::<S, _>(2, move |me, gate| {
            play::<S>(&turn, me as u64, gate.task(1 - me), count);
        })?);
    }
    report_ns("round_trip", pace.ns_per(1));
    Ok(())
}

/// One of two players: in even turns the first has the ball, in odd turns the second.
fn play<S: Blocking>(turn: &AtomicU64, me: u64, other: &S::Task, rounds: Count) {
    for round in 0..rounds {
        let mine = 2 * round + me;
        while turn.load(Ordering::Acquire) != mine {
            S::park();
        }
        turn.store(mine + 1, Ordering::Release);
        S::unpark(other);
    }
}
