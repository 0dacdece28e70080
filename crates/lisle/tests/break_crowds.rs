//! Thousands at one object, and objects in unusual places: destructors, spare carriers, pinned
//! coroutines.

mod util;

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use libc::CLOCK_REALTIME;
use util::c_locks::{
    Barrier, Condition, Mutex, ReadWrite, Semaphore, Trait, barrier, condition, moment, mutex,
    read_write, semaphore,
};
use util::{Actor, everywhere, on_workers, scaled, yield_until};

fn crowd<F: Fn(usize) + Clone + Send + 'static>(count: usize, body: F) -> Vec<Actor<()>> {
    let start = |number: usize| {
        let body = body.clone();
        // Some are OS threads.
        Actor::spawn(usize::from(number % 500 == 3), move || body(number))
    };
    (0..count).map(start).collect()
}

fn lock(mutex: &Mutex) {
    // SAFETY: a live mutex.
    assert_eq!(unsafe { libc::pthread_mutex_lock(mutex.get()) }, 0);
}

fn unlock(mutex: &Mutex) {
    // SAFETY: as above.
    assert_eq!(unsafe { libc::pthread_mutex_unlock(mutex.get()) }, 0);
}

struct Place {
    mutex: Box<Mutex>,
    condition: Box<Condition>,
    lock: Box<ReadWrite>,
    semaphore: Box<Semaphore>,
    waiting: AtomicU32,
    round: AtomicU32,
}

fn place() -> Arc<Place> {
    Arc::new(Place {
        mutex: mutex(libc::PTHREAD_MUTEX_NORMAL, Trait::None),
        condition: condition(CLOCK_REALTIME, 0),
        lock: read_write(0, 0),
        semaphore: semaphore(0, 0),
        waiting: AtomicU32::new(0),
        round: AtomicU32::new(0),
    })
}

impl Place {
    /// Waits for the next round, by one of three calls. The mutex is held.
    fn wait(&self, way: usize) {
        let seen = self.round.load(Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let time = moment(CLOCK_REALTIME, Duration::from_secs(50), false);
        while self.round.load(Ordering::Relaxed) == seen {
            // SAFETY: live objects; the mutex is held.
            let result = unsafe {
                if way.is_multiple_of(2) {
                    libc::pthread_cond_wait(self.condition.get(), self.mutex.get())
                } else {
                    libc::pthread_cond_timedwait(self.condition.get(), self.mutex.get(), &time)
                }
            };
            assert_eq!(result, 0);
        }
    }

    /// Begins the next round when so many wait.
    fn tell(&self, count: usize) {
        yield_until(|| {
            lock(&self.mutex);
            let all = self.waiting.load(Ordering::Relaxed) as usize == count;
            if all {
                self.waiting.store(0, Ordering::Relaxed);
                self.round.fetch_add(1, Ordering::Relaxed);
                // SAFETY: a live condition.
                assert_eq!(unsafe { libc::pthread_cond_broadcast(self.condition.get()) }, 0);
            }
            unlock(&self.mutex);
            all
        });
    }
}

#[test]
fn at_one_condition() {
    on_workers(|| {
        let (place, count) = (place(), scaled(10_000, 200));
        let theirs = Arc::clone(&place);
        let all = crowd(count, move |number| {
            for _ in 0..3 {
                lock(&theirs.mutex);
                theirs.wait(number);
                unlock(&theirs.mutex);
            }
        });
        for _ in 0..3 {
            place.tell(count);
        }
        all.into_iter().for_each(Actor::join);
    });
}

#[test]
fn at_one_mutex_semaphore_and_read_write_lock() {
    on_workers(|| {
        let (place, count) = (place(), scaled(10_000, 200));
        let theirs = Arc::clone(&place);
        lock(&place.mutex);
        // SAFETY: live objects throughout.
        assert_eq!(unsafe { libc::pthread_rwlock_wrlock(place.lock.get()) }, 0);
        let all = crowd(count, move |number| {
            // SAFETY: as above.
            unsafe {
                assert_eq!(libc::sem_wait(theirs.semaphore.get()), 0);
                lock(&theirs.mutex);
                theirs.waiting.fetch_add(1, Ordering::Relaxed);
                unlock(&theirs.mutex);
                if number % 2 == 0 {
                    assert_eq!(libc::pthread_rwlock_wrlock(theirs.lock.get()), 0);
                } else {
                    assert_eq!(libc::pthread_rwlock_rdlock(theirs.lock.get()), 0);
                }
                theirs.round.fetch_add(1, Ordering::Relaxed);
                assert_eq!(libc::pthread_rwlock_unlock(theirs.lock.get()), 0);
            }
        });
        for _ in 0..count {
            // SAFETY: as above.
            assert_eq!(unsafe { libc::sem_post(place.semaphore.get()) }, 0);
        }
        lisle::yield_now();
        unlock(&place.mutex);
        yield_until(|| place.waiting.load(Ordering::Relaxed) as usize == count);
        assert_eq!(place.round.load(Ordering::Relaxed), 0);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::pthread_rwlock_unlock(place.lock.get()) }, 0);
        all.into_iter().for_each(Actor::join);
        assert_eq!(place.round.load(Ordering::Relaxed) as usize, count);
    });
}

