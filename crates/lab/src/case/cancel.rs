//! Very many tasks that wait are told to stop, all at once: how long until the last has ended.
//!
//! They wait for messages, each of a channel of its own, or sleep for an hour.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case = Case {
    name: "cancel",
    about: "10000 tasks that wait are told to stop: the time until all have ended",
    variants,
};

/// Those whose tasks can be told.
const SYSTEMS: &[&str] = &["lisle", "may", "go", "tokio-ct", "tokio-mt", "smol"];

fn variants(scale: Scale) -> Vec<Variant> {
    let mut variants = Vec::new();
    for workers in scale.workers() {
        for (what, sleeps) in [("receive", 0), ("sleep", 1)] {
            let title = format!("10000 tasks that {what} are told to stop");
            let id = format!("cancel-10k-{what}");
            let variant = Variant::inside(scale, "cancel", &id, &title, workers);
            let variant = variant.with("tasks", 10_000).with("sleeps", sleeps);
            variants.push(variant.only(SYSTEMS).noting("OS threads cannot be told"));
        }
    }
    variants
}
