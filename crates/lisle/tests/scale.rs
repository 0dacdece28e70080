//! Many coroutines: at once, and one wave after another without leaving anything behind.
//!
//! Each case has a process of its own, so that the memory seen is its own.

mod util;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, RwLock, mpsc};

use util::{here, in_child, scaled, yield_until};

/// Memory that this process has resident, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_hundred_thousand_park() {
    let ended = in_child(&[], || {
        here(|| {
            let count = scaled(100_000, 500);
            let (parked, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
            let all: Vec<_> = (0..count)
                .map(|own| {
                    let (parked, done) = (Arc::clone(&parked), Arc::clone(&done));
                    lisle::spawn(move || {
                        parked.fetch_add(1, Ordering::Release);
                        while !done.load(Ordering::Acquire) {
                            lisle::park();
                        }
                        own
                    })
                })
                .collect();
            yield_until(|| parked.load(Ordering::Acquire) == count);
            done.store(true, Ordering::Release);
            all.iter().for_each(|one| one.coroutine().unpark());
            let sum: usize = all.into_iter().map(|one| one.join().unwrap()).sum();
            assert_eq!(sum, count * (count - 1) / 2);
        });
    });
    ended.expect_return();
}

#[test]
fn many_wait_for_one_lock_and_many_sleep() {
    let ended = in_child(&[], || {
        here(|| {
            let count = scaled(20_000, 300);
            let barrier = Arc::new(Barrier::new(count + 1));
            for _ in 0..count {
                let barrier = Arc::clone(&barrier);
                lisle::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    barrier.wait();
                });
            }
            barrier.wait();
        });
    });
    ended.expect_return();
}

/// Spawns a coroutine per item and joins all, by turns in order, in reverse and through a channel.
fn wave(number: usize, count: usize) {
    let (tell, told) = mpsc::channel();
    let run = |own: usize| {
        let tell = tell.clone();
        lisle::spawn(move || {
            if own.is_multiple_of(16) {
                lisle::yield_now();
            }
            // Something on the heap, which another coroutine frees.
            tell.send(Box::new(own)).unwrap();
        })
    };
    let mut all: Vec<_> = (0..count).map(run).collect();
    drop(tell);
    match number % 3 {
        0 => all.into_iter().for_each(|one| one.join().unwrap()),
        1 => all.drain(..).rev().for_each(|one| one.join().unwrap()),
        // Detached; the channel tells of their end.
        _ => drop(all),
    }
    assert_eq!(told.into_iter().map(|own| *own).sum::<usize>(), count * (count - 1) / 2);
}

/// Spawns coroutines that end when all of them exist.
fn all_at_once(count: usize) {
    let gate = Arc::new(RwLock::new(()));
    let shut = gate.write().unwrap();
    let all: Vec<_> = (0..count)
        .map(|_| {
            let gate = Arc::clone(&gate);
            lisle::spawn(move || drop(gate.read().unwrap()))
        })
        .collect();
    drop(shut);
    all.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn a_million_leave_nothing_behind() {
    let ended = in_child(&[], || {
        here(|| {
            let (waves, count) = (scaled(100, 20), scaled(10_000, 250));
            // How many of a wave exist at once is chance; here all of one do.
            all_at_once(count);
            let mut settled = 0;
            for number in 0..waves {
                wave(number, count);
                if number + 1 == waves / 5 {
                    settled = resident();
                }
            }
            let growth = resident().saturating_sub(settled);
            // Some tens of bytes for each of those since.
            assert!(growth < (16 << 20) + settled / 5, "{settled} grew by {growth}");
        });
    });
    ended.expect_return();
}

#[test]
fn a_single_worker_carries_many_too() {
    let ended = in_child(&[("LISLE_WORKERS", "1")], || {
        here(|| (0..scaled(20, 5)).for_each(|number| wave(number, scaled(10_000, 250))));
    });
    ended.expect_return();
}

#[test]
fn deep_use_of_stacks_is_given_back() {
    let ended = in_child(&[], || {
        here(|| {
            #[inline(never)]
            fn touch(kilobytes: usize) -> usize {
                let mut frame = [1_u8; 1024];
                std::hint::black_box(&mut frame);
                if kilobytes == 0 { 0 } else { touch(kilobytes - 1) + usize::from(frame[5]) }
            }
            let wave = || {
                let all: Vec<_> = (0..scaled(1000, 100))
                    .map(|_| lisle::spawn(|| (touch(120), lisle::yield_now())))
                    .collect();
                all.into_iter().for_each(|one| assert_eq!(one.join().unwrap().0, 120));
            };
            (0..5).for_each(|_| wave());
            let settled = resident();
            (0..15).for_each(|_| wave());
            let growth = resident().saturating_sub(settled);
            assert!(growth < (16 << 20) + settled / 5, "{settled} grew by {growth}");
        });
    });
    ended.expect_return();
}
