//! What Go's tests ask of its scheduler, asked of this one: cases of `runtime/proc_test.go`,
//! `sync` and `time`, written anew. Each names the test it answers to.

mod util;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use util::{everywhere, here, in_child, scaled, tcp_pair, threads};

/// Yields until a coroutine that was spawned later has delivered.
fn progress(yield_now: fn()) {
    let (tell, told) = mpsc::channel();
    let other = lisle::spawn(move || tell.send(true).unwrap());
    while told.try_recv().is_err() {
        yield_now();
    }
    other.join().unwrap();
}

#[test]
fn yield_progress() {
    everywhere(|| progress(lisle::yield_now));
}

#[test]
fn yield_locked_progress() {
    everywhere(|| {
        let _pinned = lisle::pin_to_os_thread();
        progress(lisle::yield_now);
        progress(thread::yield_now);
    });
}

#[test]
fn yield_locked() {
    everywhere(|| {
        let one = lisle::spawn(|| {
            let _pinned = lisle::pin_to_os_thread();
            for _ in 0..10 {
                lisle::yield_now();
                thread::sleep(Duration::from_millis(1));
            }
            // The guard drops as the coroutine ends.
        });
        one.join().unwrap();
    });
}

#[test]
fn block_locked() {
    everywhere(|| {
        let (tell, told) = mpsc::sync_channel(0);
        let other = lisle::spawn(move || {
            let _pinned = lisle::pin_to_os_thread();
            (0..10).for_each(|item| tell.send(item).unwrap());
        });
        assert!(told.into_iter().eq(0..10));
        other.join().unwrap();
    });
}

