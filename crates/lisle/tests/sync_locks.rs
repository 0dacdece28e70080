//! [`Mutex`], [`RwLock`], [`Condvar`] of std on coroutines, and shared with OS threads.

mod util;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::{Duration, Instant};

use util::{Actor, everywhere, mixed, scaled, yield_until};

#[test]
fn a_mutex_excludes() {
    everywhere(|| {
        let count = Arc::new(Mutex::new(0_usize));
        let theirs = Arc::clone(&count);
        let actors = scaled(200, 50);
        mixed(actors, move |_| {
            for _ in 0..20 {
                let mut count = theirs.lock().unwrap();
                let seen = *count;
                lisle::yield_now();
                *count = seen + 1;
            }
        });
        assert_eq!(*count.lock().unwrap(), actors * 20);
    });
}

#[test]
fn a_holder_may_wait_for_anything() {
    everywhere(|| {
        for holder in 0..2 {
            let lock = Arc::new(Mutex::new(0));
            let theirs = Arc::clone(&lock);
            let (held, is_held) = std::sync::mpsc::channel();
            let holder = Actor::spawn(holder, move || {
                let mut value = theirs.lock().unwrap();
                held.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(10));
                *value = 5;
            });
            is_held.recv().unwrap();
            assert!(lock.try_lock().is_err());
            assert_eq!(*lock.lock().unwrap(), 5);
            holder.join();
        }
    });
}

#[test]
fn a_panic_poisons() {
    everywhere(|| {
        let (mutex, rwlock) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::new(2)));
        let (their_mutex, their_rwlock) = (Arc::clone(&mutex), Arc::clone(&rwlock));
        let panics = lisle::spawn(move || {
            let _mutex = their_mutex.lock().unwrap();
            let _rwlock = their_rwlock.write().unwrap();
            lisle::yield_now();
            panic!("on purpose");
        });
        assert!(panics.join().is_err());
        assert_eq!(*mutex.lock().unwrap_err().into_inner(), 1);
        assert_eq!(*rwlock.read().unwrap_err().into_inner(), 2);
        mutex.clear_poison();
        assert_eq!(*mutex.lock().unwrap(), 1);
    });
}

/// Keeps its owner's panic under way until the stage is 2.
struct Lingers(Arc<AtomicUsize>);

impl Drop for Lingers {
    fn drop(&mut self) {
        self.0.store(1, Ordering::Release);
        yield_until(|| self.0.load(Ordering::Acquire) == 2);
    }
}

#[test]
fn only_the_panicking_coroutine_poisons() {
    everywhere(|| {
        let lock = Mutex::new(());
        let stage = Arc::new(AtomicUsize::new(0));
        let lingers = Lingers(Arc::clone(&stage));
        let panics = lisle::spawn(move || {
            let _lingers = lingers;
            panic!("on purpose");
        });
        yield_until(|| stage.load(Ordering::Acquire) == 1);
        // That one is unwinding; a guard dropped here is not dropped by a panic.
        drop(lock.lock().unwrap());
        stage.store(2, Ordering::Release);
        assert!(panics.join().is_err());
        assert!(!lock.is_poisoned());
    });
}

#[test]
fn readers_share_and_writers_do_not() {
    everywhere(|| {
        let lock = Arc::new(RwLock::new((0_usize, 0_usize)));
        let readers = Arc::new(AtomicUsize::new(0));
        let (theirs, reading) = (Arc::clone(&lock), Arc::clone(&readers));
        mixed(60, move |own| {
            for _ in 0..20 {
                if own % 3 == 0 {
                    let mut pair = theirs.write().unwrap();
                    assert_eq!(reading.load(Ordering::Relaxed), 0);
                    pair.0 += 1;
                    lisle::yield_now();
                    pair.1 += 1;
                } else {
                    let pair = theirs.read().unwrap();
                    reading.fetch_add(1, Ordering::Relaxed);
                    lisle::yield_now();
                    assert_eq!(pair.0, pair.1);
                    reading.fetch_sub(1, Ordering::Relaxed);
                }
            }
        });
        assert_eq!(*lock.read().unwrap(), (400, 400));
    });
}

#[test]
fn readers_hold_a_lock_together() {
    everywhere(|| {
        let lock = Arc::new(RwLock::new(()));
        let inside = Arc::new(AtomicUsize::new(0));
        // Nobody leaves before all are in.
        mixed(20, move |_| {
            let _guard = lock.read().unwrap();
            inside.fetch_add(1, Ordering::Relaxed);
            yield_until(|| inside.load(Ordering::Relaxed) == 20);
        });
    });
}

