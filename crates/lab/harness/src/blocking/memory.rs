//! What a parked task costs in memory.

use std::sync::Arc;

use super::{Blocking, join_all, spawn_all};
use crate::gate::Arrivals;
use crate::process::Memory;
use crate::{Outcome, Params};

/// Starts tasks that park for ever and reports what the process has grown by.
pub(super) fn parked<S: Blocking>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    // What the system sets up once is not the tasks' share.
    join_all::<S>(spawn_all::<S, _>(1, |_| || {})?);
    let before = Memory::now()?;
    let arrivals = Arc::new(Arrivals::new(tasks, S::current()));
    let sleepers = spawn_all::<S, _>(tasks, |_| {
        let arrivals = Arc::clone(&arrivals);
        move || {
            if let Some(owner) = arrivals.arrive() {
                S::unpark(owner);
            }
            loop {
                S::park();
            }
        }
    })?;
    drop(sleepers);
    while !arrivals.are_complete() {
        S::park();
    }
    // The last arrivals may still be on their way into `park`.
    for _ in 0..100 {
        S::yield_now();
    }
    Memory::now()?.report_since(before, tasks);
    Ok(())
}
