//! C's locks for tests: in boxes that stay in place, with the names of the calls.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::mem::zeroed;
use std::ptr;
use std::time::Duration;

use libc::{clockid_t, timespec};

/// A C object that threads share.
pub(crate) struct Shared<T>(UnsafeCell<T>);

// SAFETY: C's synchronisation objects are made for being shared, by their address.
unsafe impl<T> Sync for Shared<T> {}
// SAFETY: as above; they are moved only before they are used.
unsafe impl<T> Send for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Box<Self> {
        Box::new(Shared(UnsafeCell::new(value)))
    }

    pub(crate) fn get(&self) -> *mut T {
        self.0.get()
    }
}

pub(crate) type Mutex = Shared<libc::pthread_mutex_t>;
pub(crate) type Condition = Shared<libc::pthread_cond_t>;
pub(crate) type ReadWrite = Shared<libc::pthread_rwlock_t>;
pub(crate) type Semaphore = Shared<libc::sem_t>;
pub(crate) type Barrier = Shared<libc::pthread_barrier_t>;

/// What else a mutex may be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Trait {
    None,
    Inherit,
    Shared,
    Robust,
}

pub(crate) fn mutex(kind: c_int, with: Trait) -> Box<Mutex> {
    // SAFETY: all zeros are valid for C's types; the attributes live until they are destroyed.
    unsafe {
        let place = Shared::new(zeroed());
        let mut attr = zeroed();
        libc::pthread_mutexattr_init(&raw mut attr);
        assert_eq!(libc::pthread_mutexattr_settype(&raw mut attr, kind), 0);
        match with {
            Trait::None => 0,
            Trait::Inherit => {
                libc::pthread_mutexattr_setprotocol(&raw mut attr, libc::PTHREAD_PRIO_INHERIT)
            }
            Trait::Shared => {
                libc::pthread_mutexattr_setpshared(&raw mut attr, libc::PTHREAD_PROCESS_SHARED)
            }
            Trait::Robust => {
                libc::pthread_mutexattr_setrobust(&raw mut attr, libc::PTHREAD_MUTEX_ROBUST)
            }
        };
        assert_eq!(libc::pthread_mutex_init(place.get(), &raw const attr), 0);
        libc::pthread_mutexattr_destroy(&raw mut attr);
        place
    }
}

pub(crate) fn condition(clock: clockid_t, shared: c_int) -> Box<Condition> {
    // SAFETY: as above.
    unsafe {
        let place = Shared::new(zeroed());
        let mut attr = zeroed();
        libc::pthread_condattr_init(&raw mut attr);
        assert_eq!(libc::pthread_condattr_setclock(&raw mut attr, clock), 0);
        assert_eq!(libc::pthread_condattr_setpshared(&raw mut attr, shared), 0);
        assert_eq!(libc::pthread_cond_init(place.get(), &raw const attr), 0);
        libc::pthread_condattr_destroy(&raw mut attr);
        place
    }
}

/// `kind` is 0, or 2 for one that prefers writers.
pub(crate) fn read_write(kind: c_int, shared: c_int) -> Box<ReadWrite> {
    unsafe extern "C" {
        fn pthread_rwlockattr_setkind_np(
            attr: *mut libc::pthread_rwlockattr_t,
            kind: c_int,
        ) -> c_int;
    }
    // SAFETY: as above.
    unsafe {
        let place = Shared::new(zeroed());
        let mut attr = zeroed();
        libc::pthread_rwlockattr_init(&raw mut attr);
        assert_eq!(pthread_rwlockattr_setkind_np(&raw mut attr, kind), 0);
        assert_eq!(libc::pthread_rwlockattr_setpshared(&raw mut attr, shared), 0);
        assert_eq!(libc::pthread_rwlock_init(place.get(), &raw const attr), 0);
        place
    }
}

pub(crate) fn semaphore(value: u32, shared: c_int) -> Box<Semaphore> {
    // SAFETY: as above.
    let place = unsafe { Shared::new(zeroed()) };
    // SAFETY: a place for a semaphore.
    assert_eq!(unsafe { libc::sem_init(place.get(), shared, value) }, 0);
    place
}

pub(crate) fn barrier(count: u32, shared: c_int) -> Box<Barrier> {
    // SAFETY: as above.
    unsafe {
        let place = Shared::new(zeroed());
        let mut attr = zeroed();
        libc::pthread_barrierattr_init(&raw mut attr);
        assert_eq!(libc::pthread_barrierattr_setpshared(&raw mut attr, shared), 0);
        assert_eq!(libc::pthread_barrier_init(place.get(), &raw const attr, count), 0);
        place
    }
}

/// The moment after `span` from now by a clock; a negative one lies before.
pub(crate) fn moment(clock: clockid_t, span: Duration, past: bool) -> timespec {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live place.
    unsafe { libc::clock_gettime(clock, ptr::from_mut(&mut now)) };
    let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
    let then = if past { now - span } else { now + span };
    timespec { tv_sec: then.as_secs() as i64, tv_nsec: i64::from(then.subsec_nanos()) }
}
