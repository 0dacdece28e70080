//! Input and output go on while others compute, block, yield or never stop receiving.

mod util;

use std::cell::UnsafeCell;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use util::{in_child, on_workers, tcp_pair};

/// `count` messages there and back on a connection of its own.
fn round_trips(count: usize) {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    let echo = lisle::spawn(move || {
        let mut byte = [0];
        while theirs.read(&mut byte).unwrap() == 1 {
            theirs.write_all(&byte).unwrap();
        }
    });
    for number in 0..count {
        let mut byte = [number as u8];
        ours.write_all(&byte).unwrap();
        ours.read_exact(&mut byte).unwrap();
        assert_eq!(byte[0], number as u8);
    }
    drop(ours);
    echo.join().unwrap();
}

/// A waits on many descriptors, all but one worker is then held by `hold` until it is told that
/// those who waited have gone on. `hold` announces itself first.
fn progress_beside(hold: impl Fn(&AtomicUsize, &AtomicBool) + Clone + Send + 'static) {
    const READERS: usize = 64;
    let (ready, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (held, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut writers = Vec::new();
    let readers: Vec<_> = (0..READERS)
        .map(|own| {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            writers.push(theirs);
            let (ready, seen) = (Arc::clone(&ready), Arc::clone(&seen));
            lisle::spawn(move || {
                // Spread over the workers.
                (0..own % 7).for_each(|_| lisle::yield_now());
                ready.fetch_add(1, Ordering::AcqRel);
                let mut byte = [0];
                // Read, and wait and read: each is a wait of its own.
                for number in 0..20 {
                    ours.read_exact(&mut byte).unwrap();
                    assert_eq!(byte[0], number);
                    ours.write_all(&byte).unwrap();
                }
                seen.fetch_add(1, Ordering::AcqRel);
            })
        })
        .collect();
    util::yield_until(|| ready.load(Ordering::Acquire) == READERS);
    let holders = util::scaled(lisle::runtime::workers() - 1, 3);
    let holders: Vec<_> = (0..holders)
        .map(|_| {
            let (held, done, hold) = (Arc::clone(&held), Arc::clone(&done), hold.clone());
            lisle::spawn(move || hold(&held, &done))
        })
        .collect();
    // From here on an OS thread, which needs no worker.
    let driver = thread::spawn(move || {
        while held.load(Ordering::Acquire) < holders.len() {
            thread::yield_now();
        }
        for number in 0..20 {
            for writer in &mut writers {
                writer.write_all(&[number]).unwrap();
            }
            for writer in &mut writers {
                writer.read_exact(&mut [0; 1]).unwrap();
            }
        }
        while seen.load(Ordering::Acquire) < READERS {
            thread::yield_now();
        }
        done.store(true, Ordering::Release);
        holders
    });
    readers.into_iter().for_each(|one| one.join().unwrap());
    driver.join().unwrap().into_iter().for_each(|one| one.join().unwrap());
}

/// In child processes with several workers; the closure has to come from the test itself.
const SEVERAL: [&str; 2] = ["2", "4"];

#[test]
fn others_go_on_while_some_compute() {
    for workers in SEVERAL {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            let body = || {
                progress_beside(|held, done| {
                    held.fetch_add(1, Ordering::AcqRel);
                    while !done.load(Ordering::Acquire) {
                        std::hint::spin_loop();
                    }
                });
            };
            lisle::spawn(body).join().unwrap();
        });
        ended.expect_return();
    }
}

/// A lock of the C library, which knows nothing of coroutines.
struct CLock(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: the C library's functions are made for sharing it.
unsafe impl Sync for CLock {}

static LOCK: CLock = CLock(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));

impl CLock {
    fn lock(&self) {
        // SAFETY: an initialized lock, never moved.
        assert_eq!(unsafe { libc::pthread_mutex_lock(self.0.get()) }, 0);
    }

    fn unlock(&self) {
        // SAFETY: as above; held by the caller.
        assert_eq!(unsafe { libc::pthread_mutex_unlock(self.0.get()) }, 0);
    }
}

#[test]
fn others_go_on_while_some_wait_for_a_lock_of_c() {
    for workers in SEVERAL {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            let (locked, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            let theirs = (Arc::clone(&locked), Arc::clone(&go));
            let holder = thread::spawn(move || {
                LOCK.lock();
                theirs.0.store(true, Ordering::Release);
                while !theirs.1.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                LOCK.unlock();
            });
            while !locked.load(Ordering::Acquire) {
                thread::yield_now();
            }
            let body = move || {
                let go = Arc::clone(&go);
                // Freed when those who waited have gone on, by an OS thread.
                progress_beside(move |held, done| {
                    let done: &'static AtomicBool =
                        // SAFETY: it outlives the wait, at the end of which it is stored to.
                        unsafe { &*std::ptr::from_ref(done) };
                    let go = Arc::clone(&go);
                    let frees = thread::spawn(move || {
                        while !done.load(Ordering::Acquire) {
                            thread::yield_now();
                        }
                        go.store(true, Ordering::Release);
                    });
                    held.fetch_add(1, Ordering::AcqRel);
                    LOCK.lock();
                    assert!(done.load(Ordering::Acquire));
                    LOCK.unlock();
                    frees.join().unwrap();
                });
            };
            lisle::spawn(body).join().unwrap();
            holder.join().unwrap();
        });
        ended.expect_return();
    }
}

