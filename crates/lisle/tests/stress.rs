//! Random programs: each seed makes one, with an outcome that can be checked.
//!
//! A program is a handful of plots that run side by side; a plot is a small concurrent algorithm
//! (`plots/`) with random sizes, whose steps are interleaved with random ways to wait. A failure
//! names its seed; `LISLE_SEEDS=17` runs that one, `LISLE_SEEDS=0..5000` more than usual.

mod plots;
mod util;

use std::ops::Range;
use std::time::Duration;

use plots::PLOTS;
use util::{Random, in_child, scaled, within};

/// The seeds to run.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("LISLE_SEEDS") else {
        return 0..scaled(1000, 60) as u64;
    };
    let number = |text: &str| text.parse().expect("LISLE_SEEDS is a number or a range as 0..500");
    match text.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&text)..number(&text) + 1,
    }
}

/// Runs the program that `seed` makes.
fn run(seed: u64) {
    let mut random = Random::new(seed);
    let cast: Vec<_> = (0..1 + random.below(6))
        .map(|_| {
            let (name, plot) = PLOTS[random.below(PLOTS.len())];
            let random = random.fork();
            let builder = lisle::Builder::new().name(format!("{name}, seed {seed}"));
            (name, builder.spawn(move || plot(random)).unwrap())
        })
        .collect();
    for (name, handle) in cast {
        assert!(handle.join().is_ok(), "LISLE_SEEDS={seed}: {name} failed");
    }
}

fn run_all(seeds: Range<u64>) {
    assert!(!seeds.is_empty());
    for seed in seeds {
        within(&format!("LISLE_SEEDS={seed}"), Duration::from_secs(30), || run(seed));
    }
}

#[test]
fn one_worker() {
    in_child(&[("LISLE_WORKERS", "1")], || run_all(seeds())).expect_return();
}

#[test]
fn two_workers() {
    in_child(&[("LISLE_WORKERS", "2")], || run_all(seeds())).expect_return();
}

#[test]
fn eight_workers() {
    in_child(&[("LISLE_WORKERS", "8")], || run_all(seeds())).expect_return();
}
