//! What a parked task takes: resident memory and page tables, each, and mappings in all.
//!
//! Mappings matter because the kernel bounds them: 65530 in a process, unless `vm.max_map_count`
//! says otherwise.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case =
    Case { name: "memory", about: "memory and mappings of very many parked tasks", variants };

fn variants(scale: Scale) -> Vec<Variant> {
    let (many, name) = scale.many();
    let title = format!("growth of the process, for each of {many} parked tasks and in all");
    let id = format!("memory-{name}");
    vec![Variant::inside(scale, "memory", &id, &title, 1).with("tasks", many)]
}
