//! Tasks that do nothing but yield: what a trip through the run queue costs.
//!
//! With two tasks everything stays in the cache; with a hundred, their stacks do not fit the
//! first level. On several workers it is wall time over all yields, so perfect scaling would
//! divide it by the number of workers.

use super::{Case, grid};

pub(super) const CASE: Case = Case {
    name: "yield",
    about: "wall time per yield of 2 and of 100 tasks",
    variants: |scale| grid(scale, "yield", "tasks that yield"),
};
