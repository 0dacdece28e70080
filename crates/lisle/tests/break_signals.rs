//! Storms of signals, to the process and to single coroutines, while many coroutines lock, wait
//! with deadlines, read and write, change what they block, spawn, fork and end. The handlers post
//! semaphores, write to pipes and send further signals.

mod util;

use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use libc::{SIG_BLOCK, SIG_UNBLOCK, SIGUSR1, SIGUSR2, c_int};
use util::c_locks::{
    Condition, Mutex, ReadWrite, Semaphore, Trait, condition, moment, mutex, read_write, semaphore,
};
use util::signal::{install, kill_process, mask};
use util::{Actor, Random, alone_in_child, scaled, threads};

static SEMAPHORE: AtomicPtr<libc::sem_t> = AtomicPtr::new(null_mut());
static POSTED: AtomicU64 = AtomicU64::new(0);
static INTO: AtomicI32 = AtomicI32::new(-1);
static HANDLED: AtomicUsize = AtomicUsize::new(0);
/// Threads that live to the end, for handlers to send signals to.
static TARGETS: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];

extern "C" fn posts(_: c_int) {
    let number = HANDLED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: a live semaphore and descriptor. Full pipes are of no interest.
    unsafe {
        let error = *libc::__errno_location();
        if libc::sem_post(SEMAPHORE.load(Ordering::Relaxed)) == 0 {
            POSTED.fetch_add(1, Ordering::Relaxed);
        }
        libc::write(INTO.load(Ordering::Relaxed), [0_u8].as_ptr().cast(), 1);
        let target = TARGETS[number % TARGETS.len()].load(Ordering::Relaxed);
        if target != 0 && number.is_multiple_of(3) {
            libc::pthread_kill(target, SIGUSR2);
        }
        *libc::__errno_location() = error;
    }
}

extern "C" fn counts(_: c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

struct Things {
    mutex: Box<Mutex>,
    condition: Box<Condition>,
    lock: Box<ReadWrite>,
    semaphore: Box<Semaphore>,
    /// Changed under the mutex, and under the lock; and how often that should be.
    counts: [AtomicU64; 2],
    right: [AtomicU64; 2],
    stop: AtomicBool,
}

fn soon(random: &mut Random) -> libc::timespec {
    let span = Duration::from_micros(random.below(800) as u64);
    moment(libc::CLOCK_REALTIME, span, random.below(8) == 0)
}

impl Things {
    fn count(&self, which: usize) {
        let count = &self.counts[which];
        let seen = count.load(Ordering::Relaxed);
        lisle::yield_now();
        count.store(seen + 1, Ordering::Relaxed);
        self.right[which].fetch_add(1, Ordering::Relaxed);
    }

    fn locks(&self, random: &mut Random) {
        let mutex = self.mutex.get();
        // SAFETY: live objects throughout.
        unsafe {
            if random.below(2) == 0 {
                assert_eq!(libc::pthread_mutex_lock(mutex), 0);
            } else if libc::pthread_mutex_timedlock(mutex, &soon(random)) != 0 {
                return;
            }
            match random.below(4) {
                0 => {
                    let time = soon(random);
                    libc::pthread_cond_timedwait(self.condition.get(), mutex, &time);
                }
                1 => assert_eq!(libc::pthread_cond_broadcast(self.condition.get()), 0),
                _ => assert_eq!(libc::pthread_cond_signal(self.condition.get()), 0),
            }
            self.count(0);
            assert_eq!(libc::pthread_mutex_unlock(mutex), 0);
        }
    }

    fn reads_or_writes(&self, random: &mut Random) {
        let lock = self.lock.get();
        // SAFETY: a live lock.
        unsafe {
            if random.below(3) == 0 {
                assert_eq!(libc::pthread_rwlock_wrlock(lock), 0);
                self.count(1);
            } else {
                assert_eq!(libc::pthread_rwlock_rdlock(lock), 0);
                lisle::yield_now();
            }
            assert_eq!(libc::pthread_rwlock_unlock(lock), 0);
        }
    }

    /// How many it took.
    fn takes(&self, random: &mut Random) -> u64 {
        // SAFETY: a live semaphore.
        let result = unsafe { libc::sem_timedwait(self.semaphore.get(), &soon(random)) };
        u64::from(result == 0)
    }
}

fn transfers(random: &mut Random) {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(Duration::from_micros(1 + random.below(500) as u64))).unwrap();
    if random.below(2) == 0 {
        std::io::Write::write_all(&mut theirs, b"some text").unwrap();
    }
    let mut text = [0; 9];
    // Times out if nothing was written.
    drop(std::io::Read::read_exact(&mut ours, &mut text));
}

fn forks() {
    // SAFETY: the child makes one system call.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::_exit(7);
        }
        let mut status = 0;
        while libc::waitpid(pid, &raw mut status, 0) == -1 {
            assert_eq!(*libc::__errno_location(), libc::EINTR);
        }
        assert_eq!(status, 0x700);
    }
}

