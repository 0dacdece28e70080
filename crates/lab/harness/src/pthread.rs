//! C's objects for waiting: mutexes, condition variables and their like.
//!
//! Each is in a box of its own that it never leaves, since others may wait at its address, and is
//! used by way of its pointer. The functions are those that the program is linked with: Lisle's
//! hooks in Lisle's harness program, the C library's in the others.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::pin::Pin;

use libc::{pthread_barrier_t, pthread_cond_t, pthread_mutex_t, pthread_rwlock_t, sem_t};

/// Defines an object by what destroys it.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident: $kind:ty, $destroy:path) => {
        $(#[$doc])*
        pub(crate) struct $name(Pin<Box<UnsafeCell<$kind>>>);

        // SAFETY: such objects are there to be used by many threads at once.
        unsafe impl Sync for $name {}

        impl $name {
            pub(crate) fn as_ptr(&self) -> *mut $kind {
                self.0.get()
            }

            /// Made by `init`, which returns 0.
            fn made(init: impl FnOnce(*mut $kind) -> c_int) -> Self {
                // SAFETY: C makes them of bytes, for which zero will do.
                let bytes: $kind = unsafe { MaybeUninit::zeroed().assume_init() };
                let object = $name(Box::pin(UnsafeCell::new(bytes)));
                succeed(init(object.as_ptr()));
                object
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: it was made, and nobody can wait in what nobody else can name.
                unsafe { $destroy(self.as_ptr()) };
            }
        }
    };
}

object! {
    /// A mutex.
    Mutex: pthread_mutex_t, libc::pthread_mutex_destroy
}

object! {
    /// A condition variable.
    Condition: pthread_cond_t, libc::pthread_cond_destroy
}

object! {
    /// A read-write lock.
    ReadWrite: pthread_rwlock_t, libc::pthread_rwlock_destroy
}

object! {
    /// A semaphore of this process.
    Semaphore: sem_t, libc::sem_destroy
}

object! {
    /// A barrier.
    Barrier: pthread_barrier_t, libc::pthread_barrier_destroy
}

impl Mutex {
    /// A mutex of the usual kind.
    pub(crate) fn new() -> Self {
        Mutex::of_kind(libc::PTHREAD_MUTEX_NORMAL)
    }

    /// A mutex of a `PTHREAD_MUTEX_` kind.
    pub(crate) fn of_kind(kind: c_int) -> Self {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the attributes are made before they are used, and live until they are destroyed.
        Mutex::made(|mutex| unsafe {
            succeed(libc::pthread_mutexattr_init(attributes.as_mut_ptr()));
            succeed(libc::pthread_mutexattr_settype(attributes.as_mut_ptr(), kind));
            let result = libc::pthread_mutex_init(mutex, attributes.as_ptr());
            succeed(libc::pthread_mutexattr_destroy(attributes.as_mut_ptr()));
            result
        })
    }
}

impl Condition {
    pub(crate) fn new() -> Self {
        // SAFETY: a live place; no attributes are the usual ones.
        Condition::made(|condition| unsafe { libc::pthread_cond_init(condition, std::ptr::null()) })
    }
}

impl ReadWrite {
    pub(crate) fn new() -> Self {
        // SAFETY: a live place; no attributes are the usual ones.
        ReadWrite::made(|lock| unsafe { libc::pthread_rwlock_init(lock, std::ptr::null()) })
    }
}

impl Semaphore {
    pub(crate) fn new(value: u32) -> Self {
        // SAFETY: a live place.
        Semaphore::made(|semaphore| unsafe { libc::sem_init(semaphore, 0, value) })
    }
}

impl Barrier {
    /// A barrier for so many tasks.
    pub(crate) fn new(tasks: usize) -> Self {
        let tasks = tasks as u32;
        // SAFETY: a live place; no attributes are the usual ones.
        Barrier::made(|barrier| unsafe {
            libc::pthread_barrier_init(barrier, std::ptr::null(), tasks)
        })
    }
}

/// What nothing but a mistake can make fail has not failed.
#[inline]
pub(crate) fn succeed(result: c_int) {
    assert_eq!(result, 0, "of an object for waiting");
}