/// The one that is told of a barrier's end frees it while the others are on their way out.
#[test]
fn at_one_barrier_that_is_freed() {
    on_workers(|| {
        let count = scaled(2_000, 100);
        for _ in 0..5 {
            let object = Box::into_raw(barrier(count as u32, 0));
            let shared = Arc::new(AtomicPtr::new(object));
            let all = crowd(count, move |_| {
                let object: *mut Barrier = shared.load(Ordering::Relaxed);
                // SAFETY: it lives until all have come.
                match unsafe { libc::pthread_barrier_wait((*object).get()) } {
                    libc::PTHREAD_BARRIER_SERIAL_THREAD => {
                        // SAFETY: all have come, so it may be destroyed, and nobody uses it.
                        unsafe {
                            assert_eq!(libc::pthread_barrier_destroy((*object).get()), 0);
                            object.cast::<u8>().write_bytes(0xff, size_of::<Barrier>());
                            drop(Box::from_raw(object));
                        }
                    }
                    result => assert_eq!(result, 0),
                }
            });
            all.into_iter().for_each(Actor::join);
        }
    });
}

/// Deadlines of thousands strike at about the time at which they are told.
#[test]
fn deadlines_of_a_crowd() {
    on_workers(|| {
        let (place, count) = (place(), scaled(5_000, 100));
        let (theirs, began) = (Arc::clone(&place), Instant::now());
        let all = crowd(count, move |number| {
            let span = Duration::from_millis(20 + number as u64 % 20);
            let time = moment(CLOCK_REALTIME, span, false);
            // SAFETY: live objects throughout.
            unsafe {
                match number % 3 {
                    0 => match libc::pthread_mutex_timedlock(theirs.mutex.get(), &time) {
                        0 => unlock(&theirs.mutex),
                        error => assert_eq!(error, libc::ETIMEDOUT),
                    },
                    1 => {
                        if libc::sem_timedwait(theirs.semaphore.get(), &time) == 0 {
                            theirs.waiting.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    _ => {
                        let (condition, mutex) = (theirs.condition.get(), theirs.mutex.get());
                        lock(&theirs.mutex);
                        let result = libc::pthread_cond_timedwait(condition, mutex, &time);
                        assert!(matches!(result, 0 | libc::ETIMEDOUT));
                        unlock(&theirs.mutex);
                    }
                }
            }
        });
        let mut posted = 0;
        while all.iter().any(|actor| !actor.is_finished()) {
            // SAFETY: as above.
            unsafe {
                if began.elapsed() > Duration::from_millis(20) && posted < count as u32 / 6 {
                    assert_eq!(libc::sem_post(place.semaphore.get()), 0);
                    posted += 1;
                }
                assert_eq!(libc::pthread_cond_signal(place.condition.get()), 0);
                lock(&place.mutex);
                lisle::yield_now();
                unlock(&place.mutex);
            }
        }
        all.into_iter().for_each(Actor::join);
        // SAFETY: as above.
        while unsafe { libc::sem_trywait(place.semaphore.get()) } == 0 {
            posted -= 1;
        }
        assert_eq!(place.waiting.load(Ordering::Relaxed), posted);
    });
}

/// Waits for a turn and takes it, as the others do: by mutex and condition, semaphore and lock.
fn take_turns(place: &Place, way: usize) {
    lock(&place.mutex);
    place.wait(way);
    lisle::yield_now();
    unlock(&place.mutex);
    // SAFETY: live objects.
    unsafe {
        assert_eq!(libc::sem_wait(place.semaphore.get()), 0);
        assert_eq!(libc::pthread_rwlock_wrlock(place.lock.get()), 0);
        lisle::yield_now();
        assert_eq!(libc::pthread_rwlock_unlock(place.lock.get()), 0);
        assert_eq!(libc::sem_post(place.semaphore.get()), 0);
    }
}

/// Dropped when its thread or coroutine ends.
struct AtEnd(RefCell<Option<Arc<Place>>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        take_turns(&self.0.take().unwrap(), 0);
    }
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd(RefCell::new(None)) };
    static ROUNDS: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn in_unusual_places() {
    /// Of a key: called twice.
    unsafe extern "C" fn destructor(value: *mut c_void) {
        // SAFETY: from `into_raw` below, or again from here.
        let place = unsafe { Arc::from_raw(value.cast::<Place>()) };
        take_turns(&place, 1);
        ROUNDS.set(ROUNDS.get() + 1);
        if ROUNDS.get() < 2 {
            let key = KEY.load(Ordering::Relaxed);
            // SAFETY: a key of the process.
            unsafe { libc::pthread_setspecific(key, Arc::into_raw(place).cast()) };
        }
    }
    static KEY: AtomicU32 = AtomicU32::new(0);
    everywhere(|| {
        let mut key = 0;
        // SAFETY: a live place, a function of that type.
        assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(destructor)) }, 0);
        KEY.store(key, Ordering::Relaxed);
        let (place, count) = (place(), 60);
        // SAFETY: a live semaphore.
        assert_eq!(unsafe { libc::sem_post(place.semaphore.get()) }, 0);
        let theirs = Arc::clone(&place);
        let all = crowd(count, move |number| match number % 6 {
            0 => AT_END.with(|at_end| *at_end.0.borrow_mut() = Some(Arc::clone(&theirs))),
            1 => {
                let value = Arc::into_raw(Arc::clone(&theirs));
                // SAFETY: a key of the process.
                unsafe { libc::pthread_setspecific(key, value.cast()) };
            }
            2 => lisle::blocking(|| take_turns(&theirs, number)),
            3 => {
                let _pinned = lisle::pin_to_os_thread();
                take_turns(&theirs, number);
            }
            4 => {
                // Goes on elsewhere with the mutex.
                lock(&theirs.mutex);
                lisle::blocking(|| theirs.wait(number));
                lisle::yield_now();
                unlock(&theirs.mutex);
            }
            _ => take_turns(&theirs, number),
        });
        place.tell(count);
        // The destructors' second turns.
        place.tell(count / 6);
        all.into_iter().for_each(Actor::join);
    });
}
