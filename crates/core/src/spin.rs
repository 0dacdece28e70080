//! Spin locks for sections of a few dozen instructions.
//!
//! A worker that waits for a lock in the kernel is a worker that runs no coroutine, and one that
//! parks its coroutine needs a queue, which needs a lock. At the bottom there has to be a lock that
//! only spins. What it guards must be short, must not switch stacks and must not allocate.
//!
//! ```text
//!          free -> held
//!   FREE ---------------> HELD        not free: look, look, look ... free? try again
//!     ^                     |                   (looks are loads; the line stays shared)
//!     '---------------------'
//!          store(free)
//! ```
//!
//! Rejected: a ticket lock (fair, but if the owner of the next ticket is off its processor
//! everybody waits for it), a queue lock (needs a node that outlives the wait; the sections are too
//! short to pay for it), a futex (this crate makes no system calls).

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::primitive::{
    Access, AtomicBool, SPIN_BURST, SPIN_EAGER, UnsafeCell, const_unless_loom, spin_loop,
};

/// A lock without contents and without a guard.
///
/// It exists for the one case a guard cannot express: locked on one stack, unlocked on another, as
/// when a coroutine locks a queue and the worker that left its stack unlocks it.
///
/// # Memory order
///
/// Taking the lock is Acquire and giving it back is Release, so a holder sees everything earlier
/// holders wrote. Looks at a held lock are Relaxed: they only decide when to try again. Taking is a
/// compare-exchange and not a swap: then every write to the word is a change of holder, and the
/// plain store of `unlock` competes with nobody's write (loom cannot order it after a losing
/// swap's).
pub struct RawSpin {
    /// | value   | meaning                                         | set by             |
    /// |---------|-------------------------------------------------|--------------------|
    /// | `false` | free; nobody is inside                          | `new`, `unlock`    |
    /// | `true`  | held; exactly one is inside or about to be told | `lock`, `try_lock` |
    held: AtomicBool,
}

impl RawSpin {
    const_unless_loom! {
        /// A free lock.
        pub fn new() -> Self {
            Self { held: AtomicBool::new(false) }
        }
    }

    /// Takes the lock, spinning until it is free.
    #[inline]
    pub fn lock(&self) {
        if !self.try_lock() {
            self.lock_slow();
        }
    }

    /// Takes the lock if it is free at this moment; true if it was taken.
    #[inline]
    pub fn try_lock(&self) -> bool {
        self.held.compare_exchange(false, true, Acquire, Relaxed).is_ok()
    }

    /// Whether somebody has the lock at this moment: for those who spin in a way of their own. A
    /// look leaves the line shared, which an attempt does not.
    #[inline]
    pub fn is_held(&self) -> bool {
        self.held.load(Relaxed)
    }

    /// Gives the lock back, from any thread and any stack.
    ///
    /// # Safety
    ///
    /// The lock is held, and whoever took it has handed the duty to unlock it to this call.
    #[inline]
    pub unsafe fn unlock(&self) {
        self.held.store(false, Release);
    }

    #[cold]
    fn lock_slow(&self) {
        let mut looks = 0;
        let mut burst = 1;
        loop {
            while self.held.load(Relaxed) {
                // A holder that is still inside after this many looks was probably taken off its
                // processor. Looking less often leaves the memory bus to those who work.
                if looks < SPIN_EAGER {
                    looks += 1;
                } else {
                    burst = (burst * 2).min(SPIN_BURST);
                }
                for _ in 0..burst {
                    spin_loop();
                }
            }
            if self.try_lock() {
                return;
            }
        }
    }
}

impl Default for RawSpin {
    fn default() -> Self {
        Self::new()
    }
}

/// A value behind a [`RawSpin`].
///
/// ```
/// use lisle_core::SpinLock;
///
/// static TOTAL: SpinLock<u64> = SpinLock::new(0);
/// *TOTAL.lock() += 2;
/// assert_eq!(*TOTAL.lock(), 2);
/// ```
pub struct SpinLock<T> {
    raw: RawSpin,
    /// Reached only through a [`SpinGuard`], of which there is one while `raw` is held.
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands `T` from thread to thread (hence `T: Send`) but never to two at once, so
// `T: Sync` is not needed.
unsafe impl<T: Send> Sync for SpinLock<T> {}
// SAFETY: moving the lock moves the value.
unsafe impl<T: Send> Send for SpinLock<T> {}

impl<T> SpinLock<T> {
    const_unless_loom! {
        /// A free lock around `value`.
        pub fn new(value: T) -> Self {
            Self { raw: RawSpin::new(), value: UnsafeCell::new(value) }
        }
    }

    /// Takes the lock, spinning until it is free.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        self.raw.lock();
        self.guard()
    }

    /// Takes the lock if it is free at this moment.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        self.raw.try_lock().then(|| self.guard())
    }

    /// The value, without locking: the exclusive borrow proves that nobody holds the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Makes the lock free, with a new value; the old one is forgotten. For the child of a fork,
    /// where a holder may be remembered that does not exist.
    ///
    /// # Safety
    ///
    /// Nobody holds the lock or takes it meanwhile.
    pub unsafe fn renew(&self, value: T) {
        // SAFETY: the caller's obligation.
        unsafe {
            self.value.access().ptr().write(value);
            self.raw.unlock();
        }
    }

    /// The guard of a lock that was just taken.
    fn guard(&self) -> SpinGuard<'_, T> {
        SpinGuard { access: self.value.access(), _unlock: Unlock(&self.raw) }
    }
}

impl<T: Default> Default for SpinLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// The right to use the value of a [`SpinLock`]; dropping it gives the lock back.
///
/// It stays on the thread that locked (`Access` holds a raw pointer, so it is not `Send`).
#[must_use = "the lock is given back when the guard is dropped"]
pub struct SpinGuard<'a, T> {
    // Dropped in this order: the access ends before the lock is free.
    access: Access<T>,
    _unlock: Unlock<'a>,
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so the lock is held and no other access to the value exists;
        // the lock outlives the guard (`Unlock` borrows it).
        unsafe { &*self.access.ptr() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` makes this the only borrow through the guard.
        unsafe { &mut *self.access.ptr() }
    }
}

/// Gives the lock back when dropped.
struct Unlock<'a>(&'a RawSpin);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        // SAFETY: only `SpinLock::guard` makes one of these, right after taking the lock.
        unsafe { self.0.unlock() }
    }
}
