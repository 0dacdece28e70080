//! C's condition variables, semaphores, barriers and the like on coroutines, and shared with OS
//! threads.

mod util;

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use util::c_locks::{
    Condition, Mutex, Shared, Trait, barrier, condition, moment, mutex, semaphore,
};
use util::{Actor, Random, everywhere, mixed, on_workers, scaled, yield_until};

/// A mutex, a condition, and what they guard.
struct Monitor<T> {
    mutex: Box<Mutex>,
    condition: Box<Condition>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is touched under the mutex alone.
unsafe impl<T> Sync for Monitor<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Monitor<T> {}

impl<T> Monitor<T> {
    fn new(mutex: Box<Mutex>, condition: Box<Condition>, value: T) -> Arc<Self> {
        Arc::new(Monitor { mutex, condition, value: UnsafeCell::new(value) })
    }

    fn plain(value: T) -> Arc<Self> {
        Self::new(mutex(0, Trait::None), condition(libc::CLOCK_REALTIME, 0), value)
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: a live mutex, and the value is touched while it is held.
        unsafe {
            assert_eq!(libc::pthread_mutex_lock(self.mutex.get()), 0);
            let result = f(&mut *self.value.get());
            assert_eq!(libc::pthread_mutex_unlock(self.mutex.get()), 0);
            result
        }
    }

    /// Waits, with the mutex held, until `f` returns something.
    fn until<R>(&self, mut f: impl FnMut(&mut T) -> Option<R>) -> R {
        // SAFETY: as above.
        unsafe {
            assert_eq!(libc::pthread_mutex_lock(self.mutex.get()), 0);
            let result = loop {
                if let Some(result) = f(&mut *self.value.get()) {
                    break result;
                }
                let waited = libc::pthread_cond_wait(self.condition.get(), self.mutex.get());
                assert_eq!(waited, 0);
            };
            assert_eq!(libc::pthread_mutex_unlock(self.mutex.get()), 0);
            result
        }
    }

    fn signal(&self) {
        // SAFETY: a live condition.
        assert_eq!(unsafe { libc::pthread_cond_signal(self.condition.get()) }, 0);
    }

