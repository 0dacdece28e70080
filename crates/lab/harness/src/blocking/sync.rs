//! Locks and channels.

use std::sync::Arc;

use super::channel::ask_and_answer;
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

/// Two tasks and two unbounded channels: wall time until an answer has come back.
pub(super) fn channel<S: Blocking>(params: &Params) -> Outcome<()> {
    ask_and_answer::<S, _, _>(params, [S::channel(), S::channel()], S::send, S::receive)
}
