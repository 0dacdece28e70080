//! Locks and channels.

use std::sync::Arc;
use std::time::Instant;

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

/// Two tasks and two channels: wall time until an answer has come back.
pub(super) async fn channel<E: Executor>(params: &Params) -> Outcome<()> {
    let (ask, mut asked) = E::channel();
    let (answer, mut answered) = E::channel();
    let server = E::spawn(async move {
        while let Some(value) = E::receive(&mut asked).await {
            E::send(&answer, value + 1);
        }
    });
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for value in 0..count {
            E::send(&ask, value);
            if E::receive(&mut answered).await != Some(value + 1) {
                return Err(format!("wrong answer to {value}"));
            }
        }
        pace.took_since(start);
    }
    drop(ask);
    server.await;
    report_ns("round_trip", pace.ns_per(1));
    Ok(())
}
