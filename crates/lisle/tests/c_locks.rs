//! C's mutexes and read-write locks on coroutines, and shared with OS threads.

mod util;

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use util::c_locks::{Mutex, ReadWrite, Trait, moment, mutex, read_write};
use util::{Actor, Random, everywhere, mixed, on_workers, scaled, yield_until};

/// A number that a lock guards.
struct Guarded<L> {
    lock: Box<L>,
    value: UnsafeCell<u64>,
}

// SAFETY: the value is touched under the lock alone.
unsafe impl<L> Sync for Guarded<L> {}
// SAFETY: as above.
unsafe impl<L> Send for Guarded<L> {}

fn guarded<L>(lock: Box<L>) -> Arc<Guarded<L>> {
    Arc::new(Guarded { lock, value: UnsafeCell::new(0) })
}

fn lock(mutex: &Mutex) {
    // SAFETY: a live mutex.
    assert_eq!(unsafe { libc::pthread_mutex_lock(mutex.get()) }, 0);
}

fn unlock(mutex: &Mutex) {
    // SAFETY: as above.
    assert_eq!(unsafe { libc::pthread_mutex_unlock(mutex.get()) }, 0);
}

const KINDS: [(i32, Trait); 8] = [
    (libc::PTHREAD_MUTEX_NORMAL, Trait::None),
    (libc::PTHREAD_MUTEX_RECURSIVE, Trait::None),
    (libc::PTHREAD_MUTEX_ERRORCHECK, Trait::None),
    // Adaptive.
    (3, Trait::None),
    (libc::PTHREAD_MUTEX_NORMAL, Trait::Inherit),
    (libc::PTHREAD_MUTEX_RECURSIVE, Trait::Inherit),
    (libc::PTHREAD_MUTEX_NORMAL, Trait::Shared),
    (libc::PTHREAD_MUTEX_RECURSIVE, Trait::Robust),
];

/// Whoever has it suspends, so that others come to wait for it.
#[test]
fn every_kind_of_mutex_excludes() {
    on_workers(|| {
        for (kind, with) in KINDS {
            let shared = guarded(mutex(kind, with));
            let theirs = Arc::clone(&shared);
            let actors = scaled(60, 20);
            mixed(actors, move |_| {
                for round in 0..20 {
                    lock(&theirs.lock);
                    // SAFETY: locked.
                    let seen = unsafe { *theirs.value.get() };
                    if round % 4 == 0 {
                        lisle::yield_now();
                    }
                    // SAFETY: locked.
                    unsafe { *theirs.value.get() = seen + 1 };
                    unlock(&theirs.lock);
                }
            });
            // SAFETY: nobody else is left.
            assert_eq!(unsafe { *shared.value.get() }, 20 * actors as u64, "{kind} {with:?}");
        }
    });
}

/// With one worker, a coroutine that waits for a mutex must let its holder run.
#[test]
fn a_holder_may_wait_for_anything() {
    everywhere(|| {
        for (kind, with) in KINDS {
            for holder in 0..2 {
                let shared = guarded(mutex(kind, with));
                let theirs = Arc::clone(&shared);
                let held = Arc::new(AtomicBool::new(false));
                let looked = Arc::new(AtomicBool::new(false));
                let (is_held, has_looked) = (Arc::clone(&held), Arc::clone(&looked));
                let holder = Actor::spawn(holder, move || {
                    lock(&theirs.lock);
                    is_held.store(true, Ordering::Release);
                    yield_until(|| has_looked.load(Ordering::Acquire));
                    thread::sleep(Duration::from_millis(5));
                    // SAFETY: locked.
                    unsafe { *theirs.value.get() = 5 };
                    unlock(&theirs.lock);
                });
                yield_until(|| held.load(Ordering::Acquire));
                // SAFETY: a live mutex.
                let tried = unsafe { libc::pthread_mutex_trylock(shared.lock.get()) };
                assert_eq!(tried, libc::EBUSY, "{kind} {with:?}");
                looked.store(true, Ordering::Release);
                lock(&shared.lock);
                // SAFETY: locked.
                assert_eq!(unsafe { *shared.value.get() }, 5);
                unlock(&shared.lock);
                holder.join();
            }
        }
    });
}

