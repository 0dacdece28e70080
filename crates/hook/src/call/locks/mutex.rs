//! Mutexes.
//!
//! The words are the C library's, and so is their meaning, since OS threads lock by its own
//! functions:
//!
//! | `lock` | state | left by |
//! |---|---|---|
//! | 0 | free | who locks: to 1, or to 2 if it has waited |
//! | 1 | locked, nobody waits | the owner: to 0. Who is going to wait: to 2 |
//! | 2 | locked, somebody may wait | the owner: to 0, and wakes one |
//!
//! Whoever waits has set the word to 2 and looks at it once more when it is queued, in the lot or
//! in the kernel. Whoever frees a word that was 2 wakes one in the lot, or if there is none, one in
//! the kernel. A waiter that gets the lock leaves 2 behind, so that the next one is woken, wherever
//! it waits.
//!
//! The other words (owner, depth, users) belong to the owner. They are read without the lock only
//! to ask "is it me?", which no other thread can make true or false.
//!
//! Mutexes with priority inheritance are handled like those without, on all threads: the kernel,
//! which would arrange it, knows a coroutine by no id.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use libc::{clockid_t, pthread_mutex_t, timespec};
use lisle_rt::lot::{self, Until};
use lisle_sys::futex;

use super::deadline::{Deadline, never, until};
use crate::real::real;
use crate::turnstile;

/// A mutex as the C library has it on x86-64.
#[repr(C)]
struct Mutex {
    lock: AtomicU32,
    /// How often the owner of a recursive one has locked it.
    depth: AtomicU32,
    owner: AtomicU32,
    /// Threads that hold it or wait in a condition with it; `pthread_mutex_destroy` looks.
    users: AtomicU32,
    kind: AtomicI32,
}

/// Who may lock it again, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nobody. Adaptive ones too, which only spin for a while first.
    Plain,
    Recursive,
    ErrorCheck,
}

/// Bits of `kind`: robust, priority inheritance, priority ceiling, shared between processes.
const ROBUST: i32 = 16;
const INHERIT: i32 = 32;
const CEILING: i32 = 64;
const SHARED: i32 = 128;
/// The lock may be held by a transaction, of which the word knows nothing.
const ELISION: i32 = 256;

impl Mutex {
    /// # Safety
    /// `mutex` is a mutex that lives for `'a`.
    unsafe fn from_ptr<'a>(mutex: *mut pthread_mutex_t) -> &'a Self {
        // SAFETY: the caller's obligation; every field is an atomic.
        unsafe { &*mutex.cast() }
    }

    /// None if it is the C library's business alone, also if it was destroyed.
    #[inline]
    fn kind(&self) -> Option<Kind> {
        match self.kind.load(Ordering::Relaxed)
            & (3 | ROBUST | INHERIT | CEILING | SHARED)
            & !INHERIT
        {
            0 | 3 => Some(Kind::Plain),
            1 => Some(Kind::Recursive),
            2 => Some(Kind::ErrorCheck),
            _ => None,
        }
    }

    /// Whether OS threads lock it here, too.
    #[inline]
    fn is_ours_alone(&self) -> bool {
        self.kind.load(Ordering::Relaxed) & INHERIT != 0 && self.kind().is_some()
    }

    fn is_mine(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == lisle_rt::thread_id()
    }

