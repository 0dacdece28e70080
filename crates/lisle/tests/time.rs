//! Sleeping: [`std::thread::sleep`] and [`lisle::sleep`] on coroutines.

mod util;

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use util::{everywhere, mixed, scaled, spawn_running};

/// Longer than any wait here on a busy machine, shorter than the sleeps one after another.
const GENEROUS: Duration = Duration::from_secs(8);

#[test]
fn a_sleep_lasts() {
    everywhere(|| {
        for sleep in [thread::sleep, lisle::sleep] {
            for micros in [1, 50, 999, 1000, 1001, 20_000] {
                let duration = Duration::from_micros(micros);
                let start = Instant::now();
                sleep(duration);
                assert!(start.elapsed() >= duration, "{duration:?}");
            }
        }
    });
}

#[test]
fn no_time_at_all() {
    everywhere(|| {
        for _ in 0..100 {
            thread::sleep(Duration::ZERO);
            lisle::sleep(Duration::ZERO);
            lisle::sleep(Duration::from_nanos(1));
        }
    });
}

#[test]
fn a_sleeper_lets_others_run() {
    everywhere(|| {
        for sleep in [thread::sleep, lisle::sleep] {
            let (tell, told) = mpsc::channel();
            let sleeper = spawn_running(move || {
                sleep(Duration::from_millis(200));
                told.try_recv()
            });
            // On a single worker this runs while the other sleeps, or it runs too late.
            tell.send(()).unwrap();
            assert_eq!(sleeper.join().unwrap(), Ok(()));
        }
    });
}

#[test]
fn many_sleeps_overlap() {
    everywhere(|| {
        let sleepers = scaled(2000, 200);
        let start = Instant::now();
        let all: Vec<_> = (0..sleepers)
            .map(|i| {
                lisle::spawn(move || {
                    let duration = Duration::from_millis(50 + (i % 10) as u64);
                    let start = Instant::now();
                    thread::sleep(duration);
                    assert!(start.elapsed() >= duration);
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        // One after another they take at least 10 s.
        assert!(start.elapsed() < GENEROUS, "{:?}", start.elapsed());
    });
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    everywhere(|| {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now();
        let all: Vec<_> = [3, 0, 4, 1, 2]
            .into_iter()
            .map(|place: u64| {
                let woken = Arc::clone(&woken);
                lisle::spawn(move || {
                    let deadline = start + Duration::from_millis(20 + 150 * place);
                    thread::sleep(deadline.saturating_duration_since(Instant::now()));
                    woken.lock().unwrap().push(place);
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*woken.lock().unwrap(), [0, 1, 2, 3, 4]);
    });
}

#[test]
fn a_long_sleep_does_not_hide_a_short_one() {
    everywhere(|| {
        // Detached: it outlives the test.
        drop(spawn_running(|| thread::sleep(Duration::from_secs(3600))));
        drop(spawn_running(|| thread::sleep(Duration::MAX)));
        let start = Instant::now();
        lisle::spawn(|| thread::sleep(Duration::from_millis(5))).join().unwrap();
        assert!(start.elapsed() < GENEROUS);
    });
}

#[test]
fn os_threads_and_coroutines_sleep_side_by_side() {
    everywhere(|| {
        let start = Instant::now();
        mixed(40, |_| thread::sleep(Duration::from_millis(300)));
        // One after another: 12 s.
        assert!(start.elapsed() < GENEROUS, "{:?}", start.elapsed());
    });
}

#[test]
fn a_repeated_sleep_does_not_drift_backwards() {
    everywhere(|| {
        let start = Instant::now();
        for _ in 0..50 {
            lisle::sleep(Duration::from_micros(300));
        }
        assert!(start.elapsed() >= Duration::from_millis(15));
    });
}

#[test]
fn clocks_are_monotonic_across_suspensions() {
    everywhere(|| {
        let all: Vec<_> = (0..20)
            .map(|_| {
                lisle::spawn(|| {
                    let mut last = Instant::now();
                    for _ in 0..200 {
                        lisle::yield_now();
                        let now = Instant::now();
                        assert!(now >= last);
                        last = now;
                    }
                    SystemTime::now()
                })
            })
            .collect();
        for one in all {
            assert!(one.join().unwrap() > SystemTime::UNIX_EPOCH);
        }
    });
}
