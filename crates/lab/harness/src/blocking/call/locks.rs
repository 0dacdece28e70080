//! C's locks and their like that nobody else uses, and futexes that nobody waits in.

use std::ffi::{c_int, c_long};
use std::sync::atomic::{AtomicI32, AtomicU32};

use libc::{pthread_cond_t, pthread_mutex_t, pthread_rwlock_t, sem_t};

use super::way::{Loop, Way, function, repeat};
use crate::Outcome;
use crate::pthread::{Condition, Mutex, ReadWrite, Semaphore};

type OfMutex = unsafe extern "C" fn(*mut pthread_mutex_t) -> c_int;
type OfReadWrite = unsafe extern "C" fn(*mut pthread_rwlock_t) -> c_int;
type OfSemaphore = unsafe extern "C" fn(*mut sem_t) -> c_int;
type OfCondition = unsafe extern "C" fn(*mut pthread_cond_t) -> c_int;
type Once = unsafe extern "C" fn(*mut c_int, extern "C" fn()) -> c_int;
type SystemCall = unsafe extern "C" fn(c_long, ...) -> c_long;

/// What the `libc` crate does not declare.
mod more {
    use std::ffi::c_int;

    // SAFETY: this is the declaration of pthread_once(3).
    unsafe extern "C" {
        pub(super) fn pthread_once(control: *mut c_int, init: extern "C" fn()) -> c_int;
    }
}

/// A mutex is locked and unlocked.
pub(super) fn mutex(way: Way) -> Outcome<Loop> {
    lock(way, Mutex::new())
}

/// A recursive mutex is locked and unlocked.
pub(super) fn recursive(way: Way) -> Outcome<Loop> {
    lock(way, Mutex::of_kind(libc::PTHREAD_MUTEX_RECURSIVE))
}

fn lock(way: Way, mutex: Mutex) -> Outcome<Loop> {
    let lock = function!(way, libc::pthread_mutex_lock: OfMutex);
    let unlock = function!(way, libc::pthread_mutex_unlock: OfMutex);
    // SAFETY: a live mutex, which is locked when it is unlocked.
    repeat(move || unsafe { lock(mutex.as_ptr()) == 0 && unlock(mutex.as_ptr()) == 0 })
}

/// A read-write lock is locked to read, and unlocked.
pub(super) fn read(way: Way) -> Outcome<Loop> {
    let lock = function!(way, libc::pthread_rwlock_rdlock: OfReadWrite);
    let unlock = function!(way, libc::pthread_rwlock_unlock: OfReadWrite);
    let object = ReadWrite::new();
    // SAFETY: a live lock, which is locked when it is unlocked.
    repeat(move || unsafe { lock(object.as_ptr()) == 0 && unlock(object.as_ptr()) == 0 })
}

/// A semaphore is posted to and taken from.
pub(super) fn semaphore(way: Way) -> Outcome<Loop> {
    let post = function!(way, libc::sem_post: OfSemaphore);
    let wait = function!(way, libc::sem_wait: OfSemaphore);
    let semaphore = Semaphore::new(0);
    // SAFETY: a live semaphore.
    repeat(move || unsafe { post(semaphore.as_ptr()) == 0 && wait(semaphore.as_ptr()) == 0 })
}

/// A condition variable is signalled.
pub(super) fn signal(way: Way) -> Outcome<Loop> {
    let signal = function!(way, libc::pthread_cond_signal: OfCondition);
    let condition = Condition::new();
    // SAFETY: a live condition variable.
    repeat(move || unsafe { signal(condition.as_ptr()) == 0 })
}

/// What was done once is not done again.
pub(super) fn once(way: Way) -> Outcome<Loop> {
    static DONE: AtomicI32 = AtomicI32::new(0);
    extern "C" fn nothing() {}

    let once = function!(way, more::pthread_once: Once);
    // SAFETY: a live control word that was 0 at first.
    repeat(move || unsafe { once(DONE.as_ptr(), nothing) == 0 })
}

/// A word's waiters are woken.
pub(super) fn futex_wake(way: Way) -> Outcome<Loop> {
    let call = function!(way, libc::syscall: SystemCall);
    let word = Box::new(AtomicU32::new(0));
    let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    repeat(move || {
        // SAFETY: a live word.
        unsafe { call(libc::SYS_futex, word.as_ptr(), wake, 1) == 0 }
    })
}
