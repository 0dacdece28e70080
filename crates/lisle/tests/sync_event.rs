//! [`lisle::sync::Event`].

mod util;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lisle::sync::Event;
use lisle::{CancelToken, Stop};
use util::{Actor, everywhere, mixed, scaled, spawn_running};

#[test]
fn it_is_set_and_reset() {
    everywhere(|| {
        let event = Event::new();
        assert!(!event.is_set());
        for _ in 0..2 {
            event.set();
            event.set();
            assert!(event.is_set());
            assert_eq!(event.wait(), Ok(()));
            assert_eq!(event.wait_timeout(Duration::ZERO), Ok(true));
            event.reset();
            event.reset();
            assert!(!event.is_set());
            assert_eq!(event.wait_timeout(Duration::from_millis(1)), Ok(false));
        }
    });
}

#[test]
fn all_who_wait_go_on() {
    everywhere(|| {
        let event = Arc::new(Event::new());
        let waiters: Vec<_> = (0..20)
            .map(|number| {
                let event = Arc::clone(&event);
                Actor::spawn(number, move || event.wait())
            })
            .collect();
        lisle::yield_now();
        event.set();
        assert!(waiters.into_iter().all(|waiter| waiter.join() == Ok(())));
    });
}

#[test]
fn a_reset_at_once_keeps_nobody_back() {
    everywhere(|| {
        let (event, waiting) = (Event::new(), AtomicUsize::new(0));
        lisle::scope(|s| {
            let waiters: Vec<_> = (0..scaled(100, 20))
                .map(|_| {
                    s.spawn(|| {
                        waiting.fetch_add(1, Ordering::Relaxed);
                        event.wait().unwrap();
                    })
                })
                .collect();
            util::yield_until(|| waiting.load(Ordering::Relaxed) == waiters.len());
            // Pulses until the last of them was in line for one.
            while !waiters.iter().all(|waiter| waiter.is_finished()) {
                event.set();
                event.reset();
                lisle::yield_now();
            }
        });
        assert!(!event.is_set());
    });
}

#[test]
fn who_comes_after_the_reset_waits() {
    everywhere(|| {
        let event = Arc::new(Event::new());
        event.set();
        event.reset();
        let theirs = Arc::clone(&event);
        let waiter = spawn_running(move || theirs.wait());
        lisle::yield_now();
        assert!(!waiter.is_finished());
        event.set();
        waiter.join().unwrap().unwrap();
    });
}

#[test]
fn stops_end_the_wait() {
    everywhere(|| {
        let (event, token) = (Arc::new(Event::new()), CancelToken::new());
        let stopped = lisle::deadline(Duration::from_millis(2), || event.wait());
        assert_eq!(stopped, Err(Stop::TimedOut));
        for number in 0..2 {
            let (theirs, token) = (Arc::clone(&event), token.child());
            let under = token.clone();
            let waiter = Actor::spawn(number, move || under.run(|| theirs.wait()));
            token.cancel();
            assert_eq!(waiter.join(), Err(Stop::Cancelled));
        }
        event.set();
        token.cancel();
        assert_eq!(token.run(|| event.wait()), Ok(()));
    });
}

/// It is set before the token is cancelled, so that nobody may say it was not.
#[test]
fn a_stop_that_comes_later_is_too_late() {
    everywhere(|| {
        for round in 0..scaled(100, 20) {
            let (event, token) = (Event::new(), CancelToken::new());
            lisle::scope(|s| {
                let wait = || token.run(|| event.wait());
                let waiters: Vec<_> = (0..10).map(|_| s.spawn(wait)).collect();
                (0..round % 4).for_each(|_| lisle::yield_now());
                event.set();
                token.cancel();
                assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap() == Ok(())));
            });
        }
    });
}

#[test]
fn what_was_written_before_is_seen() {
    everywhere(|| {
        for _ in 0..scaled(200, 20) {
            let (event, value) = (Event::new(), AtomicUsize::new(0));
            lisle::scope(|s| {
                s.spawn(|| {
                    value.store(1, Ordering::Relaxed);
                    event.set();
                });
                event.wait().unwrap();
                assert_eq!(value.load(Ordering::Relaxed), 1);
            });
        }
    });
}

/// Rounds of a game in which everybody waits for everybody, with time limits in between.
#[test]
fn nobody_misses_it() {
    everywhere(|| {
        const PLAYERS: usize = 6;
        let events: Arc<Vec<Event>> = Arc::new((0..100).map(|_| Event::new()).collect());
        let arrived: Arc<Vec<AtomicUsize>> =
            Arc::new((0..100).map(|_| AtomicUsize::new(0)).collect());
        let missed = mixed(PLAYERS, move |number| {
            for (event, arrived) in events.iter().zip(arrived.iter()) {
                if arrived.fetch_add(1, Ordering::AcqRel) == PLAYERS - 1 {
                    event.set();
                }
                let short = Duration::from_micros(20 * number as u64);
                while !event.wait_timeout(short).unwrap() {}
            }
            number
        });
        assert_eq!(missed, [0, 1, 2, 3, 4, 5]);
    });
}