    fn broadcast(&self) {
        // SAFETY: a live condition.
        assert_eq!(unsafe { libc::pthread_cond_broadcast(self.condition.get()) }, 0);
    }
}

/// A bounded queue: producers and consumers wait for each other by signals, of which each is for
/// one. A lost one is a deadlock.
#[test]
fn signals_reach_those_who_wait() {
    on_workers(|| {
        let queue = Monitor::plain(VecDeque::new());
        let room = Arc::new(condition(libc::CLOCK_MONOTONIC, 0));
        let (theirs, their_room) = (Arc::clone(&queue), Arc::clone(&room));
        let actors = scaled(40, 16);
        let each = 50;
        let sums = mixed(actors, move |actor| {
            let mut sum = 0;
            for number in 0..each {
                if actor % 4 < 2 {
                    // SAFETY: live objects; the value is touched with the mutex held.
                    unsafe {
                        assert_eq!(libc::pthread_mutex_lock(theirs.mutex.get()), 0);
                        let items: *mut VecDeque<usize> = theirs.value.get();
                        while (*items).len() == 3 {
                            let (room, mutex) = (their_room.get(), theirs.mutex.get());
                            assert_eq!(libc::pthread_cond_wait(room, mutex), 0);
                        }
                        (*items).push_back(number);
                        assert_eq!(libc::pthread_mutex_unlock(theirs.mutex.get()), 0);
                    }
                    theirs.signal();
                } else {
                    sum += theirs.until(VecDeque::pop_front);
                    // SAFETY: a live condition.
                    unsafe { libc::pthread_cond_signal(their_room.get()) };
                }
            }
            sum
        });
        let expected = actors / 2 * (0..each).sum::<usize>();
        assert_eq!(sums.iter().sum::<usize>(), expected);
    });
}

/// Signals go to the oldest, one each; nobody wakes without one, and whoever comes later gets none.
#[test]
fn signals_go_in_order() {
    everywhere(|| {
        let line = Monitor::plain((0_usize, Vec::new()));
        let count = 6;
        let actors: Vec<_> = (0..count)
            .map(|number| {
                let theirs = Arc::clone(&line);
                let actor = Actor::spawn(number, move || {
                    let mut waited = false;
                    theirs.until(|(waiting, woken)| {
                        if waited {
                            woken.push(number);
                            return Some(());
                        }
                        waited = true;
                        *waiting += 1;
                        None
                    });
                });
                yield_until(|| line.with(|(waiting, _)| *waiting == number + 1));
                actor
            })
            .collect();
        for number in 0..count {
            assert_eq!(line.with(|(_, woken)| woken.len()), number);
            line.signal();
            yield_until(|| line.with(|(_, woken)| woken.len() == number + 1));
        }
        actors.into_iter().for_each(Actor::join);
        assert_eq!(line.with(|(_, woken)| woken.clone()), (0..count).collect::<Vec<_>>());
    });
}

/// Everybody who waits is woken, and may destroy what they waited for at once.
#[test]
fn the_last_one_destroys() {
    on_workers(|| {
        for round in 0..scaled(200, 40) {
            let gate = Monitor::plain((0, false));
            let actors: Vec<_> = (0..4)
                .map(|number| {
                    let theirs = Arc::clone(&gate);
                    Actor::spawn(number + round, move || {
                        theirs.with(|(waiting, _)| *waiting += 1);
                        theirs.until(|(_, open)| open.then_some(()));
                        let last = theirs.with(|(waiting, _)| {
                            *waiting -= 1;
                            *waiting == 0
                        });
                        if last {
                            let condition = theirs.condition.get();
                            // SAFETY: nobody waits any more. What comes after would be noticed by
                            // whoever still used it.
                            unsafe {
                                assert_eq!(libc::pthread_cond_destroy(condition), 0);
                                condition.write_bytes(0xff, 1);
                            }
                        }
                    })
                })
                .collect();
            yield_until(|| gate.with(|(waiting, _)| *waiting == 4));
            gate.with(|(_, open)| *open = true);
            gate.broadcast();
            actors.into_iter().for_each(Actor::join);
        }
    });
}

/// Deadlines and signals race; none is lost: what was given is taken.
#[test]
fn deadlines_and_signals() {
    on_workers(|| {
        for clock in [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC] {
            let stock = Monitor::new(mutex(1, Trait::None), condition(clock, 0), 0_u32);
            let theirs = Arc::clone(&stock);
            let given = 200;
            let taken = Arc::new(AtomicU32::new(0));
            let their_taken = Arc::clone(&taken);
            mixed(scaled(20, 10), move |actor| {
                let mut random = Random::new(actor as u64);
                if actor < 2 {
                    for _ in 0..given / 2 {
                        theirs.with(|stock| *stock += 1);
                        theirs.signal();
                        lisle::sleep(Duration::from_micros(random.below(300) as u64));
                    }
                }
                while their_taken.load(Ordering::SeqCst) < given {
                    let span = Duration::from_micros(random.below(500) as u64);
                    let time = moment(clock, span, false);
                    // SAFETY: live objects; the value is touched with the mutex held.
                    unsafe {
                        assert_eq!(libc::pthread_mutex_lock(theirs.mutex.get()), 0);
                        let stock = theirs.value.get();
                        if *stock == 0 {
                            let (condition, mutex) = (theirs.condition.get(), theirs.mutex.get());
                            let waited = libc::pthread_cond_timedwait(condition, mutex, &time);
                            assert!(waited == 0 || waited == libc::ETIMEDOUT, "{waited}");
                        }
                        if *stock > 0 {
                            *stock -= 1;
                            their_taken.fetch_add(1, Ordering::SeqCst);
                        }
                        assert_eq!(libc::pthread_mutex_unlock(theirs.mutex.get()), 0);
                    }
                }
            });
            assert_eq!(taken.load(Ordering::SeqCst), given);
        }
    });
}

/// Conditions shared between processes are the C library's; here with its mutex beside.
#[test]
fn a_condition_shared_between_processes() {
    everywhere(|| {
        let shared = condition(libc::CLOCK_MONOTONIC, libc::PTHREAD_PROCESS_SHARED);
        let stock = Monitor::new(mutex(0, Trait::Shared), shared, 0_u32);
        let theirs = Arc::clone(&stock);
        let takers: Vec<_> = (0..6)
            .map(|number| {
                let theirs = Arc::clone(&theirs);
                Actor::spawn(number, move || {
                    theirs.until(|stock| stock.checked_sub(1).map(|less| *stock = less));
                })
            })
            .collect();
        for _ in 0..6 {
            stock.with(|stock| *stock += 1);
            stock.broadcast();
        }
        takers.into_iter().for_each(Actor::join);
        // SAFETY: nobody waits any more.
        assert_eq!(unsafe { libc::pthread_cond_destroy(stock.condition.get()) }, 0);
    });
}

#[test]
fn semaphores_count() {
    on_workers(|| {
        for shared in [0, 1] {
            let (free, full) = (Arc::new(semaphore(2, shared)), Arc::new(semaphore(0, shared)));
            let inside = Arc::new(AtomicUsize::new(0));
            let (their_free, their_full) = (Arc::clone(&free), Arc::clone(&full));
            let actors = scaled(40, 16);
            mixed(actors, move |actor| {
                let mut random = Random::new(actor as u64);
                for _ in 0..20 {
                    loop {
                        let span = Duration::from_micros(random.below(500) as u64);
                        let time = moment(libc::CLOCK_REALTIME, span, false);
                        // SAFETY: a live semaphore and time.
                        let taken = unsafe {
                            match random.below(3) {
                                0 => libc::sem_trywait(their_free.get()),
                                1 => libc::sem_timedwait(their_free.get(), &time),
                                _ => libc::sem_wait(their_free.get()),
                            }
                        };
                        if taken == 0 {
                            break;
                        }
                        lisle::yield_now();
                    }
                    assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
                    lisle::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    // SAFETY: live semaphores.
                    unsafe {
                        assert_eq!(libc::sem_post(their_free.get()), 0);
                        assert_eq!(libc::sem_post(their_full.get()), 0);
                    }
                }
            });
            let mut value = 0;
            // SAFETY: live semaphores, used by nobody else any more.
            unsafe {
                libc::sem_getvalue(free.get(), &raw mut value);
                assert_eq!(value, 2);
                libc::sem_getvalue(full.get(), &raw mut value);
            }
            assert_eq!(value as usize, actors * 20);
        }
    });
}

#[test]
fn barriers_hold_everybody_up() {
    on_workers(|| {
        for shared in [0, 1] {
            let count = 8;
            let gate = Arc::new(barrier(count, shared));
            let arrived = Arc::new(AtomicU32::new(0));
            let rounds = 20;
            let serial: u32 = mixed(count as usize, move |_| {
                let mut serial = 0;
                for round in 1..=rounds {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    // SAFETY: a live barrier.
                    let result = unsafe { libc::pthread_barrier_wait(gate.get()) };
                    assert!(arrived.load(Ordering::SeqCst) >= round * count);
                    match result {
                        0 => {}
                        other => {
                            assert_eq!(other, libc::PTHREAD_BARRIER_SERIAL_THREAD);
                            serial += 1;
                        }
                    }
                }
                serial
            })
            .into_iter()
            .sum();
            assert_eq!(serial, rounds, "one in each round");
        }
    });
}

static CALLS: AtomicU32 = AtomicU32::new(0);

extern "C" fn slowly() {
    thread::sleep(Duration::from_millis(5));
    CALLS.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" {
    fn pthread_once(word: *mut c_int, routine: extern "C" fn()) -> c_int;
    fn call_once(word: *mut c_int, routine: extern "C" fn());
    fn mtx_init(mutex: *mut c_void, kind: c_int) -> c_int;
    fn mtx_lock(mutex: *mut c_void) -> c_int;
    fn mtx_unlock(mutex: *mut c_void) -> c_int;
    fn cnd_init(condition: *mut c_void) -> c_int;
    fn cnd_wait(condition: *mut c_void, mutex: *mut c_void) -> c_int;
    fn cnd_signal(condition: *mut c_void) -> c_int;
}

/// The others wait for the routine, which waits itself.
#[test]
fn routines_run_once() {
    everywhere(|| {
        for c11 in [false, true] {
            let before = CALLS.load(Ordering::SeqCst);
            let word = Arc::new(Shared::new(0));
            mixed(8, move |_| {
                // SAFETY: a live word.
                unsafe {
                    if c11 {
                        call_once(word.get(), slowly);
                    } else {
                        assert_eq!(pthread_once(word.get(), slowly), 0);
                    }
                }
                assert_eq!(CALLS.load(Ordering::SeqCst), before + 1);
            });
        }
    });
}

/// A holder of a spin lock may be suspended.
#[test]
fn spin_locks_let_the_holder_run() {
    everywhere(|| {
        let lock = Arc::new(Shared::new(0));
        // SAFETY: a place for a spin lock.
        unsafe { libc::pthread_spin_init(lock.get(), 0) };
        let value = Arc::new(Shared::new(0_u32));
        let theirs = Arc::clone(&value);
        mixed(8, move |_| {
            for _ in 0..20 {
                // SAFETY: a live lock, which guards the value.
                unsafe {
                    assert_eq!(libc::pthread_spin_lock(lock.get()), 0);
                    let seen = *theirs.get();
                    lisle::yield_now();
                    *theirs.get() = seen + 1;
                    assert_eq!(libc::pthread_spin_unlock(lock.get()), 0);
                }
            }
        });
        // SAFETY: nobody else is left.
        assert_eq!(unsafe { *value.get() }, 160);
    });
}

/// Two hand a turn to each other, by C11's names.
#[test]
fn the_names_of_c11() {
    everywhere(|| {
        let lock = Arc::new((Shared::new([0_u64; 16]), Shared::new([0_u64; 16])));
        // SAFETY: places that are large enough.
        unsafe {
            assert_eq!(mtx_init(lock.0.get().cast(), 0), 0);
            assert_eq!(cnd_init(lock.1.get().cast()), 0);
        }
        let turn = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&turn);
        mixed(2, move |me| {
            let (mutex, condition) = (lock.0.get().cast(), lock.1.get().cast());
            for _ in 0..50 {
                // SAFETY: live objects.
                unsafe {
                    assert_eq!(mtx_lock(mutex), 0);
                    while theirs.load(Ordering::Relaxed) % 2 != me {
                        assert_eq!(cnd_wait(condition, mutex), 0);
                    }
                    theirs.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(cnd_signal(condition), 0);
                    assert_eq!(mtx_unlock(mutex), 0);
                }
            }
        });
        assert_eq!(turn.load(Ordering::Relaxed), 100);
    });
}
