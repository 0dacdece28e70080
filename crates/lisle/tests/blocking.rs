//! [`lisle::blocking`], [`lisle::pin_to_os_thread`], and waits for OS threads and resolvers.

mod util;

use std::io::{Read, Write};
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use util::{everywhere, in_child, mixed, tcp_pair, threads};

/// Which OS thread this is, as the kernel counts them.
fn os_thread() -> i64 {
    // SAFETY: a plain system call without arguments.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

/// Keeps the CPU, in a way that no hook can see, until `done`.
fn spin_until(done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        std::hint::spin_loop();
    }
}

#[test]
fn blocking_returns_the_value() {
    assert_eq!(lisle::blocking(|| 5), 5);
    everywhere(|| {
        let borrowed = String::from("borrowed");
        assert_eq!(lisle::blocking(|| borrowed.len()), 8);
        assert_eq!(lisle::blocking(|| lisle::blocking(|| 7) + 1), 8);
    });
}

#[test]
fn blocking_propagates_panics() {
    everywhere(|| {
        let panics = lisle::spawn(|| lisle::blocking(|| panic!("on purpose")));
        let payload = panics.join().unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
        let caught = std::panic::catch_unwind(|| lisle::blocking(|| panic!("on purpose")));
        assert!(caught.is_err() && !thread::panicking());
        assert_eq!(lisle::spawn(|| 1).join().unwrap(), 1);
    });
}

#[test]
fn others_run_while_one_blocks() {
    everywhere(|| {
        let done = Arc::new(AtomicBool::new(false));
        let (theirs, (tell, told)) = (Arc::clone(&done), mpsc::channel());
        let blocks = lisle::spawn(move || {
            lisle::blocking(|| {
                tell.send(()).unwrap();
                spin_until(&theirs);
            });
        });
        told.recv().unwrap();
        let frees = lisle::spawn(move || {
            lisle::yield_now();
            done.store(true, Ordering::Release);
        });
        frees.join().unwrap();
        blocks.join().unwrap();
    });
}

