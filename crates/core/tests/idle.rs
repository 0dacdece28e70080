//! The account of idle workers step by step, and against a plain model; the races are in
//! `loom_idle.rs`.
#![cfg(not(loom))]

use lisle_core::{Idle, MAX_WORKERS};
use proptest::prelude::*;

#[test]
fn half_of_the_awake_may_search() {
    let idle = Idle::new(4);
    assert!(idle.start_search() && idle.start_search());
    assert!(!idle.start_search());
    assert!(!idle.stop_search());
    assert!(idle.stop_search());
    assert_eq!(idle.searching(), 0);
}

#[test]
fn one_may_always_search() {
    let idle = Idle::new(1);
    assert!(idle.start_search());
    assert!(!idle.start_search());
}

#[test]
fn work_wakes_the_latest_sleeper_unless_somebody_searches() {
    let idle = Idle::new(3);
    assert_eq!(idle.wake_one(), None);
    assert!(idle.sleep(0, false));
    assert!(idle.sleep(1, false));
    assert_eq!(idle.sleepers(), 2);
    assert_eq!(idle.wake_one(), Some(1));
    assert_eq!((idle.searching(), idle.sleepers()), (1, 1));
    assert_eq!(idle.wake_one(), None);
    assert!(idle.stop_search());
    assert_eq!(idle.wake_one(), Some(0));
}

#[test]
fn last_searcher_looks_again() {
    let idle = Idle::new(4);
    assert!(idle.start_search() && idle.start_search());
    assert!(!idle.sleep(0, true));
    assert!(!idle.sleep(1, false));
    assert!(idle.sleep(2, true));
}

#[test]
fn leaving_tells_whether_a_waker_was_first() {
    let idle = Idle::new(2);
    assert!(idle.sleep(0, false));
    assert!(idle.leave(0));
    assert_eq!((idle.searching(), idle.sleepers()), (0, 0));
    assert!(idle.sleep(0, false));
    assert_eq!(idle.wake_one(), Some(0));
    assert!(!idle.leave(0));
    assert_eq!(idle.searching(), 1);
}

#[test]
fn a_certain_worker_is_woken_even_during_a_search() {
    let idle = Idle::new(3);
    assert!(idle.sleep(0, false) && idle.sleep(1, false));
    assert!(idle.start_search());
    assert!(idle.wake_specific(0));
    assert!(!idle.wake_specific(0));
    assert!(!idle.wake_specific(2));
    assert_eq!((idle.searching(), idle.sleepers()), (2, 1));
}

#[test]
fn those_in_reserve_are_not_counted_on() {
    let idle = Idle::with_reserve(1, 2);
    assert_eq!((idle.sleepers(), idle.wake_one()), (0, None));
    assert!(idle.sleep(0, false));
    idle.join();
    // It searches, so nobody needs to be woken.
    assert_eq!((idle.searching(), idle.sleepers(), idle.wake_one()), (1, 1, None));
    assert!(idle.stop_search());
    assert!(idle.sleep(1, false));
    assert_eq!(idle.wake_one(), Some(1));
    assert!(!idle.leave(1));
    assert!(idle.retire(true));
    assert_eq!((idle.searching(), idle.sleepers(), idle.wake_one()), (0, 1, Some(0)));
}

#[test]
fn all_workers_can_sleep() {
    let idle = Idle::new(MAX_WORKERS);
    for worker in 0..MAX_WORKERS {
        assert!(idle.sleep(worker, false));
    }
    assert_eq!(idle.sleepers(), MAX_WORKERS);
    assert!((0..MAX_WORKERS).all(|worker| idle.wake_specific(worker)));
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Mode {
    Running,
    Searching,
    Asleep,
}

fn count(modes: &[Mode], mode: Mode) -> u32 {
    modes.iter().filter(|&&other| other == mode).count() as u32
}

proptest! {
    /// Any sequence of steps that workers may take leaves the counters what a count would give.
    #[test]
    fn counters_match_the_workers(steps in prop::collection::vec((0..6_usize, 0..5_u32), 0..200)) {
        let idle = Idle::new(6);
        let mut modes = [Mode::Running; 6];
        for (at, step) in steps {
            let worker = at as u32;
            let searching = count(&modes, Mode::Searching);
            match (step, modes[at]) {
                (0, Mode::Running) => {
                    let allowed = searching == 0 || 2 * searching < 6 - count(&modes, Mode::Asleep);
                    prop_assert_eq!(idle.start_search(), allowed);
                    if allowed { modes[at] = Mode::Searching }
                }
                (0, Mode::Searching) => {
                    prop_assert_eq!(idle.stop_search(), searching == 1);
                    modes[at] = Mode::Running;
                }
                (1, Mode::Running | Mode::Searching) => {
                    let was = modes[at] == Mode::Searching;
                    modes[at] = Mode::Asleep;
                    let none_left = count(&modes, Mode::Searching) == 0;
                    prop_assert_eq!(idle.sleep(worker, was), none_left);
                }
                (2, Mode::Asleep) => {
                    prop_assert!(idle.leave(worker));
                    modes[at] = Mode::Running;
                }
                (3, mode) => {
                    prop_assert_eq!(idle.wake_specific(worker), mode == Mode::Asleep);
                    if mode == Mode::Asleep { modes[at] = Mode::Searching }
                }
                (4, _) => {
                    let wanted = searching == 0 && count(&modes, Mode::Asleep) > 0;
                    let woken = idle.wake_one();
                    prop_assert_eq!(woken.is_some(), wanted);
                    if let Some(woken) = woken {
                        prop_assert_eq!(modes[woken as usize], Mode::Asleep);
                        modes[woken as usize] = Mode::Searching;
                    }
                }
                _ => {}
            }
            prop_assert_eq!(idle.sleepers(), count(&modes, Mode::Asleep));
            prop_assert_eq!(idle.searching(), count(&modes, Mode::Searching));
        }
    }
}
