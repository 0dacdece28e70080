//! C's locks and what else its threads wait in: in coroutines and in OS threads.
//!
//! C's programs use them directly, and the C library itself uses some. The objects are the same on
//! both sides; in coroutines the calls are Lisle's hooks, on OS threads the C library's own.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case = Case {
    name: "pthread",
    about: "C's locks, condition variables, semaphores, barriers",
    variants,
};

/// Those who have the same source, in the same words.
const SYSTEMS: &[&str] = &["lisle", "threads"];

fn variants(scale: Scale) -> Vec<Variant> {
    let several: [(&'static str, &[usize], &str); 3] = [
        ("pthread-mutex", &[1, 2, 100], "one mutex: lock, add one, unlock"),
        ("pthread-rwlock", &[1, 2, 100], "one read-write lock, a write to 15 reads"),
        ("pthread-barrier", &[2, 100], "one barrier"),
    ];
    let two = [
        ("pthread-cond", "two tasks signal two condition variables in turn"),
        ("pthread-sem", "two tasks post to two semaphores in turn"),
    ];
    let mut variants = Vec::new();
    for workers in scale.workers() {
        for (harness, numbers, what) in several {
            variants.extend(numbers.iter().map(|tasks| {
                let (id, title) = (format!("{harness}-{tasks}t"), format!("{tasks} tasks, {what}"));
                Variant::inside(scale, harness, &id, &title, workers).with("tasks", *tasks)
            }));
        }
        let new = |(harness, title)| Variant::inside(scale, harness, harness, title, workers);
        variants.extend(two.map(new));
    }
    variants.into_iter().map(|variant| variant.only(SYSTEMS)).collect()
}
