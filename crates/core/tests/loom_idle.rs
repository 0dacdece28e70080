//! Models of the race between pushing work and falling asleep: one of the two sees the other.
#![cfg(loom)]

use lisle_core::Idle;
use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;

/// Workers, and queues reduced to how many items are in them. All accesses to `work` are Relaxed,
/// so only the fences of `Idle` can make one side see the other.
struct Scheduler {
    idle: Idle,
    work: AtomicUsize,
}

impl Scheduler {
    fn new(workers: u32) -> Arc<Self> {
        Arc::new(Self { idle: Idle::new(workers), work: AtomicUsize::new(0) })
    }

    /// Pushes an item; the worker to be woken, if any.
    fn push(&self) -> Option<u32> {
        self.work.fetch_add(1, Relaxed);
        self.idle.wake_one()
    }

    /// Takes an item if there is one.
    fn take(&self) -> bool {
        let seen = self.work.load(Relaxed);
        seen > 0 && self.work.compare_exchange(seen, seen - 1, Relaxed, Relaxed).is_ok()
    }

    /// A worker that has run out of work: searches if allowed, and sleeps if it finds nothing.
    /// Whether it sleeps in the end.
    fn run_dry(&self, worker: u32) -> bool {
        let searching = self.idle.start_search();
        if searching && self.take() {
            // There is one item in these models, so there is nothing left to wake another for.
            let _ = self.idle.stop_search();
            return false;
        }
        let look_again = self.idle.sleep(worker, searching);
        let found = look_again && self.work.load(Relaxed) > 0;
        if found {
            // True or false, the worker is awake and goes for the work.
            let _ = self.idle.leave(worker);
        }
        !found
    }
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

#[test]
fn pusher_and_sleeper_see_each_other() {
    loom::model(|| {
        let scheduler = Scheduler::new(1);
        let worker = {
            let scheduler = scheduler.clone();
            thread::spawn(move || scheduler.run_dry(0))
        };
        let woken = scheduler.push();
        let asleep = worker.join().unwrap();
        let left = scheduler.work.load(Relaxed);
        assert!(
            !asleep || woken == Some(0) || left == 0,
            "work is there, the worker sleeps and nobody was woken"
        );
    });
}

#[test]
fn worker_refused_by_a_searcher_does_not_miss_its_push() {
    check(4, || {
        let scheduler = Scheduler::new(2);
        assert!(scheduler.idle.start_search());
        let worker = {
            let scheduler = scheduler.clone();
            thread::spawn(move || scheduler.run_dry(0))
        };
        // Worker 1 has found work, runs it, and that pushes more. While it searched, worker 0 may
        // have been refused; it sleeps without having searched.
        let _ = scheduler.idle.stop_search();
        let woken = scheduler.push();
        let asleep = worker.join().unwrap();
        assert!(!asleep || woken == Some(0) || scheduler.work.load(Relaxed) == 0);
    });
}

#[test]
fn last_searcher_to_stop_sees_what_was_left_to_it() {
    check(4, || {
        let scheduler = Scheduler::new(3);
        let _ = scheduler.idle.sleep(2, false);
        assert!(scheduler.idle.start_search());
        // Worker 0 searches, and stops with work it had found before this push.
        let searcher = {
            let scheduler = scheduler.clone();
            thread::spawn(move || {
                let last = scheduler.idle.stop_search();
                let more = last && scheduler.work.load(Relaxed) > 0;
                if more { scheduler.idle.wake_one() } else { None }
            })
        };
        let woken = scheduler.push();
        assert_eq!(woken.or(searcher.join().unwrap()), Some(2));
    });
}

#[test]
fn of_two_pushers_one_wakes() {
    check(3, || {
        let scheduler = Scheduler::new(2);
        let _ = scheduler.idle.sleep(0, false);
        let _ = scheduler.idle.sleep(1, false);
        let other = {
            let scheduler = scheduler.clone();
            thread::spawn(move || scheduler.push())
        };
        let woken = [scheduler.push(), other.join().unwrap()];
        // The first wakes one worker, which searches, so the second has no reason to.
        assert_eq!(woken.iter().flatten().count(), 1);
        assert_eq!((scheduler.idle.searching(), scheduler.idle.sleepers()), (1, 1));
    });
}

#[test]
fn leaving_and_waking_agree() {
    loom::model(|| {
        let scheduler = Scheduler::new(1);
        let _ = scheduler.idle.sleep(0, false);
        let waker = {
            let scheduler = scheduler.clone();
            thread::spawn(move || scheduler.push())
        };
        let left = scheduler.idle.leave(0);
        let woken = waker.join().unwrap();
        assert_eq!(woken.is_some(), !left);
        assert_eq!(scheduler.idle.sleepers(), 0);
        assert_eq!(scheduler.idle.searching(), u32::from(!left));
    });
}