/// One coroutine's doings; returns how often it took from the semaphore.
fn live(things: &Arc<Things>, seed: u64, steps: usize) -> u64 {
    let (mut random, mut taken) = (Random::new(seed), 0);
    for _ in 0..steps {
        match random.below(40) {
            0..10 => things.locks(&mut random),
            10..16 => things.reads_or_writes(&mut random),
            16..24 => taken += things.takes(&mut random),
            24..28 => thread::sleep(Duration::from_micros(random.below(300) as u64)),
            28..31 => transfers(&mut random),
            31..34 => {
                mask(SIG_BLOCK, &[SIGUSR1, 44]);
                lisle::yield_now();
                mask(SIG_UNBLOCK, &[SIGUSR1, 44]);
            }
            34..36 => {
                let (theirs, seed) = (Arc::clone(things), random.below(1 << 20) as u64);
                taken += lisle::spawn(move || live(&theirs, seed, 2)).join().unwrap();
            }
            // SAFETY: a plain call.
            36 => assert_eq!(unsafe { libc::raise(SIGUSR1) }, 0),
            37 => lisle::blocking(|| thread::sleep(Duration::from_micros(100))),
            38 if random.below(8) == 0 => forks(),
            39 if random.below(16) == 0 => {
                assert!(Command::new("true").status().unwrap().success());
            }
            _ => lisle::yield_now(),
        }
    }
    taken
}

/// Coroutines to which signals are sent; they end when they are told to.
fn targets(things: &Arc<Things>) -> Vec<lisle::JoinHandle<u64>> {
    (0..TARGETS.len())
        .map(|own| {
            let things = Arc::clone(things);
            lisle::spawn(move || {
                // SAFETY: a plain call.
                TARGETS[own].store(unsafe { libc::pthread_self() }, Ordering::Relaxed);
                let (mut round, mut taken) = (0, 0);
                while !things.stop.load(Ordering::Relaxed) {
                    taken += live(&things, (own as u64) << 32 | round, 1);
                    round += 1;
                }
                taken
            })
        })
        .collect()
}

/// A coroutine and an OS thread that send signals.
fn senders(things: &Arc<Things>) -> Vec<Actor<()>> {
    (0..2)
        .map(|own| {
            let things = Arc::clone(things);
            let body = move || {
                let mut random = Random::new(own);
                while !things.stop.load(Ordering::Relaxed) {
                    match random.below(3) {
                        0 => {
                            let target = &TARGETS[random.below(TARGETS.len())];
                            let target = target.load(Ordering::Relaxed);
                            if target != 0 {
                                // Too many may be waiting.
                                // SAFETY: it lives to the end.
                                unsafe { libc::pthread_kill(target, 44) };
                            }
                        }
                        _ => kill_process(SIGUSR1),
                    }
                    thread::sleep(Duration::from_micros(random.below(150) as u64));
                }
            };
            Actor::spawn(own as usize, body)
        })
        .collect()
}

fn storm(count: usize, steps: usize) {
    let things = Arc::new(Things {
        mutex: mutex(libc::PTHREAD_MUTEX_ERRORCHECK, Trait::None),
        condition: condition(libc::CLOCK_REALTIME, 0),
        lock: read_write(2, 0),
        semaphore: semaphore(0, 0),
        counts: [const { AtomicU64::new(0) }; 2],
        right: [const { AtomicU64::new(0) }; 2],
        stop: AtomicBool::new(false),
    });
    SEMAPHORE.store(things.semaphore.get(), Ordering::Relaxed);
    let (from, into) = UnixStream::pair().unwrap();
    into.set_nonblocking(true).unwrap();
    INTO.store(into.into_raw_fd(), Ordering::Relaxed);
    install(SIGUSR1, posts, libc::SA_RESTART);
    install(SIGUSR2, counts, libc::SA_RESTART);
    install(44, counts, libc::SA_RESTART);
    let targets = targets(&things);
    let senders = senders(&things);
    let drain = {
        let things = Arc::clone(&things);
        lisle::spawn(move || {
            from.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            while !things.stop.load(Ordering::Relaxed) {
                util::recv(from.as_raw_fd(), 64, 0);
            }
        })
    };
    let actors: Vec<_> = (0..count)
        .map(|own| {
            let things = Arc::clone(&things);
            lisle::spawn(move || live(&things, own as u64, steps))
        })
        .collect();
    let mut taken: u64 = actors.into_iter().map(|actor| actor.join().unwrap()).sum();
    things.stop.store(true, Ordering::Relaxed);
    senders.into_iter().for_each(Actor::join);
    taken += targets.into_iter().map(|target| target.join().unwrap()).sum::<u64>();
    drain.join().unwrap();
    // SAFETY: a live semaphore.
    while unsafe { libc::sem_trywait(things.semaphore.get()) } == 0 {
        taken += 1;
    }
    assert_eq!(taken, POSTED.load(Ordering::Relaxed));
    assert!(HANDLED.load(Ordering::Relaxed) > 100, "{}", threads());
    let [counts, right] = [&things.counts, &things.right]
        .map(|numbers| numbers.each_ref().map(|number| number.load(Ordering::Relaxed)));
    assert_eq!(counts, right);
    assert!(counts.iter().all(|count| *count > 10));
}

#[test]
fn everybody_goes_on_in_a_storm() {
    for workers in ["1", "2", "8"] {
        alone_in_child(&[("LISLE_WORKERS", workers)], || storm(scaled(1000, 60), 20));
    }
}
