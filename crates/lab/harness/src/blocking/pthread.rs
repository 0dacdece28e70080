//! C's mutexes, condition variables and their like, by C's functions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::switch::race;
use super::{Blocking, target};
use crate::clock::Pace;
use crate::pthread::{Barrier, Condition, Mutex, ReadWrite, Semaphore, succeed};
use crate::{Outcome, Params, report_ns};

/// One in so many locks of a read-write lock is for writing.
const WRITES: u64 = 16;

/// Tasks that fight for one mutex: wall time per lock, increment, unlock of any of them.
pub(super) fn mutex<S: Blocking>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let shared = Arc::new((Mutex::new(), AtomicU64::new(0)));
        let theirs = Arc::clone(&shared);
        pace.took(race::<S, _>(tasks, move |_, _| {
            let (mutex, counter) = &*theirs;
            for _ in 0..count {
                // SAFETY: a live mutex.
                succeed(unsafe { libc::pthread_mutex_lock(mutex.as_ptr()) });
                add_one(counter);
                // SAFETY: a live mutex that this task has locked.
                succeed(unsafe { libc::pthread_mutex_unlock(mutex.as_ptr()) });
            }
        })?);
        check(&shared.1, count * tasks as u64)?;
    }
    report_ns("lock", pace.ns_per(tasks));
    Ok(())
}

/// Adds one, as the holder of a lock does: two that hold it at once lose increments.
fn add_one(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn check(counter: &AtomicU64, expected: u64) -> Outcome<()> {
    match counter.load(Ordering::Relaxed) {
        count if count == expected => Ok(()),
        count => Err(format!("counted {count} under the lock instead of {expected}")),
    }
}

/// Tasks that share a read-write lock, mostly to read: wall time per lock and unlock of any.
pub(super) fn read_write<S: Blocking>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let shared = Arc::new((ReadWrite::new(), AtomicU64::new(0)));
        let theirs = Arc::clone(&shared);
        pace.took(race::<S, _>(tasks, move |_, _| {
            let (lock, counter) = &*theirs;
            for turn in 0..count {
                if turn % WRITES == 0 {
                    // SAFETY: a live lock.
                    succeed(unsafe { libc::pthread_rwlock_wrlock(lock.as_ptr()) });
                    add_one(counter);
                } else {
                    // SAFETY: a live lock.
                    succeed(unsafe { libc::pthread_rwlock_rdlock(lock.as_ptr()) });
                }
                // SAFETY: a live lock that this task has locked.
                succeed(unsafe { libc::pthread_rwlock_unlock(lock.as_ptr()) });
            }
        })?);
        check(&shared.1, count.div_ceil(WRITES) * tasks as u64)?;
    }
    report_ns("lock", pace.ns_per(tasks));
    Ok(())
}

/// Whose turn it is, and what says so.
struct Table {
    mutex: Mutex,
    turn: AtomicU64,
    changed: [Condition; 2],
}

/// Two tasks that signal each other in turn: wall time per round trip.
pub(super) fn condition<S: Blocking>(params: &Params) -> Outcome<()> {
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let (mutex, turn) = (Mutex::new(), AtomicU64::new(0));
        let changed = [Condition::new(), Condition::new()];
        let table = Arc::new(Table { mutex, turn, changed });
        pace.took(race::<S, _>(2, move |me, _| {
            for round in 0..count {
                table.play(me, 2 * round + me as u64);
            }
        })?);
    }
    report_ns("round_trip", pace.ns_per(1));
    Ok(())
}

impl Table {
    /// Waits for turn `mine` and hands on to the other player.
    fn play(&self, me: usize, mine: u64) {
        let mutex = self.mutex.as_ptr();
        // SAFETY: a live mutex.
        succeed(unsafe { libc::pthread_mutex_lock(mutex) });
        while self.turn.load(Ordering::Relaxed) != mine {
            // SAFETY: both are live, and this task has locked the mutex.
            succeed(unsafe { libc::pthread_cond_wait(self.changed[me].as_ptr(), mutex) });
        }
        self.turn.store(mine + 1, Ordering::Relaxed);
        // SAFETY: a live condition variable.
        succeed(unsafe { libc::pthread_cond_signal(self.changed[1 - me].as_ptr()) });
        // SAFETY: a live mutex that this task has locked.
        succeed(unsafe { libc::pthread_mutex_unlock(mutex) });
    }
}

/// Two tasks that post to each other in turn: wall time per round trip.
pub(super) fn semaphore<S: Blocking>(params: &Params) -> Outcome<()> {
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let semaphores = Arc::new([Semaphore::new(1), Semaphore::new(0)]);
        pace.took(race::<S, _>(2, move |me, _| {
            for _ in 0..count {
                // SAFETY: a live semaphore.
                succeed(unsafe { libc::sem_wait(semaphores[me].as_ptr()) });
                // SAFETY: a live semaphore.
                succeed(unsafe { libc::sem_post(semaphores[1 - me].as_ptr()) });
            }
        })?);
    }
    report_ns("round_trip", pace.ns_per(1));
    Ok(())
}

/// Tasks that meet at a barrier again and again: wall time until all have.
pub(super) fn barrier<S: Blocking>(params: &Params) -> Outcome<()> {
    let tasks = params.get("tasks")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let barrier = Arc::new(Barrier::new(tasks));
        pace.took(race::<S, _>(tasks, move |_, _| {
            for _ in 0..count {
                // SAFETY: a live barrier.
                match unsafe { libc::pthread_barrier_wait(barrier.as_ptr()) } {
                    libc::PTHREAD_BARRIER_SERIAL_THREAD => {}
                    result => succeed(result),
                }
            }
        })?);
    }
    report_ns("meeting", pace.ns_per(1));
    Ok(())
}