/// Deadlines that strike, and some that do not, among actors that hold the mutex for a moment.
#[test]
fn waiting_for_a_mutex_until_a_moment() {
    on_workers(|| {
        for (kind, with) in KINDS {
            let shared = guarded(mutex(kind, with));
            let theirs = Arc::clone(&shared);
            let taken = Arc::new(AtomicU32::new(0));
            let their_taken = Arc::clone(&taken);
            mixed(scaled(40, 16), move |actor| {
                let mut random = Random::new(actor as u64);
                for _ in 0..10 {
                    let span = Duration::from_micros(random.below(2000) as u64);
                    let time = moment(libc::CLOCK_REALTIME, span, false);
                    // SAFETY: a live mutex and time.
                    match unsafe { libc::pthread_mutex_timedlock(theirs.lock.get(), &time) } {
                        0 => {
                            // SAFETY: locked.
                            unsafe { *theirs.value.get() += 1 };
                            their_taken.fetch_add(1, Ordering::Relaxed);
                            lisle::sleep(Duration::from_micros(random.below(200) as u64));
                            unlock(&theirs.lock);
                        }
                        error => assert_eq!(error, libc::ETIMEDOUT),
                    }
                }
            });
            // SAFETY: nobody else is left.
            let value = unsafe { *shared.value.get() };
            assert_eq!(value, u64::from(taken.load(Ordering::Relaxed)), "{kind} {with:?}");
            assert!(value > 0);
        }
    });
}

/// Writers see nobody else inside, readers see no writer.
#[test]
fn read_write_locks_exclude() {
    on_workers(|| {
        for (kind, shared) in [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1)] {
            let lock = guarded(read_write(kind, shared));
            let theirs = Arc::clone(&lock);
            let inside = Arc::new(AtomicU32::new(0));
            const WRITER: u32 = 1 << 16;
            mixed(scaled(40, 16), move |actor| {
                let mut random = Random::new(actor as u64);
                for _ in 0..30 {
                    let writes = random.below(3) == 0;
                    assert_eq!(enter(&theirs.lock, writes, &mut random), 0);
                    let weight = if writes { WRITER } else { 1 };
                    let before = inside.fetch_add(weight, Ordering::SeqCst);
                    assert!(if writes { before == 0 } else { before < WRITER }, "{before:#x}");
                    if random.below(2) == 0 {
                        lisle::yield_now();
                    }
                    inside.fetch_sub(weight, Ordering::SeqCst);
                    // SAFETY: locked above.
                    assert_eq!(unsafe { libc::pthread_rwlock_unlock(theirs.lock.get()) }, 0);
                }
            });
            // SAFETY: a live lock that nobody has.
            assert_eq!(unsafe { libc::pthread_rwlock_trywrlock(lock.lock.get()) }, 0);
            // SAFETY: as above.
            assert_eq!(unsafe { libc::pthread_rwlock_unlock(lock.lock.get()) }, 0);
        }
    });
}

/// Locks in one of four ways, until it has it.
fn enter(lock: &ReadWrite, writes: bool, random: &mut Random) -> i32 {
    let way = random.below(3);
    loop {
        let time =
            moment(libc::CLOCK_REALTIME, Duration::from_micros(random.below(300) as u64), false);
        // SAFETY: a live lock and time.
        let result = unsafe {
            match (way, writes) {
                (0, false) => libc::pthread_rwlock_rdlock(lock.get()),
                (0, true) => libc::pthread_rwlock_wrlock(lock.get()),
                (1, false) => libc::pthread_rwlock_tryrdlock(lock.get()),
                (1, true) => libc::pthread_rwlock_trywrlock(lock.get()),
                (_, false) => pthread_rwlock_timedrdlock(lock.get(), &time),
                (_, true) => pthread_rwlock_timedwrlock(lock.get(), &time),
            }
        };
        match result {
            libc::EBUSY | libc::ETIMEDOUT => lisle::yield_now(),
            result => return result,
        }
    }
}

unsafe extern "C" {
    fn pthread_rwlock_timedrdlock(
        lock: *mut libc::pthread_rwlock_t,
        time: *const libc::timespec,
    ) -> i32;
    fn pthread_rwlock_timedwrlock(
        lock: *mut libc::pthread_rwlock_t,
        time: *const libc::timespec,
    ) -> i32;
}

