//! [`lisle::park`], [`lisle::park_timeout`], [`lisle::Coroutine::unpark`].

mod util;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use util::{everywhere, scaled, within};

/// Parks until `done`, as one must: a park may end for no reason.
fn park_until(done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        lisle::park();
    }
}

#[test]
fn unpark_wakes() {
    everywhere(|| {
        let done = Arc::new(AtomicBool::new(false));
        let parked = Arc::clone(&done);
        let sleeper = lisle::spawn(move || park_until(&parked));
        for _ in 0..10 {
            lisle::yield_now();
        }
        assert!(!sleeper.is_finished());
        done.store(true, Ordering::Release);
        sleeper.coroutine().unpark();
        sleeper.join().unwrap();
    });
}

#[test]
fn unpark_before_park_is_kept() {
    everywhere(|| {
        lisle::current().unpark();
        lisle::park();
        // Kept across other ways to wait, too.
        lisle::current().unpark();
        lisle::yield_now();
        lisle::sleep(Duration::from_millis(1));
        lisle::spawn(lisle::yield_now).join().unwrap();
        lisle::park();
    });
}

#[test]
fn tokens_do_not_add_up() {
    everywhere(|| {
        lisle::current().unpark();
        lisle::current().unpark();
        lisle::park();
        let timeout = Duration::from_millis(30);
        // Returning early for no reason is allowed, but not the rule.
        let lasted = (0..20).any(|_| {
            let start = Instant::now();
            lisle::park_timeout(timeout);
            start.elapsed() >= timeout
        });
        assert!(lasted, "every park found a token");
    });
}

#[test]
fn park_timeout_ends() {
    everywhere(|| {
        lisle::park_timeout(Duration::ZERO);
        lisle::park_timeout(Duration::from_nanos(1));
        lisle::park_timeout(Duration::from_millis(5));
        let other = lisle::spawn(|| lisle::park_timeout(Duration::from_millis(5)));
        other.join().unwrap();
    });
}

#[test]
fn unpark_beats_the_timeout() {
    for timeout in [Duration::from_secs(3600), Duration::MAX] {
        let body = move || {
            let done = Arc::new(AtomicBool::new(false));
            let parked = Arc::clone(&done);
            let sleeper = lisle::spawn(move || {
                while !parked.load(Ordering::Acquire) {
                    lisle::park_timeout(timeout);
                }
            });
            lisle::yield_now();
            done.store(true, Ordering::Release);
            sleeper.coroutine().unpark();
            sleeper.join().unwrap();
        };
        within("unpark_beats_the_timeout", util::LIMIT, || lisle::spawn(body).join().unwrap());
    }
}

#[test]
fn os_threads_and_coroutines_wake_each_other() {
    everywhere(|| {
        let turn = Arc::new(AtomicUsize::new(0));
        // Each waits for its parity, then wakes the other.
        let play = |parity: usize, turn: Arc<AtomicUsize>, other: mpsc::Receiver<_>| {
            let other: lisle::Coroutine = other.recv().unwrap();
            for _ in 0..200 {
                while turn.load(Ordering::Acquire) % 2 != parity {
                    lisle::park();
                }
                turn.fetch_add(1, Ordering::Release);
                other.unpark();
            }
        };
        let (tell_even, even_told) = mpsc::channel();
        let (tell_odd, odd_told) = mpsc::channel();
        let theirs = Arc::clone(&turn);
        let odd = thread::spawn(move || {
            tell_even.send(lisle::current()).unwrap();
            play(1, theirs, odd_told);
        });
        tell_odd.send(lisle::current()).unwrap();
        play(0, Arc::clone(&turn), even_told);
        odd.join().unwrap();
        assert_eq!(turn.load(Ordering::Relaxed), 400);
    });
}

#[test]
fn unpark_publishes() {
    everywhere(|| {
        for round in 0..200 {
            let (data, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
            let (theirs, parked) = (Arc::clone(&data), Arc::clone(&done));
            let reader = lisle::spawn(move || {
                park_until(&parked);
                theirs.load(Ordering::Relaxed)
            });
            data.store(round + 1, Ordering::Relaxed);
            done.store(true, Ordering::Release);
            reader.coroutine().unpark();
            assert_eq!(reader.join().unwrap(), round + 1);
        }
    });
}

#[test]
fn the_ended_are_not_woken() {
    everywhere(|| {
        let handle = lisle::spawn(lisle::current);
        let handles = [handle.coroutine().clone(), handle.join().unwrap()];
        for _ in 0..100 {
            handles.iter().for_each(lisle::Coroutine::unpark);
            // Whoever reuses its place must not find the token.
            lisle::spawn(lisle::yield_now).join().unwrap();
        }
        assert_eq!(handles[0].id(), handles[1].id());
    });
}

#[test]
fn a_ring_of_parkers_passes_a_token() {
    everywhere(|| {
        let size = scaled(500, 50);
        let rounds = 5;
        let turn = Arc::new(AtomicUsize::new(0));
        let (start, started): (Vec<_>, Vec<_>) = (0..size).map(|_| mpsc::channel()).unzip();
        let ring: Vec<_> = started
            .into_iter()
            .enumerate()
            .map(|(place, started)| {
                let turn = Arc::clone(&turn);
                lisle::spawn(move || {
                    let next: lisle::Coroutine = started.recv().unwrap();
                    for round in 0..rounds {
                        while turn.load(Ordering::Acquire) != round * size + place {
                            lisle::park();
                        }
                        turn.fetch_add(1, Ordering::Release);
                        next.unpark();
                    }
                })
            })
            .collect();
        for (place, start) in start.iter().enumerate() {
            start.send(ring[(place + 1) % size].coroutine().clone()).unwrap();
        }
        ring.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(turn.load(Ordering::Relaxed), rounds * size);
    });
}
