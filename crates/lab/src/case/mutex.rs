//! Tasks that lock, add one and unlock the same mutex, without a pause.
//!
//! On one worker a lock is hardly ever found taken, which is the common case; on several it
//! nearly always is. Each system brings its own mutex: std's in Lisle and on threads.

use super::{Case, grid};

pub(super) const CASE: Case = Case {
    name: "mutex",
    about: "wall time per lock, increment, unlock by 2 and by 100 tasks",
    variants: |scale| grid(scale, "mutex", "tasks with one lock"),
};
