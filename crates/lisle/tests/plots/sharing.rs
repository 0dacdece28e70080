//! Plots whose actors share something: a lock, a turn, a place to meet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock, mpsc};
use std::time::Duration;

use super::{cast, dally, join_all};
use crate::util::Random;

pub(crate) fn mutex(mut random: Random) {
    let (actors, rounds) = (1 + random.below(10), random.below(30));
    let count = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&count);
    let all = cast(&mut random, actors, move |_, mut random| {
        for _ in 0..rounds {
            let mut count = theirs.lock().unwrap();
            let seen = *count;
            dally(&mut random);
            *count = seen + 1;
        }
    });
    join_all(&mut random, all);
    assert_eq!(*count.lock().unwrap(), actors * rounds);
}

pub(crate) fn rwlock(mut random: Random) {
    let lock = Arc::new(RwLock::new((0_usize, 0_usize)));
    let theirs = Arc::clone(&lock);
    let actors = 2 + random.below(8);
    let all = cast(&mut random, actors, move |_, mut random| {
        let mut writes = 0;
        for _ in 0..20 {
            if random.below(3) == 0 {
                let mut pair = theirs.write().unwrap();
                pair.0 += 1;
                dally(&mut random);
                pair.1 += 1;
                writes += 1;
            } else {
                let pair = theirs.read().unwrap();
                dally(&mut random);
                assert_eq!(pair.0, pair.1);
            }
        }
        writes
    });
    let writes: usize = join_all(&mut random, all).into_iter().sum();
    assert_eq!(*lock.read().unwrap(), (writes, writes));
}

pub(crate) fn turns(mut random: Random) {
    let (actors, rounds) = (1 + random.below(6), random.below(20));
    let shared = Arc::new((Mutex::new(0), Condvar::new()));
    let theirs = Arc::clone(&shared);
    let all = cast(&mut random, actors, move |own, mut random| {
        for round in 0..rounds {
            let mut turn = theirs.0.lock().unwrap();
            while *turn != round * actors + own {
                // With or without a timeout, which changes nothing.
                turn = match random.below(3) {
                    0 => theirs.1.wait_timeout(turn, Duration::from_micros(200)).unwrap().0,
                    _ => theirs.1.wait(turn).unwrap(),
                };
            }
            *turn += 1;
            theirs.1.notify_all();
            drop(turn);
            dally(&mut random);
        }
    });
    join_all(&mut random, all);
    assert_eq!(*shared.0.lock().unwrap(), actors * rounds);
}

pub(crate) fn gate(mut random: Random) {
    let (actors, rounds) = (1 + random.below(10), 1 + random.below(5));
    let (barrier, arrived) = (Arc::new(Barrier::new(actors)), Arc::new(AtomicUsize::new(0)));
    let all = cast(&mut random, actors, move |_, mut random| {
        let mut led = 0;
        for round in 1..=rounds {
            dally(&mut random);
            arrived.fetch_add(1, Ordering::Relaxed);
            led += usize::from(barrier.wait().is_leader());
            assert!(arrived.load(Ordering::Relaxed) >= round * actors);
        }
        led
    });
    assert_eq!(join_all(&mut random, all).into_iter().sum::<usize>(), rounds);
}

pub(crate) fn baton(mut random: Random) {
    let (runners, rounds) = (2 + random.below(6), random.below(15));
    let turn = Arc::new(AtomicUsize::new(0));
    let (start, started): (Vec<_>, Vec<_>) =
        (0..runners).map(|_| mpsc::channel::<lisle::Coroutine>()).unzip();
    let ring: Vec<_> = started
        .into_iter()
        .enumerate()
        .map(|(own, started)| {
            let (turn, mut random) = (Arc::clone(&turn), random.fork());
            lisle::spawn(move || {
                let next = started.recv().unwrap();
                for round in 0..rounds {
                    while turn.load(Ordering::Acquire) != round * runners + own {
                        lisle::park();
                    }
                    turn.fetch_add(1, Ordering::Release);
                    next.unpark();
                    // May eat a token: whoever waits looks before it parks.
                    dally(&mut random);
                }
            })
        })
        .collect();
    for (own, start) in start.iter().enumerate() {
        start.send(ring[(own + 1) % runners].coroutine().clone()).unwrap();
    }
    ring.into_iter().for_each(|runner| runner.join().unwrap());
    assert_eq!(turn.load(Ordering::Relaxed), runners * rounds);
}
