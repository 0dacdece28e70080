//! Yielding: [`std::thread::yield_now`] and [`lisle::yield_now`] on coroutines.

mod util;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use util::{Actor, everywhere, threads, yield_until};

#[test]
fn a_yielding_loop_lets_others_run() {
    everywhere(|| {
        for yield_now in [thread::yield_now, lisle::yield_now] {
            let set = Arc::new(AtomicBool::new(false));
            let theirs = Arc::clone(&set);
            let setter = lisle::spawn(move || theirs.store(true, Ordering::Relaxed));
            while !set.load(Ordering::Relaxed) {
                yield_now();
            }
            setter.join().unwrap();
        }
    });
}

#[test]
fn yields_alone_return() {
    everywhere(|| {
        for _ in 0..10_000 {
            lisle::yield_now();
            thread::yield_now();
        }
    });
}

#[test]
fn os_threads_may_yield() {
    lisle::yield_now();
    thread::spawn(lisle::yield_now).join().unwrap();
}

#[test]
fn many_yielders_wait_for_each_other() {
    everywhere(|| {
        let arrived = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..100)
            .map(|i| {
                let arrived = Arc::clone(&arrived);
                // The last spawned goes first: each waits for the one after it.
                lisle::spawn(move || {
                    yield_until(|| arrived.load(Ordering::Acquire) == 99 - i);
                    arrived.fetch_add(1, Ordering::Release);
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(arrived.load(Ordering::Relaxed), 100);
    });
}

#[test]
fn two_yielders_advance_evenly() {
    const STEPS: usize = 20_000;
    everywhere(|| {
        let start = Arc::new(Barrier::new(2));
        let steps = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let run = |own: usize| {
            let (start, steps) = (Arc::clone(&start), Arc::clone(&steps));
            lisle::spawn(move || {
                start.wait();
                for _ in 0..STEPS {
                    steps[own].fetch_add(1, Ordering::Relaxed);
                    lisle::yield_now();
                }
                steps[1 - own].load(Ordering::Relaxed)
            })
        };
        let both = [run(0), run(1)];
        let others = both.map(|one| one.join().unwrap());
        assert_eq!(steps.each_ref().map(|own| own.load(Ordering::Relaxed)), [STEPS; 2]);
        // Where each is an OS thread, how even it is, is the kernel's affair. So it is where they
        // are on two workers; with one, they take turns.
        if !threads() && lisle::runtime::workers() == 1 {
            // Whoever ended first saw how far the other had come.
            let slower = others.into_iter().min().unwrap();
            assert!(slower > STEPS / 20, "{slower} of {STEPS} steps");
        }
    });
}

#[test]
fn a_playing_pair_does_not_starve_a_third() {
    everywhere(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let (serve, served) = mpsc::sync_channel(0);
        let (reply, replied) = mpsc::sync_channel(0);
        let stopped = Arc::clone(&stop);
        let one = lisle::spawn(move || {
            let mut rounds = 0_u64;
            while !stopped.load(Ordering::Relaxed) {
                serve.send(rounds).unwrap();
                rounds = replied.recv().unwrap();
            }
            rounds
        });
        let other = lisle::spawn(move || {
            while let Ok(ball) = served.recv() {
                reply.send(ball + 1).unwrap();
            }
        });
        let third = lisle::spawn(|| (0..1000).for_each(|_| lisle::yield_now()));
        third.join().unwrap();
        stop.store(true, Ordering::Relaxed);
        one.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn yielders_do_not_starve_those_who_wait_outside() {
    everywhere(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let stop = Arc::clone(&stop);
                lisle::spawn(move || yield_until(|| stop.load(Ordering::Relaxed)))
            })
            .collect();
        // A timer, an OS thread's wake-up and a coroutine spawned from outside get through.
        lisle::spawn(|| thread::sleep(std::time::Duration::from_millis(5))).join().unwrap();
        let (tell, told) = mpsc::channel();
        let waiter = lisle::spawn(move || told.recv().unwrap());
        let teller = Actor::spawn(1, move || {
            tell.send(5).unwrap();
            lisle::spawn(|| 6).join().unwrap()
        });
        assert_eq!((waiter.join().unwrap(), teller.join()), (5, 6));
        stop.store(true, Ordering::Relaxed);
        busy.into_iter().for_each(|one| one.join().unwrap());
    });
}
