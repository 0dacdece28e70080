//! Locks and channels.

use std::sync::Arc;
use std::time::Instant;

use super::switch::race;
use super::{Blocking, target};
use crate::clock::Pace;
use crate::{Outcome, Params, report_ns};

/// Tasks that fight for one lock: wall time per lock, increment, unlock of any of them.
pub(super) fn mutex<S: Blocking>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let counter = Arc::new(S::counter());
        pace.took(race::<S, _>(tasks, move |_, _| {
            for _ in 0..count {
                S::add_one(&counter);
            }
        })?);
    }
    report_ns("lock", pace.ns_per(tasks));
    Ok(())
}

/// Two tasks and two channels: wall time until an answer has come back.
pub(super) fn channel<S: Blocking>(params: &Params) -> Outcome<()> {
    let (ask, asked) = S::channel();
    let (answer, answered) = S::channel();
    let server = S::spawn(move || {
        while let Some(value) = S::receive(&asked) {
            S::send(&answer, value + 1);
        }
    })
    .map_err(|error| error.to_string())?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for value in 0..count {
            S::send(&ask, value);
            if S::receive(&answered) != Some(value + 1) {
                return Err(format!("wrong answer to {value}"));
            }
        }
        pace.took_since(start);
    }
    drop(ask);
    S::join(server);
    report_ns("round_trip", pace.ns_per(1));
    Ok(())
}
