//! Sleeping: a short time when there is nothing else to do, and very many tasks at once.
//!
//! The short sleep shows how a scheduler waits when it is idle, down to the kernel's own slack of
//! 50 us for ordinary threads. The many show what keeping so many deadlines costs and how soon a
//! task runs after its own.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case = Case {
    name: "sleep",
    about: "a short sleep on an idle system, and the lateness of very many sleepers",
    variants,
};

/// The systems for very many tasks: OS threads would be too many.
const RUNTIMES: &[&str] = &["lisle", "may", "go", "tokio-ct", "tokio-mt", "smol"];

fn variants(scale: Scale) -> Vec<Variant> {
    let mut short = Variant::inside(scale, "sleep-short", "sleep-50us", "one task sleeps 50 us", 1);
    // A system may round a sleep up to a millisecond: enough for a p99 all the same.
    short.set("ms", if scale.quick { 500 } else { 3000 });
    let mut variants = vec![short.with("us", 50)];
    let (many, name) = scale.many();
    for workers in scale.workers() {
        let title = format!("{many} tasks sleep 10 to 1000 ms once; cpu: in all");
        let id = format!("sleep-{name}");
        let variant = Variant::inside(scale, "sleep-many", &id, &title, workers);
        variants.push(variant.with("tasks", many).only(RUNTIMES));
    }
    variants
}
