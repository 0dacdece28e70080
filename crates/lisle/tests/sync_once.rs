//! [`Once`], [`OnceLock`], [`LazyLock`], [`Barrier`] and the parking of threads, on coroutines.

mod util;

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, LazyLock, Once, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use util::{everywhere, mixed, scaled, spawn_running};

#[test]
fn once_runs_once() {
    everywhere(|| {
        let (once, runs) = (Arc::new(Once::new()), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&runs);
        let run = move |_| {
            once.call_once(|| {
                // All the others come to wait meanwhile.
                lisle::sleep(Duration::from_millis(5));
                counted.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(counted.load(Ordering::Relaxed), 1);
        };
        let theirs = run.clone();
        let first = spawn_running(move || theirs(0));
        mixed(40, run);
        first.join().unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_failed_once_is_tried_again() {
    everywhere(|| {
        let once = Arc::new(Once::new());
        let theirs = Arc::clone(&once);
        let panics = lisle::spawn(move || {
            theirs.call_once(|| {
                lisle::yield_now();
                panic!("on purpose");
            });
        });
        assert!(panics.join().is_err());
        assert!(panic::catch_unwind(AssertUnwindSafe(|| once.call_once(|| ()))).is_err());
        once.call_once_force(|state| assert!(state.is_poisoned()));
        assert!(once.is_completed());
    });
}

#[test]
fn a_once_lock_keeps_the_first_value() {
    everywhere(|| {
        let lock = Arc::new(OnceLock::new());
        let get = move |own| {
            *lock.get_or_init(|| {
                lisle::sleep(Duration::from_millis(5));
                own
            })
        };
        let theirs = get.clone();
        let first = spawn_running(move || theirs(100));
        let mut all = mixed(40, get);
        all.push(first.join().unwrap());
        assert!(all.iter().all(|value| *value == all[0]));
    });
}

#[test]
fn a_lazy_lock_may_be_made_by_other_coroutines() {
    static VALUE: LazyLock<usize> = LazyLock::new(|| {
        thread::sleep(Duration::from_millis(2));
        lisle::spawn(|| 6).join().unwrap() * 7
    });
    everywhere(|| {
        mixed(40, |_| assert_eq!(*VALUE, 42));
    });
}

#[test]
fn a_barrier_gathers_all() {
    everywhere(|| {
        let count = scaled(500, 50);
        let barrier = Arc::new(Barrier::new(count));
        let arrived = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..count)
            .map(|_| {
                let (barrier, arrived) = (Arc::clone(&barrier), Arc::clone(&arrived));
                lisle::spawn(move || {
                    let mut led = 0;
                    for round in 1..=5 {
                        arrived.fetch_add(1, Ordering::Relaxed);
                        led += usize::from(barrier.wait().is_leader());
                        assert!(arrived.load(Ordering::Relaxed) >= round * count);
                    }
                    led
                })
            })
            .collect();
        let leaders: usize = all.into_iter().map(|one| one.join().unwrap()).sum();
        assert_eq!(leaders, 5);
    });
}

#[test]
fn a_barrier_gathers_os_threads_and_coroutines() {
    everywhere(|| {
        let barrier = Arc::new(Barrier::new(10));
        let led = mixed(10, move |_| (0..20).filter(|_| barrier.wait().is_leader()).count());
        assert_eq!(led.into_iter().sum::<usize>(), 20);
    });
}

#[test]
fn std_threads_park_and_unpark() {
    everywhere(|| {
        let (tell, told) = mpsc::channel();
        let done = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&done);
        let sleeper = lisle::spawn(move || {
            tell.send(thread::current()).unwrap();
            while !theirs.load(Ordering::Acquire) {
                thread::park();
            }
        });
        let handle = told.recv().unwrap();
        done.store(true, Ordering::Release);
        handle.unpark();
        sleeper.join().unwrap();
    });
}

#[test]
fn a_std_unpark_before_park_is_kept() {
    everywhere(|| {
        thread::current().unpark();
        thread::park();
        thread::park_timeout(Duration::from_millis(5));
    });
}

#[test]
fn std_parking_passes_turns_between_os_threads_and_coroutines() {
    everywhere(|| {
        let turn = Arc::new(AtomicUsize::new(0));
        let handles: Arc<[OnceLock<thread::Thread>; 6]> = Arc::default();
        let (turns, seats) = (Arc::clone(&turn), Arc::clone(&handles));
        mixed(6, move |own| {
            seats[own].set(thread::current()).unwrap();
            for round in 0..50 {
                while turns.load(Ordering::Acquire) != round * 6 + own {
                    thread::park();
                }
                turns.fetch_add(1, Ordering::Release);
                seats[(own + 1) % 6].wait().unpark();
            }
        });
        assert_eq!(turn.load(Ordering::Relaxed), 300);
    });
}
