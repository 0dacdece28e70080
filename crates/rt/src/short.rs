//! A lock for the few instructions in which the queue of a channel or the like is changed.
//!
//! Waiting for it in a queue would cost more than what it guards. So whoever wants it spins, and
//! whoever has it is not preempted ([`Stay`]): a holder that does not run would keep all others
//! from running. OS threads are preempted by the kernel all the same, so after a while those who
//! spin give their processor away.
//!
//! Rejected: `std::sync::Mutex`. A contended one suspends the coroutine, which takes longer than
//! the section, and a section must not end on another worker than it began on if a wait is armed
//! in it.

use std::cell::UnsafeCell;
use std::fmt;
use std::hint;
use std::ops::{Deref, DerefMut};

use lisle_core::RawSpin;

use crate::platform::{Stay, give_processor_away};

/// A value under a lock that only spins. What is done with it held must be short, must not wait,
/// and must not allocate.
pub struct ShortLock<T> {
    raw: RawSpin,
    /// Reached through a [`ShortGuard`] alone, of which there is one while `raw` is held.
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives the value to one at a time, so that it is sent, never shared.
unsafe impl<T: Send> Sync for ShortLock<T> {}

impl<T> ShortLock<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        ShortLock { raw: RawSpin::new(), value: UnsafeCell::new(value) }
    }

    /// Takes the lock.
    #[inline]
    pub fn lock(&self) -> ShortGuard<'_, T> {
        let stay = Stay::begin();
        if !self.raw.try_lock() {
            self.lock_slow();
        }
        ShortGuard { lock: self, _stay: stay }
    }

    #[cold]
    fn lock_slow(&self) {
        // Some microseconds in all: longer than any holder that runs.
        const SPINS: u32 = 200;
        // Who has just had it has its memory at hand and is let to go on: that is faster for all.
        const BURST: u32 = 8;
        let (mut spins, mut burst) = (0, 1);
        loop {
            while self.raw.is_held() {
                if spins < SPINS {
                    spins += burst;
                    (0..burst).for_each(|_| hint::spin_loop());
                    burst = (burst * 2).min(BURST);
                } else {
                    give_processor_away();
                }
            }
            if self.raw.try_lock() {
                return;
            }
        }
    }

    /// The value, by the only owner.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: Default> Default for ShortLock<T> {
    fn default() -> Self {
        ShortLock::new(T::default())
    }
}

impl<T> fmt::Debug for ShortLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShortLock").finish_non_exhaustive()
    }
}

/// Holds a [`ShortLock`].
#[derive(Debug)]
pub struct ShortGuard<'a, T> {
    lock: &'a ShortLock<T>,
    /// Ends after the lock was given back; not `Send`, so that it is given back where it was taken.
    _stay: Stay,
}

impl<T> Deref for ShortGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held, and this guard is the only one.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for ShortGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed for as long.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for ShortGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: taken by `lock`; a guard is dropped once. The stay ends afterwards.
        unsafe { self.lock.raw.unlock() };
    }
}
