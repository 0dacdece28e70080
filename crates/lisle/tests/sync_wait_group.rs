//! [`lisle::sync::WaitGroup`].

mod util;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lisle::sync::WaitGroup;
use lisle::{CancelToken, Stop};
use util::{Actor, everywhere, mixed, scaled, spawn_running};

#[test]
fn an_empty_group_is_not_waited_for() {
    everywhere(|| {
        let group = WaitGroup::new();
        assert_eq!((group.wait(), group.count()), (Ok(()), 0));
        assert_eq!(group.wait_timeout(Duration::ZERO), Ok(true));
    });
}

#[test]
fn all_activities_are_waited_for() {
    everywhere(|| {
        let (group, ended) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
        for number in 0..scaled(500, 50) {
            let (guard, ended) = (group.add(), Arc::clone(&ended));
            lisle::spawn(move || {
                (0..number % 3).for_each(|_| lisle::yield_now());
                ended.fetch_add(1, Ordering::Relaxed);
                drop(guard);
            });
        }
        group.wait().unwrap();
        assert_eq!(ended.load(Ordering::Relaxed), scaled(500, 50));
    });
}

#[test]
fn os_threads_take_part() {
    everywhere(|| {
        let group = WaitGroup::new();
        let guards = [group.add(), group.add()];
        let waiters = [0, 1].map(|number| {
            let group = group.clone();
            Actor::spawn(number, move || group.wait())
        });
        lisle::yield_now();
        for (number, guard) in guards.into_iter().enumerate() {
            assert!(!waiters.iter().any(Actor::is_finished));
            Actor::spawn(1 - number, move || drop(guard)).join();
        }
        assert!(waiters.into_iter().all(|waiter| waiter.join() == Ok(())));
    });
}

#[test]
fn it_is_used_again() {
    everywhere(|| {
        let group = WaitGroup::new();
        for round in 1..=20 {
            let guards: Vec<_> = (0..round).map(|_| group.add()).collect();
            assert_eq!(group.count(), round);
            for guard in guards {
                lisle::spawn(move || drop(guard));
            }
            group.wait().unwrap();
        }
    });
}

#[test]
fn activities_start_activities() {
    fn tree(group: &WaitGroup, depth: usize, leaves: &Arc<AtomicUsize>) {
        if depth == 0 {
            leaves.fetch_add(1, Ordering::Relaxed);
            return;
        }
        for _ in 0..2 {
            let (group, guard, leaves) = (group.clone(), group.add(), Arc::clone(leaves));
            lisle::spawn(move || {
                tree(&group, depth - 1, &leaves);
                drop(guard);
            });
        }
    }
    everywhere(|| {
        let (group, leaves) = (WaitGroup::new(), Arc::default());
        tree(&group, 6, &leaves);
        group.wait().unwrap();
        assert_eq!(leaves.load(Ordering::Relaxed), 64);
    });
}

#[test]
fn a_panic_ends_the_activity() {
    everywhere(|| {
        util::hush_panics_on_purpose();
        let group = WaitGroup::new();
        let guard = group.add();
        let panicking = move || {
            let _guard = guard;
            panic!("on purpose")
        };
        panic::catch_unwind(AssertUnwindSafe(panicking)).unwrap_err();
        assert_eq!(group.wait(), Ok(()));
    });
}

#[test]
fn who_waits_goes_on_although_there_are_new_ones() {
    everywhere(|| {
        let group = WaitGroup::new();
        let mut guard = group.add();
        let theirs = group.clone();
        let waiter = spawn_running(move || theirs.wait());
        // Until it is in line when there are none.
        while !waiter.is_finished() {
            drop(guard);
            guard = group.add();
            lisle::yield_now();
        }
        assert_eq!(waiter.join().unwrap(), Ok(()));
        assert_eq!(group.wait_timeout(Duration::from_millis(1)), Ok(false));
        drop(guard);
    });
}

#[test]
fn stops_end_the_wait() {
    everywhere(|| {
        let (group, token) = (WaitGroup::new(), CancelToken::new());
        let guard = group.add();
        let stopped = lisle::deadline(Duration::from_millis(2), || group.wait());
        assert_eq!(stopped, Err(Stop::TimedOut));
        let (theirs, under) = (group.clone(), token.clone());
        let waiter = spawn_running(move || under.run(|| theirs.wait()));
        token.cancel();
        assert_eq!(waiter.join().unwrap(), Err(Stop::Cancelled));
        drop(guard);
        assert_eq!(token.run(|| group.wait()), Ok(()));
    });
}

#[test]
fn many_waiters_and_many_activities() {
    everywhere(|| {
        let group = WaitGroup::new();
        let begun = Arc::new(AtomicUsize::new(0));
        let results = mixed(8, move |number| {
            for _ in 0..200 {
                if number < 4 {
                    let guard = group.add();
                    begun.fetch_add(1, Ordering::Relaxed);
                    lisle::yield_now();
                    drop(guard);
                } else {
                    let short = Duration::from_micros(30 * (number as u64 - 3));
                    while !group.wait_timeout(short).unwrap() {}
                }
            }
            group.wait()
        });
        assert!(results.into_iter().all(|result| result == Ok(())));
    });
}
