//! Locks.

use std::sync::Arc;

use super::{Executor, switch::race, target};
use crate::clock::Pace;
use crate::{Outcome, Params, report_ns};

/// Tasks that fight for one lock: wall time per lock, increment, unlock of any of them.
pub(super) async fn mutex<E: Executor>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let counter = Arc::new(E::counter());
        let race = race::<E, _>(tasks, |_, _| {
            let counter = Arc::clone(&counter);
            async move {
                for _ in 0..count {
                    E::add_one(&counter).await;
                }
            }
        });
        pace.took(race.await);
    }
    report_ns("lock", pace.ns_per(tasks));
    Ok(())
}