/// A bounded queue as everybody writes it.
#[derive(Default)]
struct Queue {
    items: Mutex<VecDeque<usize>>,
    not_empty: Condvar,
    not_full: Condvar,
}

impl Queue {
    fn push(&self, item: usize) {
        let items = self.items.lock().unwrap();
        let mut items = self.not_full.wait_while(items, |items| items.len() >= 4).unwrap();
        items.push_back(item);
        self.not_empty.notify_one();
    }

    fn pop(&self) -> usize {
        let items = self.items.lock().unwrap();
        let mut items = self.not_empty.wait_while(items, |items| items.is_empty()).unwrap();
        self.not_full.notify_one();
        items.pop_front().unwrap()
    }
}

#[test]
fn condition_variables_pass_work() {
    everywhere(|| {
        let queue = Arc::new(Queue::default());
        let theirs = Arc::clone(&queue);
        // Of eight: 0 and 1 produce, 2 and 3 consume and so on, each pair a coroutine and a thread.
        let sums = mixed(8, move |own| {
            (0..200)
                .map(|item| match own / 2 % 2 {
                    0 => {
                        theirs.push(item);
                        0
                    }
                    _ => theirs.pop(),
                })
                .sum::<usize>()
        });
        assert_eq!(sums.iter().sum::<usize>(), 4 * 199 * 100);
        assert!(queue.items.lock().unwrap().is_empty());
    });
}

#[test]
fn notify_all_wakes_all() {
    everywhere(|| {
        let shared = Arc::new((Mutex::new((0, false)), Condvar::new()));
        let count = scaled(1000, 100);
        let all: Vec<_> = (0..count)
            .map(|i| {
                let shared = Arc::clone(&shared);
                // One in twenty is an OS thread.
                Actor::spawn(usize::from(i % 20 == 0), move || {
                    let mut state = shared.0.lock().unwrap();
                    state.0 += 1;
                    drop(shared.1.wait_while(state, |state| !state.1).unwrap());
                })
            })
            .collect();
        yield_until(|| shared.0.lock().unwrap().0 == count);
        shared.0.lock().unwrap().1 = true;
        shared.1.notify_all();
        all.into_iter().for_each(Actor::join);
    });
}

#[test]
fn a_wait_with_a_timeout_ends() {
    everywhere(|| {
        let (lock, condvar) = (Mutex::new(()), Condvar::new());
        let timeout = Duration::from_millis(20);
        let start = Instant::now();
        let guard = lock.lock().unwrap();
        let (guard, result) = condvar.wait_timeout_while(guard, timeout, |()| true).unwrap();
        assert!(result.timed_out() && start.elapsed() >= timeout);
        let none = condvar.wait_timeout(guard, Duration::ZERO).unwrap();
        assert!(none.1.timed_out());
    });
}

#[test]
fn a_notification_beats_the_timeout() {
    everywhere(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        for timeout in [Duration::from_secs(3600), Duration::MAX] {
            let theirs = Arc::clone(&shared);
            let guard = shared.0.lock().unwrap();
            let notifier = lisle::spawn(move || {
                *theirs.0.lock().unwrap() = true;
                theirs.1.notify_one();
            });
            let wait = shared.1.wait_timeout_while(guard, timeout, |set| !*set);
            let (mut set, result) = wait.unwrap();
            assert!(*set && !result.timed_out());
            *set = false;
            drop(set);
            notifier.join().unwrap();
        }
    });
}

#[test]
fn one_notification_wakes_a_waiter_that_can_use_it() {
    everywhere(|| {
        // Turns passed around by notify_one on a condition variable each: none may get lost.
        let places = 10;
        let turn = Arc::new(Mutex::new(0_usize));
        let bells: Arc<Vec<Condvar>> = Arc::new((0..places).map(|_| Condvar::new()).collect());
        let (turns, rings) = (Arc::clone(&turn), Arc::clone(&bells));
        mixed(places, move |own| {
            for _ in 0..50 {
                let turn = turns.lock().unwrap();
                let mut turn = rings[own].wait_while(turn, |turn| *turn % places != own).unwrap();
                *turn += 1;
                rings[(own + 1) % places].notify_one();
            }
        });
        assert_eq!(*turn.lock().unwrap(), places * 50);
    });
}
