//! A scope that ends with all that was started in it: what it adds to starting and joining.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case =
    Case { name: "scope", about: "a scope of 1000 tasks that do nothing", variants };

const SYSTEMS: &[&str] = &["lisle", "may", "go", "tokio-ct", "tokio-mt", "threads", "lisle-run"];

fn variants(scale: Scale) -> Vec<Variant> {
    let new = |workers| {
        let title = "a scope of 1000 tasks that do nothing";
        let variant = Variant::inside(scale, "scope", "scope-1000", title, workers);
        variant.with("tasks", 1000).only(SYSTEMS).noting("smol has no scope")
    };
    scale.workers().into_iter().map(new).collect()
}
