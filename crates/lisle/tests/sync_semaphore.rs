//! [`lisle::sync::Semaphore`]: fair, and no permit is lost.

mod util;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use lisle::sync::Semaphore;
use lisle::{CancelToken, Stop};
use util::{Actor, Random, everywhere, mixed, scaled, spawn_running, yield_until};

/// Longer than any test takes.
const FOREVER: Duration = Duration::from_secs(3600);

#[test]
fn permits_are_taken_and_given_back() {
    everywhere(|| {
        let semaphore = Semaphore::new(3);
        let one = semaphore.acquire().unwrap();
        let two = semaphore.try_acquire_many(2).unwrap();
        assert_eq!((one.count(), two.count(), semaphore.available()), (1, 2, 0));
        assert!(semaphore.try_acquire().is_none());
        drop(two);
        assert_eq!(semaphore.available(), 2);
        one.forget();
        assert_eq!(semaphore.available(), 2);
        semaphore.add_permits(1);
        assert_eq!(semaphore.acquire_many(3).unwrap().count(), 3);
        assert_eq!(semaphore.available(), 3);
    });
}

#[test]
fn no_permits_are_had_for_the_asking() {
    everywhere(|| {
        let semaphore = Semaphore::new(0);
        assert_eq!(semaphore.acquire_many(0).unwrap().count(), 0);
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn waiters_suspend_and_go_on() {
    everywhere(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        for number in 0..4 {
            let theirs = Arc::clone(&semaphore);
            let waiter = Actor::spawn(number, move || theirs.acquire().unwrap().forget());
            lisle::yield_now();
            semaphore.add_permits(1);
            waiter.join();
        }
    });
}

/// Starts waiters one after the other; returns them with the log in which they put their numbers
/// once they have their permits.
fn line(
    semaphore: &Arc<Semaphore>,
    wants: &[usize],
) -> (Vec<lisle::JoinHandle<()>>, Arc<Mutex<Vec<usize>>>) {
    let log: Arc<Mutex<Vec<usize>>> = Arc::default();
    let started = wants.iter().enumerate().map(|(number, &wanted)| {
        let (semaphore, log) = (Arc::clone(semaphore), Arc::clone(&log));
        let waiter = spawn_running(move || {
            let permit = semaphore.acquire_many(wanted).unwrap();
            log.lock().unwrap().push(number);
            drop(permit);
        });
        // It may have been preempted before it was in line.
        (0..3).for_each(|_| lisle::yield_now());
        waiter
    });
    (started.collect(), log)
}

/// The numbers in the log once all have ended: in their order where waiters that run wait before
/// others run, which is on a single worker.
fn order(line: (Vec<lisle::JoinHandle<()>>, Arc<Mutex<Vec<usize>>>)) -> Vec<usize> {
    let (waiters, log) = line;
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    let mut log = std::mem::take(&mut *log.lock().unwrap());
    if util::threads() || lisle::runtime::workers() > 1 {
        log.sort();
    }
    log
}

#[test]
fn who_comes_first_is_served_first() {
    everywhere(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire().unwrap();
        let line = line(&semaphore, &[1; 6]);
        assert!(semaphore.try_acquire().is_none());
        drop(permit);
        assert_eq!(order(line), [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn who_wants_many_is_not_passed_by() {
    everywhere(|| {
        let semaphore = Arc::new(Semaphore::new(3));
        let permit = semaphore.acquire_many(2).unwrap();
        let first = line(&semaphore, &[3]);
        yield_until(|| semaphore.available() == 0);
        // There is one, but it is not for those who come now.
        assert!(semaphore.try_acquire().is_none());
        let second = spawn_running({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.acquire().map(drop)
        });
        (0..3).for_each(|_| lisle::yield_now());
        assert!(!second.is_finished());
        drop(permit);
        assert_eq!((order(first), second.join().unwrap()), (vec![0], Ok(())));
    });
}

#[test]
fn who_gives_up_lets_those_behind_pass() {
    everywhere(|| {
        let semaphore = Arc::new(Semaphore::new(2));
        let _permit = semaphore.acquire().unwrap();
        let (theirs, token) = (Arc::clone(&semaphore), CancelToken::new());
        let under = token.clone();
        let greedy = spawn_running(move || under.run(|| theirs.acquire_many(2).map(drop)));
        yield_until(|| semaphore.available() == 0);
        let line = line(&semaphore, &[1, 1]);
        assert!(line.1.lock().unwrap().is_empty());
        token.cancel();
        assert_eq!(greedy.join().unwrap(), Err(Stop::Cancelled));
        assert_eq!(order(line), [0, 1]);
    });
}

#[test]
fn time_limits_and_stops_end_the_wait() {
    everywhere(|| {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire().unwrap();
        let soon = Duration::from_millis(2);
        assert!(semaphore.acquire_timeout(soon).unwrap().is_none());
        assert!(semaphore.acquire_timeout(Duration::ZERO).unwrap().is_none());
        let stopped = lisle::deadline(soon, || semaphore.acquire().map(drop));
        assert_eq!(stopped, Err(Stop::TimedOut));
        let token = CancelToken::new();
        token.cancel();
        assert_eq!(token.run(|| semaphore.acquire().map(drop)), Err(Stop::Cancelled));
        drop(permit);
        // What is there is taken, stop or not.
        assert!(token.run(|| semaphore.acquire().is_ok()));
        assert!(semaphore.acquire_timeout(FOREVER).unwrap().is_some());
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn many_waiters_are_cancelled() {
    everywhere(|| {
        let (semaphore, token) = (Semaphore::new(0), CancelToken::new());
        let cancelled = lisle::scope(|s| {
            let wait = || token.run(|| semaphore.acquire().map(drop));
            let all: Vec<_> = (0..scaled(1000, 100)).map(|_| s.spawn(wait)).collect();
            lisle::yield_now();
            token.cancel();
            all.into_iter().map(|one| one.join().unwrap()).filter(|end| end.is_err()).count()
        });
        assert_eq!(cancelled, scaled(1000, 100));
        semaphore.add_permits(1);
        assert!(semaphore.try_acquire().is_some());
    });
}

#[test]
fn the_limit_is_kept() {
    everywhere(|| {
        let semaphore = Arc::new(Semaphore::new(3));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (theirs, seen) = (Arc::clone(&semaphore), Arc::clone(&most));
        mixed(8, move |number| {
            let mut random = Random::new(number as u64);
            for _ in 0..200 {
                let count = 1 + random.below(3);
                let permits = theirs.acquire_many(count).unwrap();
                let with_us = now.fetch_add(count, Ordering::Relaxed) + count;
                seen.fetch_max(with_us, Ordering::Relaxed);
                if random.below(4) == 0 {
                    lisle::yield_now();
                }
                now.fetch_sub(count, Ordering::Relaxed);
                drop(permits);
            }
        });
        assert_eq!(semaphore.available(), 3);
        assert!(most.load(Ordering::Relaxed) <= 3);
    });
}

/// Permits are given back just when waits for them time out or are cancelled.
#[test]
fn no_permit_is_lost_in_a_race() {
    everywhere(|| {
        const PERMITS: usize = 2;
        let semaphore = Arc::new(Semaphore::new(PERMITS));
        let theirs = Arc::clone(&semaphore);
        let got: usize = mixed(8, move |number| {
            let mut random = Random::new(number as u64);
            let mut got = 0;
            for _ in 0..300 {
                let limit = Duration::from_micros(random.below(60) as u64);
                let permit = match random.below(3) {
                    0 => theirs.acquire_timeout(limit).unwrap(),
                    1 => lisle::deadline(limit, || theirs.acquire_many(PERMITS)).ok(),
                    _ => lisle::deadline(limit, || theirs.acquire()).ok(),
                };
                got += usize::from(permit.is_some());
                if random.below(2) == 0 {
                    lisle::yield_now();
                }
            }
            got
        })
        .into_iter()
        .sum();
        assert!(got > 0);
        assert_eq!(semaphore.available(), PERMITS);
        assert_eq!(semaphore.acquire_many(PERMITS).unwrap().count(), PERMITS);
    });
}

#[test]
fn permits_hand_on_what_was_written() {
    everywhere(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let count = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&count);
        mixed(6, move |_| {
            for _ in 0..200 {
                let _permit = semaphore.acquire().unwrap();
                // Not atomic as a whole: only one of them does it at a time.
                let value = theirs.load(Ordering::Relaxed);
                theirs.store(value + 1, Ordering::Relaxed);
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 1200);
    });
}

#[test]
fn a_waiting_os_thread_does_not_hold_coroutines() {
    everywhere(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let theirs = Arc::clone(&semaphore);
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send(()).unwrap();
            theirs.acquire().map(drop)
        });
        told.recv().unwrap();
        let giver = lisle::spawn(move || semaphore.add_permits(1));
        giver.join().unwrap();
        assert_eq!(thread.join().unwrap(), Ok(()));
    });
}

#[test]
fn too_many_permits_are_refused() {
    everywhere(|| {
        let semaphore = Semaphore::new(usize::MAX);
        lisle::scope(|s| s.spawn(|| semaphore.add_permits(1)).join()).unwrap_err();
        assert_eq!(semaphore.available(), usize::MAX);
    });
}
