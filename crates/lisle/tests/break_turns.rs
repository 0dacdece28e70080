//! Whoever waits for a lock gets it some time, though its holder wants it back at once.

mod util;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use util::c_locks::{Trait, mutex, read_write, semaphore};
use util::everywhere;

/// Another coroutine, or OS thread, gets the lock while the holder does nothing but lock, wait for
/// something, and unlock.
fn gets_a_turn(take: impl Fn() + Send + Sync + 'static, give: impl Fn() + Send + Sync + 'static) {
    let (take, give) = (Arc::new(take), Arc::new(give));
    for other in 0..2 {
        let (their_take, their_give) = (Arc::clone(&take), Arc::clone(&give));
        let had = Arc::new(AtomicBool::new(false));
        let their_had = Arc::clone(&had);
        take();
        let other = util::Actor::spawn(other, move || {
            their_take();
            their_had.store(true, Ordering::Relaxed);
            their_give();
        });
        while !had.load(Ordering::Relaxed) {
            lisle::yield_now();
            give();
            take();
        }
        give();
        other.join();
    }
}

#[test]
fn a_mutex() {
    everywhere(|| {
        let shared = Arc::new(mutex(libc::PTHREAD_MUTEX_NORMAL, Trait::None));
        let theirs = Arc::clone(&shared);
        gets_a_turn(
            // SAFETY: a live mutex.
            move || assert_eq!(unsafe { libc::pthread_mutex_lock(shared.get()) }, 0),
            // SAFETY: as above.
            move || assert_eq!(unsafe { libc::pthread_mutex_unlock(theirs.get()) }, 0),
        );
    });
}

#[test]
fn a_read_write_lock() {
    everywhere(|| {
        let shared = Arc::new(read_write(0, 0));
        let theirs = Arc::clone(&shared);
        gets_a_turn(
            // SAFETY: a live lock.
            move || assert_eq!(unsafe { libc::pthread_rwlock_wrlock(shared.get()) }, 0),
            // SAFETY: as above.
            move || assert_eq!(unsafe { libc::pthread_rwlock_unlock(theirs.get()) }, 0),
        );
    });
}

#[test]
fn a_mutex_of_std() {
    everywhere(|| {
        let shared = Arc::new(std::sync::Mutex::new(false));
        let theirs = Arc::clone(&shared);
        let mut held = shared.lock().unwrap();
        let other = lisle::spawn(move || *theirs.lock().unwrap() = true);
        while !*held {
            lisle::yield_now();
            drop(held);
            held = shared.lock().unwrap();
        }
        drop(held);
        other.join().unwrap();
    });
}

#[test]
fn a_semaphore() {
    everywhere(|| {
        let shared = Arc::new(semaphore(1, 0));
        let theirs = Arc::clone(&shared);
        gets_a_turn(
            // SAFETY: a live semaphore.
            move || assert_eq!(unsafe { libc::sem_wait(shared.get()) }, 0),
            // SAFETY: as above.
            move || assert_eq!(unsafe { libc::sem_post(theirs.get()) }, 0),
        );
    });
}
