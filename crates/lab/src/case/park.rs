//! Two tasks that park and unpark each other: what waking somebody costs.
//!
//! On one worker a round trip is two switches; on several, the scheduler may also wake the other
//! task elsewhere.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case =
    Case { name: "park", about: "round trip of two tasks that unpark each other", variants };

fn variants(scale: Scale) -> Vec<Variant> {
    let new = |workers| {
        Variant::inside(scale, "park", "park", "two tasks unpark each other in turn", workers)
    };
    scale.workers().into_iter().map(new).collect()
}