/// Readers that wait behind a writer alone go on when that gives up.
#[test]
fn a_writer_that_gives_up() {
    everywhere(|| {
        let lock = Arc::new(read_write(2, 0));
        // SAFETY: a live lock.
        assert_eq!(unsafe { libc::pthread_rwlock_rdlock(lock.get()) }, 0);
        let (theirs, others) = (Arc::clone(&lock), Arc::clone(&lock));
        let writer = lisle::spawn(move || {
            let time = moment(libc::CLOCK_REALTIME, Duration::from_millis(20), false);
            // SAFETY: a live lock and time.
            unsafe { pthread_rwlock_timedwrlock(theirs.get(), &time) }
        });
        // SAFETY: a live lock. Until the writer waits, others may read.
        yield_until(|| match unsafe { libc::pthread_rwlock_tryrdlock(others.get()) } {
            // SAFETY: locked just now.
            0 => unsafe { libc::pthread_rwlock_unlock(others.get()) == 1 },
            error => error == libc::EBUSY,
        });
        // SAFETY: a live lock.
        assert_eq!(unsafe { libc::pthread_rwlock_rdlock(lock.get()) }, 0);
        assert_eq!(writer.join().unwrap(), libc::ETIMEDOUT);
        for _ in 0..2 {
            // SAFETY: locked above.
            assert_eq!(unsafe { libc::pthread_rwlock_unlock(lock.get()) }, 0);
        }
    });
}

/// A coroutine that ends with a robust mutex leaves it to whoever comes or waits, coroutine or OS
/// thread.
#[test]
fn a_robust_mutex_whose_owner_is_gone() {
    everywhere(|| {
        for waiter in 0..2 {
            let shared = Arc::new(mutex(libc::PTHREAD_MUTEX_ERRORCHECK, Trait::Robust));
            let (theirs, others) = (Arc::clone(&shared), Arc::clone(&shared));
            let held = Arc::new(AtomicU32::new(0));
            let stage = Arc::clone(&held);
            let owner = lisle::spawn(move || {
                lock(&theirs);
                stage.store(1, Ordering::Release);
                yield_until(|| stage.load(Ordering::Acquire) == 2);
            });
            yield_until(|| held.load(Ordering::Acquire) == 1);
            let waiter = Actor::spawn(waiter, move || {
                // SAFETY: a live mutex.
                let result = unsafe { libc::pthread_mutex_lock(others.get()) };
                // SAFETY: as above.
                assert_eq!(unsafe { libc::pthread_mutex_consistent(others.get()) }, 0);
                unlock(&others);
                result
            });
            // That somebody waits is in the word, which comes first.
            // SAFETY: a live mutex, whose word is an atomic.
            let word = unsafe { &*shared.get().cast::<AtomicU32>() };
            yield_until(|| word.load(Ordering::Relaxed) & 1 << 31 != 0);
            held.store(2, Ordering::Release);
            owner.join().unwrap();
            assert_eq!(waiter.join(), libc::EOWNERDEAD);
            lock(&shared);
            unlock(&shared);
        }
    });
}

/// For these one waits on a spare carrier. A holder that wants one must have it, however many wait.
#[test]
fn more_wait_than_there_are_spare_carriers() {
    on_workers(|| {
        for with in [Trait::Shared, Trait::Robust] {
            let shared = guarded(mutex(libc::PTHREAD_MUTEX_NORMAL, with));
            let count = scaled(1500, 50);
            let all: Vec<_> = (0..count)
                .map(|number| {
                    let theirs = Arc::clone(&shared);
                    lisle::spawn(move || {
                        lock(&theirs.lock);
                        if number % 100 == 0 {
                            lisle::sleep(Duration::from_millis(5));
                            lisle::blocking(thread::yield_now);
                        }
                        // SAFETY: locked.
                        unsafe { *theirs.value.get() += 1 };
                        unlock(&theirs.lock);
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
            // SAFETY: nobody else is left.
            assert_eq!(unsafe { *shared.value.get() }, count as u64, "{with:?}");
        }
    });
}
