//! Very many tasks that compute for milliseconds each, and a small one that comes late.
//!
//! The small one is started by a task that has slept since before the others came.
//!
//! A pool runs them one after the other: the first ends at once, the last at the end of all, and
//! what comes late waits for all. Turns by slices let all end late, and serve what is small. The
//! total says what that costs.

use std::time::Duration;

use super::{Case, Scale, Variant};

pub(super) const CASE: Case = Case {
    name: "fair",
    about: "10000 tasks that compute, a minute in all: total, when each ends, a small one late",
    variants,
};

/// Those that have a way to run what computes. may has not: a hog keeps its worker.
const SYSTEMS: &[&str] = &["lisle", "go", "tokio-mt", "rayon", "threads", "lisle-run"];

fn variants(scale: Scale) -> Vec<Variant> {
    // The 32nd takes some 10 ms.
    let (tasks, fib, late) = if scale.quick { (1000, 24, 20) } else { (10_000, 32, 2000) };
    let title = format!("{tasks} tasks that compute fib({fib}), a small one after {late} ms");
    let mut variant = Variant::inside(scale, "fair", "fair", &title, scale.cpus);
    variant.limit = Duration::from_secs(300);
    let variant = variant.with("tasks", tasks).with("fib", fib).with("late", late);
    vec![variant.only(SYSTEMS)]
}