#[test]
fn others_go_on_while_some_block_in_the_kernel() {
    for workers in SEVERAL {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            let body = || {
                progress_beside(|held, done| {
                    let (ours, mut theirs) = UnixStream::pair().unwrap();
                    let frees = {
                        let done: &'static AtomicBool =
                            // SAFETY: as above.
                            unsafe { &*std::ptr::from_ref(done) };
                        thread::spawn(move || {
                            while !done.load(Ordering::Acquire) {
                                thread::yield_now();
                            }
                            theirs.write_all(b"x").unwrap();
                        })
                    };
                    held.fetch_add(1, Ordering::AcqRel);
                    let mut byte = 0_u8;
                    let (fd, place) = (ours.as_raw_fd(), &raw mut byte);
                    // By its number: no hook suspends the coroutine.
                    // SAFETY: a live place of one byte.
                    let got = unsafe { libc::syscall(libc::SYS_read, fd, place, 1) };
                    assert_eq!((got, byte), (1, b'x'));
                    frees.join().unwrap();
                });
            };
            lisle::spawn(body).join().unwrap();
        });
        ended.expect_return();
    }
}

#[test]
fn answers_are_seen_while_somebody_always_runs() {
    on_workers(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..lisle::runtime::workers() * 3)
            .map(|_| {
                let stop = Arc::clone(&stop);
                lisle::spawn(move || {
                    while !stop.load(Ordering::Acquire) {
                        lisle::yield_now();
                    }
                })
            })
            .collect();
        let pairs: Vec<_> = (0..10).map(|_| lisle::spawn(|| round_trips(40))).collect();
        pairs.into_iter().for_each(|one| one.join().unwrap());
        stop.store(true, Ordering::Release);
        busy.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Somebody receives without end what a thread sends without end; others make round trips.
fn beside_a_flood(
    send: impl Fn() -> bool + Send + 'static,
    receive: impl Fn() + Send + 'static,
    close: impl FnOnce(),
) {
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, flooded) = (Arc::clone(&stop), Arc::new(AtomicUsize::new(0)));
    let sender = thread::spawn(move || {
        while !stopped.load(Ordering::Acquire) {
            if !send() {
                break;
            }
        }
    });
    let (stopped, theirs) = (Arc::clone(&stop), Arc::clone(&flooded));
    let receiver = lisle::spawn(move || {
        while !stopped.load(Ordering::Acquire) {
            receive();
            theirs.fetch_add(1, Ordering::Relaxed);
        }
    });
    util::yield_until(|| flooded.load(Ordering::Relaxed) > 100);
    round_trips(50);
    stop.store(true, Ordering::Release);
    close();
    receiver.join().unwrap();
    sender.join().unwrap();
}

#[test]
fn a_flood_of_tcp_starves_nobody() {
    on_workers(|| {
        let (ours, theirs) = tcp_pair();
        let (ours, theirs) = (Arc::new(ours), Arc::new(theirs));
        let (reading, writing) = (Arc::clone(&ours), Arc::clone(&theirs));
        beside_a_flood(
            move || (&*writing).write_all(&[7; 4096]).is_ok(),
            move || assert!((&*reading).read(&mut [0; 64]).is_ok_and(|got| got <= 64)),
            move || {
                let _ = ours.shutdown(std::net::Shutdown::Both);
                let _ = theirs.shutdown(std::net::Shutdown::Both);
            },
        );
    });
}

#[test]
fn a_flood_of_datagrams_starves_nobody() {
    on_workers(|| {
        let [ours, theirs] = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        theirs.connect(ours.local_addr().unwrap()).unwrap();
        let last = theirs.try_clone().unwrap();
        beside_a_flood(
            move || theirs.send(&[7; 16]).is_ok(),
            move || assert_eq!(ours.recv(&mut [0; 16]).unwrap(), 16),
            // Something to receive, so that the receiver sees that it is to stop.
            move || drop(last.send(&[7; 16])),
        );
    });
}

#[test]
fn a_flood_of_a_pipe_starves_nobody() {
    on_workers(|| {
        let (reader, writer) = std::io::pipe().unwrap();
        let writer = Arc::new(writer);
        let writing = Arc::clone(&writer);
        beside_a_flood(
            move || (&*writing).write_all(&[7; 4096]).is_ok(),
            move || assert!((&reader).read(&mut [0; 64]).unwrap() <= 64),
            move || drop((&*writer).write(&[7; 1])),
        );
    });
}
