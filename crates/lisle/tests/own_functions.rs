//! Lisle's own functions suspend on a single worker, also in programs built without the hooks:
//! nothing here waits in any other way.

mod util;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use util::in_child;

#[test]
fn yielding_sleeping_and_joining() {
    in_child(&[("LISLE_WORKERS", "1")], || {
        let turn = Arc::new(AtomicU32::new(0));
        let players: Vec<_> = (0..3)
            .map(|own| {
                let turn = Arc::clone(&turn);
                lisle::spawn(move || {
                    for round in 0..100 {
                        while turn.load(Ordering::Acquire) != round * 3 + own {
                            lisle::yield_now();
                        }
                        turn.fetch_add(1, Ordering::AcqRel);
                        lisle::sleep(Duration::from_micros(u64::from(own)));
                    }
                })
            })
            .collect();
        lisle::spawn(|| players.into_iter().for_each(|one| one.join().unwrap())).join().unwrap();
        assert_eq!(turn.load(Ordering::Acquire), 300);
    })
    .expect_return();
}

#[test]
fn parking_and_scopes() {
    in_child(&[("LISLE_WORKERS", "1")], || {
        let count = AtomicU32::new(0);
        lisle::scope(|s| {
            let sleeper = s.spawn(|| {
                while count.load(Ordering::Acquire) < 50 {
                    lisle::park();
                }
            });
            let other = sleeper.coroutine().clone();
            s.spawn(|| {
                let other = other;
                for _ in 0..50 {
                    count.fetch_add(1, Ordering::AcqRel);
                    other.unpark();
                    lisle::yield_now();
                }
            });
            s.spawn(|| lisle::park_timeout(Duration::from_millis(1)));
        });
        assert_eq!(count.load(Ordering::Acquire), 50);
    })
    .expect_return();
}

#[test]
fn blocking_lets_others_run() {
    in_child(&[("LISLE_WORKERS", "1")], || {
        let (ready, seen) = (AtomicU32::new(0), AtomicU32::new(0));
        lisle::scope(|s| {
            s.spawn(|| {
                lisle::blocking(|| {
                    ready.store(1, Ordering::Release);
                    // Ends only if the other runs meanwhile.
                    while seen.load(Ordering::Acquire) == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
            });
            s.spawn(|| {
                while ready.load(Ordering::Acquire) == 0 {
                    lisle::yield_now();
                }
                seen.store(1, Ordering::Release);
            });
        });
    })
    .expect_return();
}