    /// Locks it once more if the caller has it; what to return, if that is all.
    fn relock(&self, kind: Kind) -> Option<i32> {
        match kind {
            Kind::Recursive if self.is_mine() => {
                let depth = self.depth.load(Ordering::Relaxed).checked_add(1);
                let Some(depth) = depth else { return Some(libc::EAGAIN) };
                self.depth.store(depth, Ordering::Relaxed);
                Some(0)
            }
            Kind::ErrorCheck if self.is_mine() => Some(libc::EDEADLK),
            _ => None,
        }
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        self.lock.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// False after the deadline.
    fn acquire_slowly(&self, deadline: Option<Deadline>) -> bool {
        while self.lock.swap(2, Ordering::Acquire) != 0 {
            let moment = match until(deadline) {
                Until::Never => None,
                Until::At(moment) => Some(moment),
                Until::Past => return false,
            };
            // However it ends, the word tells.
            let _ = lot::wait(&self.lock, 2, lot::ANY, moment);
        }
        true
    }

    /// The caller has the lock now.
    #[inline]
    fn own(&self, kind: Kind) {
        if kind == Kind::Recursive {
            self.depth.store(1, Ordering::Relaxed);
        }
        self.owner.store(lisle_rt::thread_id(), Ordering::Relaxed);
    }

    #[inline]
    fn add_user(&self) {
        self.users.store(self.users.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Locks it. `deadline` is asked when the caller has to wait; None from it is `EINVAL`.
    #[inline]
    fn lock(&self, kind: Kind, deadline: impl FnOnce() -> Option<Option<Deadline>>) -> i32 {
        if kind != Kind::Plain
            && let Some(result) = self.relock(kind)
        {
            return result;
        }
        if !self.try_acquire() {
            let Some(deadline) = deadline() else { return libc::EINVAL };
            if !self.acquire_slowly(deadline) {
                return libc::ETIMEDOUT;
            }
        }
        self.own(kind);
        self.add_user();
        0
    }

    /// Unlocks it, and for good if `leaving`; else the caller goes on as a user.
    #[inline]
    fn unlock(&self, kind: Kind, leaving: bool) -> i32 {
        if kind != Kind::Plain {
            let free = self.lock.load(Ordering::Relaxed) == 0;
            if !self.is_mine() || kind == Kind::ErrorCheck && free {
                return libc::EPERM;
            }
            let depth = self.depth.load(Ordering::Relaxed);
            if kind == Kind::Recursive {
                self.depth.store(depth - 1, Ordering::Relaxed);
                if depth > 1 {
                    return 0;
                }
            }
        }
        self.owner.store(0, Ordering::Relaxed);
        if leaving {
            let users = self.users.load(Ordering::Relaxed);
            self.users.store(users.wrapping_sub(1), Ordering::Relaxed);
        }
        // The last touch: somebody else may lock it now, and destroy it.
        if self.lock.swap(0, Ordering::Release) > 1 {
            wake_one(&raw const self.lock, leaving);
        }
        0
    }
}

/// Wakes one, and lets it run first now and then if the caller `may_suspend`.
#[cold]
fn wake_one(word: *const AtomicU32, may_suspend: bool) {
    if lot::wake_coroutines(word.cast(), 1) == 0 {
        futex::wake_at(word.cast(), 1);
    } else if may_suspend {
        lot::after_waking();
    }
}

/// Unlocks a mutex for a wait in a condition variable; an error number if the caller has it not.
///
/// # Safety
/// `mutex` is a live mutex.
pub(super) unsafe fn release(mutex: *mut pthread_mutex_t) -> i32 {
    // SAFETY: the caller's obligation.
    let this = unsafe { Mutex::from_ptr(mutex) };
    match this.kind() {
        Some(kind) if !elided(this) => this.unlock(kind, false),
        // SAFETY: as above.
        _ => unsafe { pthread_mutex_unlock(mutex) },
    }
}

/// Locks it again afterwards.
///
/// # Safety
/// As for [`release`].
pub(super) unsafe fn take_back(mutex: *mut pthread_mutex_t) -> i32 {
    // SAFETY: the caller's obligation.
    let this = unsafe { Mutex::from_ptr(mutex) };
    match this.kind() {
        Some(kind) if !elided(this) => {
            // A recursive one that was not let go of entirely.
            if kind != Kind::Recursive || this.relock(kind).is_none() {
                this.acquire_slowly(None);
                this.own(kind);
            }
            0
        }
        // SAFETY: as above.
        _ => unsafe { pthread_mutex_lock(mutex) },
    }
}

fn elided(mutex: &Mutex) -> bool {
    mutex.kind.load(Ordering::Relaxed) & ELISION != 0
}

/// Locks a mutex that is the C library's alone, from a coroutine.
///
/// Tried with a deadline that is long past, which takes the mutex if it is free. `trylock` would
/// not do: glibc's leaves a mutex locked of which it says that it cannot be recovered.
///
/// # Safety
/// `mutex` is a live mutex.
unsafe fn lock_foreign(
    mutex: *mut pthread_mutex_t,
    has_deadline: bool,
    lock: impl FnOnce() -> i32,
) -> i32 {
    let past = timespec { tv_sec: 0, tv_nsec: 0 };
    let tried = real!(
        pthread_mutex_timedlock(mutex, &raw const past):
            fn(*mut pthread_mutex_t, *const timespec) -> i32
    );
    match tried {
        libc::ETIMEDOUT if has_deadline => lisle_rt::blocking(lock),
        libc::ETIMEDOUT => turnstile::one_at_a_time(mutex as usize, lock),
        _ => tried,
    }
}

/// Defines hooks that lock: without or with a deadline, and of which clock.
macro_rules! locking {
    ($($name:ident($($argument:ident: $kind:ty),*): $check:expr, $deadline:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), "(3).")]
        #[unsafe(no_mangle)]
        pub(super) unsafe extern "C-unwind" fn $name(
            mutex: *mut pthread_mutex_t $(, $argument: $kind)*
        ) -> i32 {
            let real = || real!(
                $name(mutex $(, $argument)*): fn(*mut pthread_mutex_t $(, $kind)*) -> i32
            );
            // SAFETY: a live mutex, by the caller's obligation.
            let this = unsafe { Mutex::from_ptr(mutex) };
            let suspends = lisle_rt::can_suspend();
            if !suspends && !this.is_ours_alone() || !$check {
                return real();
            }
            match this.kind() {
                Some(kind) => this.lock(kind, $deadline),
                None => {
                    let deadline: Option<Option<Deadline>> = $deadline();
                    // SAFETY: as above.
                    unsafe { lock_foreign(mutex, !matches!(deadline, Some(None)), real) }
                }
            }
        }
    )*};
}

