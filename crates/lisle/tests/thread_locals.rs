//! Thread-locals are the coroutine's: `thread_local!`, `errno`, the panic count, and their ends.

mod util;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use util::{everywhere, mixed, scaled, yield_until};

thread_local! {
    static LAZY: RefCell<Vec<usize>> = RefCell::new(vec![7]);
    static CONST: Cell<usize> = const { Cell::new(11) };
    static MAP: RefCell<HashMap<usize, Rc<usize>>> = RefCell::default();
}

/// Yields in the ways that may move a coroutine to another worker.
fn move_about(step: usize) {
    match step % 3 {
        0 => lisle::yield_now(),
        1 => thread::yield_now(),
        _ => thread::sleep(std::time::Duration::from_micros(20)),
    }
}

#[test]
fn borrows_last_across_suspensions() {
    everywhere(|| {
        mixed(60, |own| {
            LAZY.with_borrow_mut(|values| {
                assert_eq!(*values, [7]);
                for step in 0..60 {
                    values.push(own * 1000 + step);
                    move_about(own + step);
                    assert_eq!(*values.last().unwrap(), own * 1000 + step);
                }
                assert_eq!(values.len(), 61);
            });
        });
    });
}

#[test]
fn lazy_and_const_values_are_the_coroutines() {
    everywhere(|| {
        mixed(60, |own| {
            assert_eq!(CONST.replace(own), 11);
            let kept = Rc::new(own);
            MAP.with_borrow_mut(|map| map.insert(own, Rc::clone(&kept)));
            for step in 0..60 {
                move_about(own + step);
                assert_eq!(CONST.get(), own + step);
                CONST.set(own + step + 1);
                // Counts that are not atomic: nobody else may touch them meanwhile.
                let copies: Vec<_> = (0..step).map(|_| Rc::clone(&kept)).collect();
                move_about(step);
                assert_eq!(Rc::strong_count(&kept), copies.len() + 2);
            }
            MAP.with_borrow(|map| assert_eq!(map.keys().copied().collect::<Vec<_>>(), [own]));
        });
    });
}

#[test]
fn addresses_stay() {
    everywhere(|| {
        mixed(40, |own| {
            let address = CONST.with(|value| std::ptr::from_ref(value).addr());
            for step in 0..60 {
                move_about(own + step);
                assert_eq!(CONST.with(|value| std::ptr::from_ref(value).addr()), address);
            }
        });
    });
}

#[test]
fn every_coroutine_starts_with_fresh_values() {
    everywhere(|| {
        // One after another, so that later ones run where earlier ones ended.
        for round in 0..scaled(5000, 1000) {
            let one = lisle::spawn(move || {
                assert_eq!(CONST.replace(round), 11);
                LAZY.with_borrow_mut(|values| {
                    assert_eq!(*values, [7]);
                    values.resize(100, round);
                });
                assert!(MAP.with_borrow_mut(|map| map.insert(1, Rc::new(round))).is_none());
            });
            one.join().unwrap();
        }
    });
}

#[test]
fn os_threads_keep_their_own_values() {
    everywhere(|| {
        CONST.set(1);
        let thread = thread::spawn(|| {
            CONST.set(2);
            let inner = lisle::spawn(|| CONST.replace(3)).join().unwrap();
            (inner, CONST.get())
        });
        assert_eq!(thread.join().unwrap(), (11, 2));
        assert_eq!(CONST.get(), 1);
    });
}

/// Adds one to its count when the coroutine that holds it ends.
struct Tally(Arc<AtomicUsize>);

impl Drop for Tally {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

thread_local! {
    static TALLIES: RefCell<Vec<Tally>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn destructors_run_once_at_the_end() {
    everywhere(|| {
        let count = scaled(1000, 200);
        let tally = Arc::new(AtomicUsize::new(0));
        for batch in 0..4 {
            let all: Vec<_> = (0..count)
                .map(|_| {
                    let tally = Arc::clone(&tally);
                    lisle::spawn(move || {
                        TALLIES.with_borrow_mut(|held| held.push(Tally(Arc::clone(&tally))));
                        lisle::yield_now();
                        assert_eq!(TALLIES.with_borrow(Vec::len), 1);
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
            yield_until(|| tally.load(Ordering::Acquire) >= count * (batch + 1));
            assert_eq!(tally.load(Ordering::Acquire), count * (batch + 1));
        }
    });
}

#[test]
fn destructors_run_after_a_panic_too() {
    everywhere(|| {
        let tally = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&tally);
        let panics = lisle::spawn(move || {
            TALLIES.with_borrow_mut(|held| held.push(Tally(theirs)));
            panic!("on purpose");
        });
        assert!(panics.join().is_err());
        yield_until(|| tally.load(Ordering::Acquire) == 1);
    });
}

#[test]
fn join_waits_for_the_destructors() {
    // As joining an OS thread does.
    everywhere(|| {
        for _ in 0..200 {
            let tally = Arc::new(AtomicUsize::new(0));
            let theirs = Arc::clone(&tally);
            lisle::spawn(move || TALLIES.with_borrow_mut(|held| held.push(Tally(theirs))))
                .join()
                .unwrap();
            assert_eq!(tally.load(Ordering::Acquire), 1);
        }
    });
}

/// Says, when dropped, what it saw of another thread-local and of the runtime.
struct Reporter(mpsc::Sender<(usize, bool, usize)>);

impl Drop for Reporter {
    fn drop(&mut self) {
        CONST.set(CONST.get() + 1);
        let late = LAZY.try_with(|values| values.borrow().len() == 1).unwrap_or(true);
        // A destructor may wait, and start others.
        lisle::yield_now();
        let spawned = lisle::spawn(|| CONST.get()).join().unwrap();
        self.0.send((CONST.get(), late, spawned)).unwrap();
    }
}

thread_local! {
    static REPORTER: RefCell<Option<Reporter>> = const { RefCell::new(None) };
}

#[test]
fn destructors_use_thread_locals_and_the_runtime() {
    everywhere(|| {
        let (tell, told) = mpsc::channel();
        for round in 0..50 {
            let tell = tell.clone();
            let one = lisle::spawn(move || {
                REPORTER.set(Some(Reporter(tell)));
                CONST.set(round);
            });
            one.join().unwrap();
            assert_eq!(told.recv().unwrap(), (round + 1, true, 11));
        }
    });
}
