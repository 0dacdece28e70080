//! Timers against an ordered map, and at the size of a busy server.
#![cfg(not(loom))]

use std::collections::BTreeMap;

use lisle_core::{TimerKey, Timers};
use proptest::prelude::*;

#[test]
fn due_timers_come_in_order() {
    let mut timers = Timers::new();
    for (deadline, name) in [(30, 'c'), (10, 'a'), (20, 'b')] {
        timers.insert(deadline, name);
    }
    assert_eq!(timers.pop_due(9), None);
    assert_eq!(timers.next(), Some(10));
    assert_eq!(
        [timers.pop_due(25), timers.pop_due(25), timers.pop_due(25)],
        [Some('a'), Some('b'), None]
    );
    assert_eq!((timers.len(), timers.is_empty()), (1, false));
}

#[test]
fn equal_deadlines_keep_their_order() {
    let mut timers = Timers::new();
    for n in 0..100 {
        timers.insert(7, n);
    }
    assert!(std::iter::from_fn(|| timers.pop_due(7)).eq(0..100));
}

#[test]
fn stale_keys_find_nothing() {
    let mut timers = Timers::new();
    let popped = timers.insert(1, 'p');
    let cancelled = timers.insert(2, 'c');
    assert_eq!(timers.pop_due(1), Some('p'));
    assert_eq!(timers.cancel(cancelled), Some('c'));
    // These two get the same slots.
    timers.insert(3, 'x');
    timers.insert(4, 'y');
    assert_eq!((timers.cancel(popped), timers.cancel(cancelled)), (None, None));
    assert_eq!(timers.len(), 2);
}

#[test]
fn keys_are_stale_after_memory_was_given_back() {
    let mut timers = Timers::new();
    let old: Vec<_> = (0..1000).map(|n| timers.insert(n, n)).collect();
    assert_eq!(std::iter::from_fn(|| timers.pop_due(u64::MAX)).count(), 1000);
    let new = timers.insert(5, 5);
    assert!(old.into_iter().all(|key| timers.cancel(key).is_none()));
    assert_eq!(timers.cancel(new), Some(5));
}

#[test]
fn a_hundred_thousand_are_cheap() {
    let mut timers = Timers::new();
    // A full-period walk: every residue once, in no order the heap would like.
    let deadline = |n: u64| n * 48_271 % 100_003;
    let keys: Vec<_> = (0..100_000).map(|n| timers.insert(deadline(n), n)).collect();
    assert!(keys.iter().step_by(2).all(|&key| timers.cancel(key).is_some()));
    let rest: Vec<_> = std::iter::from_fn(|| timers.pop_due(u64::MAX)).collect();
    assert_eq!(rest.len(), 50_000);
    assert!(rest.is_sorted_by_key(|&n| deadline(n)));
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Cancel(prop::sample::Index),
    Pop(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..50_u64).prop_map(Step::Insert),
        2 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        2 => (0..50_u64).prop_map(Step::Pop),
    ]
}

proptest! {
    #[test]
    fn timers_match_an_ordered_map(steps in prop::collection::vec(step(), 0..300)) {
        let mut timers = Timers::new();
        let mut model = BTreeMap::new();
        let mut keys: Vec<(TimerKey, (u64, usize))> = Vec::new();
        for step in steps {
            match step {
                Step::Insert(deadline) => {
                    let id = keys.len();
                    keys.push((timers.insert(deadline, id), (deadline, id)));
                    model.insert((deadline, id), id);
                }
                Step::Cancel(which) if !keys.is_empty() => {
                    let (key, entry) = which.get(&keys);
                    prop_assert_eq!(timers.cancel(*key), model.remove(entry));
                }
                Step::Cancel(_) => {}
                Step::Pop(now) => {
                    let due = model.first_key_value().filter(|((deadline, _), _)| *deadline <= now);
                    let due = due.map(|(&entry, _)| entry);
                    let expected = due.and_then(|entry| model.remove(&entry));
                    prop_assert_eq!(timers.pop_due(now), expected);
                }
            }
            prop_assert_eq!(timers.len(), model.len());
            prop_assert_eq!(timers.next(), model.keys().next().map(|&(deadline, _)| deadline));
        }
    }
}
