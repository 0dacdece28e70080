//! The case of many tasks that compute, on rayon's pool. It has no others: its tasks do not wait.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lisle_lab_harness::hogs::Fair;
use lisle_lab_harness::{Outcome, Params, run};

fn fair(params: &Params) -> Outcome<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(params.get("workers")?).build();
    let pool = pool.map_err(|error| error.to_string())?;
    let fair = Fair::new(params)?;
    let late = Arc::clone(&fair);
    let pool = &pool;
    thread::scope(|s| {
        s.spawn(move || {
            thread::sleep(late.until_late());
            pool.spawn(move || late.small());
        });
        run_all(&fair, pool);
    });
    fair.report();
    Ok(())
}

/// Runs all tasks, and waits until they and the late one have ended.
fn run_all(fair: &Arc<Fair>, pool: &rayon::ThreadPool) {
    for index in 0..fair.tasks() {
        let fair = Arc::clone(fair);
        pool.spawn(move || fair.work(index));
    }
    while !fair.is_over() {
        thread::sleep(Duration::from_millis(1));
    }
}

fn main() -> ExitCode {
    run(std::env::args().skip(1), |params| match params.case() {
        "fair" => fair(params),
        other => Err(format!("rayon has no such case: {other}")),
    })
}
