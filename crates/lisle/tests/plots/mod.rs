//! The plots that random programs are made of. Each checks its own outcome.

mod lineage;
mod passing;
mod sharing;

use std::time::Duration;

use crate::util::{Actor, Random};

/// Plays with what the generator makes of it; panics if the outcome is wrong.
pub(crate) type Plot = fn(Random);

/// All plots, with the names that failures are reported by.
pub(crate) const PLOTS: &[(&str, Plot)] = &[
    ("mutex", sharing::mutex),
    ("rwlock", sharing::rwlock),
    ("turns", sharing::turns),
    ("gate", sharing::gate),
    ("baton", sharing::baton),
    ("channel", passing::channel),
    ("pipeline", passing::pipeline),
    ("pipe", passing::pipe),
    ("sockets", passing::sockets),
    ("tree", lineage::tree),
    ("scope", lineage::scope),
    ("panics", lineage::panics),
];

/// Waits in a random way, or not at all.
fn dally(random: &mut Random) {
    match random.below(12) {
        0 | 1 => lisle::yield_now(),
        2 => std::thread::yield_now(),
        3 => std::thread::sleep(Duration::from_micros(random.below(100) as u64)),
        4 => lisle::sleep(Duration::from_nanos(random.below(50_000) as u64)),
        5 => lisle::park_timeout(Duration::from_micros(random.below(50) as u64)),
        6 => lisle::spawn(|| ()).join().unwrap(),
        7 => drop(lisle::spawn(lisle::yield_now)),
        8 if random.below(4) == 0 => lisle::blocking(|| ()),
        9 if random.below(4) == 0 => drop(lisle::pin_to_os_thread()),
        _ => {}
    }
}

/// Starts `count` actors with a generator each, mostly coroutines.
fn cast<T: Send + 'static>(
    random: &mut Random,
    count: usize,
    run: impl Fn(usize, Random) -> T + Clone + Send + 'static,
) -> Vec<Actor<T>> {
    let start = |own| {
        let (run, theirs) = (run.clone(), random.fork());
        Actor::spawn(usize::from(random.below(10) == 0), move || run(own, theirs))
    };
    (0..count).map(start).collect()
}

/// Waits for all in a random order.
fn join_all<T: Send + 'static>(random: &mut Random, mut actors: Vec<Actor<T>>) -> Vec<T> {
    let mut results = Vec::new();
    while !actors.is_empty() {
        results.push(actors.swap_remove(random.below(actors.len())).join());
    }
    results
}
