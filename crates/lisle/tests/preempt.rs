//! Preemption: whoever computes gives way.

mod util;

use std::arch::asm;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use util::in_child;

/// One worker, and the default slice.
const ONE: &[(&str, &str)] = &[("LISLE_WORKERS", "1")];

/// Does nothing for ever, without a call or a look at memory.
fn nothing() -> ! {
    loop {
        std::hint::black_box(());
    }
}

#[test]
fn an_empty_loop_gives_way() {
    in_child(ONE, || {
        lisle::spawn(|| nothing());
        // SAFETY: jumps to itself.
        lisle::spawn(|| unsafe { asm!("2: jmp 2b", options(noreturn, nomem, nostack)) });
        let others: Vec<_> = (0..10).map(|i| lisle::spawn(move || i)).collect();
        let sum: i32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(sum, 45);
        let coroutines = lisle::runtime::mode() == lisle::runtime::Mode::Coroutines;
        assert_eq!(lisle::runtime::metrics().preemptions > 0, coroutines);
    })
    .expect_return();
}

#[test]
fn sleepers_wake_in_time_beside_empty_loops() {
    in_child(ONE, || {
        for _ in 0..4 {
            lisle::spawn(|| nothing());
        }
        let late = lisle::spawn(|| {
            let mut late: Vec<_> = (0..100)
                .map(|_| {
                    let begun = Instant::now();
                    lisle::sleep(Duration::from_millis(1));
                    begun.elapsed()
                })
                .collect();
            late.sort();
            late
        })
        .join()
        .unwrap();
        println!("median {:?}, 99% {:?}, most {:?}", late[50], late[98], late[99]);
        assert!(util::threads() || late[50] < Duration::from_millis(20), "{:?}", late[50]);
    })
    .expect_return();
}

#[test]
fn those_who_compute_advance_evenly() {
    in_child(ONE, || {
        const MANY: usize = 64;
        let counts: Arc<Vec<AtomicU64>> = Arc::new((0..MANY).map(|_| AtomicU64::new(0)).collect());
        let stop = Arc::new(AtomicBool::new(false));
        let all: Vec<_> = (0..MANY)
            .map(|i| {
                let (counts, stop) = (Arc::clone(&counts), Arc::clone(&stop));
                lisle::spawn(move || {
                    while !stop.load(Relaxed) {
                        counts[i].fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        lisle::sleep(Duration::from_millis(6500));
        stop.store(true, Relaxed);
        all.into_iter().for_each(|one| one.join().unwrap());
        let mut counts: Vec<_> = counts.iter().map(|count| count.load(Relaxed)).collect();
        counts.sort_unstable();
        let (few, many) = (counts[MANY / 10], counts[MANY - 1 - MANY / 10]);
        println!("{few} to {many}, {} preemptions", lisle::runtime::metrics().preemptions);
        // A busy machine may hold up the monitor, and make a few turns long. How even OS threads
        // are is the kernel's business.
        let enough = counts[0] > 0 && (util::threads() || few * 4 > many);
        assert!(enough, "{counts:?}");
    })
    .expect_return();
}

#[test]
fn who_computes_gets_on_beside_those_that_are_always_ready() {
    in_child(ONE, || {
        let stop = Arc::new(AtomicBool::new(false));
        // More to do than there is time: each wakes the next, and some are always runnable.
        let short: Vec<_> = (0..8)
            .map(|_| {
                let stop = Arc::clone(&stop);
                lisle::spawn(move || {
                    let mut turns = 0_u64;
                    while !stop.load(Relaxed) {
                        lisle::spawn(|| ()).join().unwrap();
                        lisle::yield_now();
                        turns += 1;
                    }
                    turns
                })
            })
            .collect();
        let long: Vec<_> = (0..2)
            .map(|_| {
                lisle::spawn(|| {
                    let begin = Instant::now();
                    (0..30_000_000_u64).for_each(|n| _ = std::hint::black_box(n));
                    begin.elapsed()
                })
            })
            .collect();
        let took: Vec<_> = long.into_iter().map(|one| one.join().unwrap()).collect();
        stop.store(true, Relaxed);
        let turns: Vec<_> = short.into_iter().map(|one| one.join().unwrap()).collect();
        println!("those that compute took {took:?}, the others had {turns:?} turns");
        assert!(turns.iter().all(|&turns| turns > 100), "{turns:?}");
    })
    .expect_return();
}