locking! {
    pthread_mutex_lock(): true, never;
    __pthread_mutex_lock(): true, never;
    pthread_mutex_timedlock(time: *const timespec): true,
        // SAFETY: a live timespec, by the caller's obligation.
        || unsafe { Deadline::read(libc::CLOCK_REALTIME, time) }.map(Some);
    pthread_mutex_clocklock(clock: clockid_t, time: *const timespec): Deadline::knows(clock),
        // SAFETY: as above.
        || unsafe { Deadline::read(clock, time) }.map(Some);
}

/// See pthread_mutex_trylock(3).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C-unwind" fn pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> i32 {
    // SAFETY: a live mutex, by the caller's obligation.
    let this = unsafe { Mutex::from_ptr(mutex) };
    if !this.is_ours_alone() {
        return real!(pthread_mutex_trylock(mutex): fn(*mut pthread_mutex_t) -> i32);
    }
    let kind = this.kind().unwrap_or(Kind::Plain);
    if kind != Kind::Plain
        && let Some(result) = this.relock(kind)
    {
        return result;
    }
    if !this.try_acquire() {
        return libc::EBUSY;
    }
    this.own(kind);
    this.add_user();
    0
}

/// See pthread_mutex_trylock(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> i32 {
    // SAFETY: the caller's obligation.
    unsafe { pthread_mutex_trylock(mutex) }
}

/// See pthread_mutex_unlock(3).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C-unwind" fn pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> i32 {
    // SAFETY: a live mutex, by the caller's obligation.
    let this = unsafe { Mutex::from_ptr(mutex) };
    let elided = elided(this);
    match this.kind() {
        Some(kind) if !elided => this.unlock(kind, true),
        _ => {
            let word = &raw const this.lock;
            let result = real!(pthread_mutex_unlock(mutex): fn(*mut pthread_mutex_t) -> i32);
            if elided {
                lot::wake_coroutines(word.cast(), 1);
            }
            result
        }
    }
}

/// See pthread_mutex_unlock(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> i32 {
    // SAFETY: the caller's obligation.
    unsafe { pthread_mutex_unlock(mutex) }
}
