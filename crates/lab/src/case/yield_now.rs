//! Tasks that do nothing but yield: what a trip through the run queue costs.
//!
//! With two tasks everything stays in the cache; with a hundred, their stacks do not fit the
//! first level; with a hundred thousand, or ten thousand in a quick run, they are in no cache near
//! the CPU, and what counts is how many misses are under way at once. On several workers it is wall
//! time over all yields, so perfect scaling would divide it by the number of workers.

use super::{Case, Scale, Variant, grid};

pub(super) const CASE: Case = Case {
    name: "yield",
    about: "wall time per yield of 2, of 100 and of very many tasks",
    variants,
};

/// Those whose tasks can be so many at once.
const SYSTEMS: &[&str] = &["lisle", "may", "go", "tokio-ct", "tokio-mt", "smol"];

fn variants(scale: Scale) -> Vec<Variant> {
    let (tasks, name) = scale.many();
    let many = scale.workers().into_iter().map(|workers| {
        let (id, title) = (format!("yield-{name}t"), format!("{name} tasks that yield"));
        let mut variant = Variant::inside(scale, "yield", &id, &title, workers);
        // Long enough for some dozen yields of each, beside which its beginning does not show.
        variant.set("ms", tasks * 3 / 100);
        variant.with("tasks", tasks).only(SYSTEMS).noting("so many OS threads are too many")
    });
    let mut variants = grid(scale, "yield", "tasks that yield");
    variants.extend(many);
    variants
}
