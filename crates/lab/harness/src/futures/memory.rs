//! What a suspended task costs in memory.

use std::future::pending;
use std::sync::Arc;

use super::park::{park_until, waker};
use super::{Executor, join_all, spawn_all};
use crate::gate::Arrivals;
use crate::process::Memory;
use crate::{Outcome, Params};

/// Starts tasks that are suspended for ever and reports what the process has grown by.
pub(super) async fn parked<E: Executor>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    // What the system sets up once is not the tasks' share.
    join_all::<E>(spawn_all::<E, _>(1, |_| async {})).await;
    let before = Memory::now()?;
    let arrivals = Arc::new(Arrivals::new(tasks, waker().await));
    let sleepers = spawn_all::<E, _>(tasks, |_| {
        let arrivals = Arc::clone(&arrivals);
        async move {
            if let Some(owner) = arrivals.arrive() {
                owner.wake_by_ref();
            }
            pending::<()>().await;
        }
    });
    sleepers.into_iter().for_each(E::detach);
    park_until(|| arrivals.are_complete()).await;
    // The last arrivals may still be on their way to being suspended.
    for _ in 0..100 {
        E::yield_now().await;
    }
    Memory::now()?.report_since(before, tasks);
    Ok(())
}