#[test]
fn several_block_at_once() {
    everywhere(|| {
        let (all, arrived) = (8, Arc::new(AtomicUsize::new(0)));
        let handles: Vec<_> = (0..all)
            .map(|_| {
                let arrived = Arc::clone(&arrived);
                lisle::spawn(move || {
                    lisle::blocking(|| {
                        arrived.fetch_add(1, Ordering::AcqRel);
                        // Nobody leaves before all have come. The OS shares its CPUs meanwhile.
                        while arrived.load(Ordering::Acquire) < all {
                            std::hint::spin_loop();
                        }
                    });
                })
            })
            .collect();
        handles.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn carriers_are_bounded() {
    in_child(&[("LISLE_MAX_CARRIERS", "2")], || {
        static INSIDE: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let block = || {
            lisle::blocking(|| {
                MOST.fetch_max(INSIDE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(20));
                INSIDE.fetch_sub(1, Ordering::SeqCst);
            });
        };
        let several: Vec<_> = (0..8).map(|_| lisle::spawn(block)).collect();
        several.into_iter().for_each(|one| one.join().unwrap());
        let bound = if threads() { 8 } else { 2 };
        assert!((1..=bound).contains(&MOST.load(Ordering::SeqCst)));
    })
    .expect_return();
}

#[test]
fn blocking_keeps_the_identity() {
    thread_local!(static OWN: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
    everywhere(|| {
        mixed(20, |own| {
            OWN.set(own as u32 + 1);
            let outside = (thread::current().id(), lisle::current().id());
            lisle::blocking(|| {
                assert_eq!((thread::current().id(), lisle::current().id()), outside);
                assert_eq!(OWN.get(), own as u32 + 1);
                OWN.set(77);
            });
            assert_eq!(OWN.get(), 77);
        });
    });
}

/// All the ways to wait, each of which would let another worker take a coroutine that may move.
fn wait_in_every_way() {
    lisle::yield_now();
    thread::yield_now();
    lisle::sleep(Duration::from_micros(50));
    thread::sleep(Duration::from_micros(50));
    lisle::park_timeout(Duration::from_micros(50));
    lisle::spawn(lisle::yield_now).join().unwrap();
    let (tell, told) = mpsc::sync_channel(0);
    let sender = lisle::spawn(move || tell.send(1).unwrap());
    told.recv().unwrap();
    sender.join().unwrap();
    let (mut ours, mut theirs) = tcp_pair();
    let writer = lisle::spawn(move || theirs.write_all(b"x").unwrap());
    ours.read_exact(&mut [0; 1]).unwrap();
    writer.join().unwrap();
}

#[test]
fn a_pinned_coroutine_stays_on_its_os_thread() {
    everywhere(|| {
        let all: Vec<_> = (0..10)
            .map(|_| {
                lisle::spawn(|| {
                    let pinned = lisle::pin_to_os_thread();
                    let home = os_thread();
                    for _ in 0..5 {
                        wait_in_every_way();
                        assert_eq!(os_thread(), home);
                    }
                    drop(pinned);
                    wait_in_every_way();
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn pins_nest() {
    everywhere(|| {
        let nests = || {
            let first = lisle::pin_to_os_thread();
            let home = os_thread();
            let second = lisle::pin_to_os_thread();
            let third = lisle::pin_to_os_thread();
            drop(first);
            wait_in_every_way();
            assert_eq!(os_thread(), home);
            drop(third);
            wait_in_every_way();
            assert_eq!(os_thread(), home);
            drop(second);
            wait_in_every_way();
        };
        [0; 4].map(|_| lisle::spawn(nests)).into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn pinned_coroutines_have_os_threads_of_their_own() {
    everywhere(|| {
        let seen = Arc::new(Mutex::new(std::collections::HashSet::new()));
        let theirs = Arc::clone(&seen);
        let pinned = move || {
            let _pinned = lisle::pin_to_os_thread();
            theirs.lock().unwrap().insert(os_thread());
            // All are pinned at the same time.
            while theirs.lock().unwrap().len() < 5 {
                lisle::sleep(Duration::from_micros(100));
            }
        };
        let all = [0; 5].map(|_| lisle::spawn(pinned.clone()));
        all.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(seen.lock().unwrap().len(), 5);
    });
}

#[test]
fn others_run_while_a_pinned_one_waits() {
    everywhere(|| {
        let (mut ours, mut theirs) = tcp_pair();
        let (tell, told) = mpsc::channel();
        let pinned = lisle::spawn(move || {
            let _pinned = lisle::pin_to_os_thread();
            tell.send(()).unwrap();
            ours.read(&mut [0; 1]).unwrap()
        });
        told.recv().unwrap();
        lisle::spawn(move || theirs.write_all(b"x").unwrap()).join().unwrap();
        assert_eq!(pinned.join().unwrap(), 1);
    });
}

#[test]
fn a_coroutine_that_ends_pinned_does_no_harm() {
    everywhere(|| {
        for _ in 0..20 {
            let one = lisle::spawn(|| {
                std::mem::forget(lisle::pin_to_os_thread());
                lisle::yield_now();
            });
            one.join().unwrap();
        }
        let all: Vec<_> = (0..50).map(|i| lisle::spawn(move || i)).collect();
        assert_eq!(all.into_iter().map(|one| one.join().unwrap()).sum::<u32>(), 49 * 25);
    });
}

#[test]
fn blocking_while_pinned_and_pinning_while_blocking() {
    everywhere(|| {
        let one = lisle::spawn(|| {
            let _pinned = lisle::pin_to_os_thread();
            let home = os_thread();
            lisle::blocking(|| thread::sleep(Duration::from_millis(1)));
            assert_eq!(os_thread(), home);
        });
        one.join().unwrap();
        let one = lisle::spawn(|| lisle::blocking(|| drop(lisle::pin_to_os_thread())));
        one.join().unwrap();
    });
}

#[test]
fn os_threads_may_pin_themselves() {
    let _pinned = lisle::pin_to_os_thread();
    assert_eq!(lisle::spawn(|| 1).join().unwrap(), 1);
}

#[test]
fn joining_an_os_thread_lets_others_run() {
    everywhere(|| {
        let (frees, joiners): (Vec<_>, Vec<_>) = (0..20)
            .map(|own| {
                let (tell, told) = mpsc::channel();
                let thread = thread::spawn(move || told.recv().unwrap());
                (tell, lisle::spawn(move || (thread.join().unwrap(), own)))
            })
            .unzip();
        lisle::yield_now();
        // The threads end because this coroutine runs although the others wait for them.
        for (own, tell) in frees.into_iter().enumerate().rev() {
            tell.send(own).unwrap();
        }
        for joiner in joiners {
            let (told, own) = joiner.join().unwrap();
            assert_eq!(told, own);
        }
    });
}

#[test]
fn os_thread_scopes_work_inside() {
    everywhere(|| {
        let (tell, told) = mpsc::channel();
        let teller = lisle::spawn(move || tell.send(20).unwrap());
        let sum = thread::scope(|s| {
            let one = s.spawn(|| 1);
            let other = s.spawn(move || told.recv().unwrap());
            one.join().unwrap() + other.join().unwrap()
        });
        assert_eq!(sum, 21);
        teller.join().unwrap();
    });
}

#[test]
fn names_are_resolved_at_once() {
    everywhere(|| {
        let all = mixed(20, |_| ("localhost", 80).to_socket_addrs().unwrap().collect::<Vec<_>>());
        for found in all {
            assert!(found.iter().any(|address| IpAddr::is_loopback(&address.ip())));
        }
    });
}
