//! Starting and joining tasks that do nothing.
//!
//! One at a time measures the way there and back; waves of a thousand, the throughput with
//! resources that are reused; the flood, how a process grows to its peak (`cold`, the first thing
//! it does) and what the same costs when everything was there before (`warm`).

use super::{Case, Scale, Variant};

pub(super) const CASE: Case = Case {
    name: "spawn",
    about: "time per task, started and joined: one at a time, in waves of 1000, very many at once",
    variants,
};

fn variants(scale: Scale) -> Vec<Variant> {
    let (many, many_name) = scale.many();
    let mut variants = Vec::new();
    for workers in scale.workers() {
        let new =
            |harness, id: &str, title: &str| Variant::inside(scale, harness, id, title, workers);
        let flood = format!("spawn-{many_name}");
        let flood_title = format!("{many} tasks started, then joined; cold: first in the process");
        variants.push(new("spawn-one", "spawn-one", "a task is started, then joined"));
        variants.push(
            new("spawn-waves", "spawn-waves", "1000 tasks are started, then joined")
                .with("tasks", 1000),
        );
        variants.push(new("spawn-flood", &flood, &flood_title).with("tasks", many));
    }
    variants
}