/// As many coroutines as workers take turns without ever yielding: all must be running at once.
fn parallelism(workers: usize) {
    let turns = 20;
    let turn = Arc::new(AtomicUsize::new(0));
    let all: Vec<_> = (0..workers)
        .map(|own| {
            let turn = Arc::clone(&turn);
            lisle::spawn(move || {
                for round in 0..turns {
                    while turn.load(Ordering::Acquire) != round * workers + own {
                        std::hint::spin_loop();
                    }
                    turn.fetch_add(1, Ordering::Release);
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(turn.load(Ordering::Relaxed), turns * workers);
}

#[test]
fn goroutine_parallelism() {
    for workers in [2, 3] {
        // The limit of the child covers machines with fewer CPUs, where the OS takes turns too.
        let setting = workers.to_string();
        let ended = in_child(&[("LISLE_WORKERS", &setting)], || {
            let workers = std::env::var("LISLE_WORKERS").unwrap().parse().unwrap();
            here(move || {
                for _ in 0..5 {
                    parallelism(workers);
                }
                // Also with somebody waiting in the poller (GoroutineParallelism2).
                let (mut ours, theirs) = tcp_pair();
                let waits = lisle::spawn(move || ours.read(&mut [0; 1]).unwrap());
                parallelism(workers);
                drop(theirs);
                assert_eq!(waits.join().unwrap(), 0);
            });
        });
        ended.expect_return();
    }
}

/// Starts two coroutines that play until `stop` is set.
fn play_over_channels(stop: &Arc<AtomicBool>) -> [lisle::JoinHandle<usize>; 2] {
    let (serve, served) = mpsc::sync_channel(0);
    let (reply, replied) = mpsc::sync_channel(0);
    let stop = Arc::clone(stop);
    let one = lisle::spawn(move || {
        let mut rounds = 0;
        while !stop.load(Ordering::Relaxed) {
            serve.send(()).unwrap();
            replied.recv().unwrap();
            rounds += 1;
        }
        rounds
    });
    let other = lisle::spawn(move || served.into_iter().map(|()| reply.send(()).unwrap()).count());
    [one, other]
}

#[test]
fn timer_fairness() {
    everywhere(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let players = play_over_channels(&stop);
        for _ in 0..5 {
            lisle::spawn(|| thread::sleep(Duration::from_millis(20))).join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        let [one, other] = players.map(|player| player.join().unwrap());
        assert_eq!(one, other);
    });
}

#[test]
fn timer_fairness_2() {
    everywhere(|| {
        // The pair plays over a socket, so that the poller is kept busy too.
        let (mut ours, mut theirs) = tcp_pair();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let one = lisle::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                ours.write_all(b"x").unwrap();
                ours.read_exact(&mut [0; 1]).unwrap();
            }
        });
        let other = lisle::spawn(move || {
            while theirs.read(&mut [0; 1]).unwrap() == 1 {
                theirs.write_all(b"y").unwrap();
            }
        });
        for _ in 0..5 {
            lisle::spawn(|| thread::sleep(Duration::from_millis(20))).join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        one.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn ping_pong_hog() {
    everywhere(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let pairs = [play_over_channels(&stop), play_over_channels(&stop)];
        thread::sleep(Duration::from_millis(100));
        stop.store(true, Ordering::Relaxed);
        let rounds = pairs.map(|pair| pair.map(|player| player.join().unwrap())[0]);
        // Which of two pairs of OS threads gets more is the kernel's affair.
        if !threads() {
            let (less, more) = (rounds[0].min(rounds[1]), rounds[0].max(rounds[1]));
            assert!(more / 20 <= less, "one pair played {less} rounds, the other {more}");
        }
    });
}

#[test]
fn netpoll_break() {
    everywhere(|| {
        // Whoever sleeps in the poller until a distant deadline is woken by news from outside.
        for _ in 0..20 {
            let far = lisle::spawn(|| lisle::park_timeout(Duration::from_secs(600)));
            let (tell, told) = mpsc::channel();
            let waits = lisle::spawn(move || told.recv().unwrap());
            let teller = thread::spawn(move || {
                thread::sleep(Duration::from_millis(1));
                tell.send(Instant::now()).unwrap();
            });
            assert!(waits.join().unwrap().elapsed() < Duration::from_secs(10));
            teller.join().unwrap();
            far.coroutine().unpark();
            far.join().unwrap();
        }
    });
}

#[test]
fn sleep_zero_deadlock() {
    everywhere(|| {
        let all: Vec<_> = (0..100)
            .map(|_| {
                lisle::spawn(|| {
                    for _ in 0..50 {
                        thread::sleep(Duration::ZERO);
                        lisle::spawn(|| ()).join().unwrap();
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn mutex_fairness() {
    everywhere(|| {
        // One holds the lock most of the time; the other gets it all the same.
        let (lock, stop) = (Arc::new(Mutex::new(0_u64)), Arc::new(AtomicBool::new(false)));
        let (theirs, stopped) = (Arc::clone(&lock), Arc::clone(&stop));
        let hog = lisle::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let mut count = theirs.lock().unwrap();
                *count += 1;
                thread::sleep(Duration::from_micros(100));
                drop(count);
                lisle::yield_now();
            }
        });
        for _ in 0..10 {
            thread::sleep(Duration::from_micros(100));
            *lock.lock().unwrap() += 1;
        }
        stop.store(true, Ordering::Relaxed);
        hog.join().unwrap();
    });
}

#[test]
fn cond_signal_stealing() {
    everywhere(|| {
        for _ in 0..50 {
            let shared = Arc::new((Mutex::new(0), Condvar::new()));
            let theirs = Arc::clone(&shared);
            // Waits for any change.
            let one = lisle::spawn(move || {
                let count = theirs.0.lock().unwrap();
                drop(theirs.1.wait_while(count, |count| *count == 0).unwrap());
            });
            let theirs = Arc::clone(&shared);
            let other = lisle::spawn(move || {
                let count = theirs.0.lock().unwrap();
                drop(theirs.1.wait_while(count, |count| *count < 2).unwrap());
            });
            for _ in 0..2 {
                *shared.0.lock().unwrap() += 1;
                shared.1.notify_all();
                lisle::yield_now();
            }
            one.join().unwrap();
            other.join().unwrap();
        }
    });
}

#[test]
fn stress_of_sleeping_spawning_and_joining() {
    everywhere(|| {
        let live = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..scaled(400, 60))
            .map(|own| {
                let live = Arc::clone(&live);
                lisle::spawn(move || {
                    for round in 0..10 {
                        thread::sleep(Duration::from_micros((own as u64 * 7 + round * 13) % 100));
                        live.fetch_add(1, Ordering::Relaxed);
                        let theirs = Arc::clone(&live);
                        let inner = lisle::spawn(move || {
                            lisle::yield_now();
                            theirs.fetch_sub(1, Ordering::Relaxed);
                        });
                        inner.join().unwrap();
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(live.load(Ordering::Relaxed), 0);
    });
}
