//! Read-write locks.
//!
//! | bits of `state` | meaning | changed |
//! |---|---|---|
//! | `WRITER` | a writer has the lock | by who takes it and who gives it back |
//! | readers, below | how many readers have it | the same |
//! | `QUEUED` | somebody is queued, or was a moment ago | under the lock of the queue |
//!
//! Without `QUEUED` taking and giving back is one compare-exchange. With it, giving back happens
//! under the lock of the queue: the lock is handed to whom it is given, in one step, so that nobody
//! can come in between and the woken ones do not touch the word again. Whoever wants to be queued
//! sets the bit under the same lock while somebody has the lock (or, where writers are preferred,
//! while one of them is queued), so the one who has it will look.
//!
//! Who comes first is as with the C library: readers, who may also enter while writers wait; with
//! `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP` writers, for whom readers wait.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use libc::{clockid_t, pthread_rwlock_t, timespec};
use lisle_rt::lot::{self, Line, Parked, Until, Waiters};

use super::deadline::{Deadline, until};
use crate::real::real;

/// A read-write lock. What its initialisers set is where the C library has it.
#[repr(C)]
struct ReadWrite {
    state: AtomicU32,
    /// How many are queued; under the lock of the queue.
    readers: AtomicU32,
    writers: AtomicU32,
    unused: [u32; 3],
    /// The thread that has it for writing, 0 if none.
    writer: AtomicU32,
    /// 0 if it is not shared between processes.
    shared: AtomicI32,
    padding: [u32; 4],
    flags: AtomicU32,
}

const WRITER: u32 = 1 << 31;
const QUEUED: u32 = 1 << 30;
const READERS: u32 = QUEUED - 1;

/// Masks of those who wait.
const READS: u32 = 1;
const WRITES: u32 = 2;

/// `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP`.
const PREFER_WRITER: u32 = 2;

/// One that wants the lock.
struct Wish<'a> {
    lock: &'a ReadWrite,
    writes: bool,
    deadline: Option<Deadline>,
}

impl Line for Wish<'_> {
    fn admit(&self, _: &mut Waiters<'_>) -> bool {
        let ReadWrite { state, writers, .. } = self.lock;
        let preferred = !self.writes && self.lock.prefers_writers();
        let may_pass = !(preferred && writers.load(Ordering::Relaxed) != 0);
        let change = |state| match self.lock.entered(state, self.writes) {
            Some(entered) if may_pass => Some(entered),
            _ => Some(state | QUEUED),
        };
        let old = state.fetch_update(Ordering::Acquire, Ordering::Relaxed, change);
        let old = old.unwrap_or_else(|state| state);
        let waits = !(may_pass && self.lock.entered(old, self.writes).is_some());
        if waits {
            change_by(self.lock.queued(self.writes), 1);
        }
        waits
    }

    fn until(&self) -> Until {
        until(self.deadline)
    }

    /// Readers may have waited for this writer alone.
    fn give_up(&self, others: &mut Waiters<'_>) {
        let ReadWrite { state, readers, writers, .. } = self.lock;
        change_by(self.lock.queued(self.writes), -1);
        let last_writer = self.writes && writers.load(Ordering::Relaxed) == 0;
        if last_writer && readers.load(Ordering::Relaxed) != 0 {
            // In for them, so that no writer can come in between.
            let enter = |state| self.lock.entered(state, false);
            if state.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_ok() {
                let woken = self.lock.wake(others, READS, u32::MAX);
                state.fetch_add(woken, Ordering::Relaxed);
                state.fetch_sub(1, Ordering::Release);
            }
        }
        if !self.lock.has_queue() {
            state.fetch_and(!QUEUED, Ordering::Relaxed);
        }
    }
}

/// Changes a number that is guarded by the lock of the queue.
fn change_by(number: &AtomicU32, by: i32) {
    number.store(number.load(Ordering::Relaxed).wrapping_add_signed(by), Ordering::Relaxed);
}

impl ReadWrite {
    /// # Safety
    /// `lock` is a read-write lock that lives for `'a`.
    unsafe fn from_ptr<'a>(lock: *mut pthread_rwlock_t) -> &'a Self {
        // SAFETY: the caller's obligation; every field in use is an atomic.
        unsafe { &*lock.cast() }
    }

    fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed) != 0
    }

    fn prefers_writers(&self) -> bool {
        self.flags.load(Ordering::Relaxed) == PREFER_WRITER
    }

    fn is_mine(&self) -> bool {
        self.writer.load(Ordering::Relaxed) == lisle_rt::thread_id()
    }

    /// How many of a kind are queued.
    fn queued(&self, writes: bool) -> &AtomicU32 {
        if writes { &self.writers } else { &self.readers }
    }

    fn has_queue(&self) -> bool {
        self.readers.load(Ordering::Relaxed) | self.writers.load(Ordering::Relaxed) != 0
    }

    /// Wakes up to `count` of a kind; returns how many there were.
    fn wake(&self, waiters: &mut Waiters<'_>, mask: u32, count: u32) -> u32 {
        let queued = self.queued(mask == WRITES);
        let there = queued.load(Ordering::Relaxed);
        // Looking for those who are not there would be a walk through the whole queue.
        if there == 0 {
            return 0;
        }
        let wanted = there.min(count);
        let woken = waiters.wake(mask, wanted as usize) as u32;
        // In the child of a fork those are missing who wait in the parent.
        queued.store(if woken < wanted { 0 } else { there - woken }, Ordering::Relaxed);
        woken
    }

    fn address(&self) -> usize {
        self.state.as_ptr() as usize
    }

    /// The state after another one has entered; None if it has to wait.
    fn entered(&self, state: u32, writes: bool) -> Option<u32> {
        if writes {
            (state & (WRITER | READERS) == 0).then_some(state | WRITER)
        } else {
            (state & WRITER == 0).then_some(state + 1)
        }
    }

    /// Enters at once, if that does not need the queue.
    #[inline]
    fn enter(&self, writes: bool) -> bool {
        let passes_queue = writes || !self.prefers_writers();
        self.state
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |state| {
                let asks_queue = state & QUEUED != 0 && !passes_queue;
                self.entered(state, writes).filter(|_| !asks_queue)
            })
            .is_ok()
    }

    /// Enters, or says why not. A deadline that is none is `EINVAL`, also if the lock is free.
    #[inline]
    fn lock(&self, writes: bool, deadline: Option<Option<Deadline>>) -> i32 {
        let Some(deadline) = deadline else { return libc::EINVAL };
        if self.is_mine() {
            return libc::EDEADLK;
        }
        if !writes && self.state.load(Ordering::Relaxed) & READERS == READERS {
            return libc::EAGAIN;
        }
        if !self.enter(writes) {
            let mask = if writes { WRITES } else { READS };
            let wish = Wish { lock: self, writes, deadline };
            if lot::park(self.address(), mask, &wish) == Parked::TimedOut {
                return libc::ETIMEDOUT;
            }
        }
        if writes {
            self.writer.store(lisle_rt::thread_id(), Ordering::Relaxed);
        }
        0
    }

    fn try_lock(&self, writes: bool) -> i32 {
        if !writes && self.state.load(Ordering::Relaxed) & READERS == READERS {
            return libc::EAGAIN;
        }
        let queue_decides = || {
            lot::with_waiters(self.address(), |_| {
                let enter = |state| self.entered(state, writes);
                self.writers.load(Ordering::Relaxed) == 0
                    && self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_ok()
            })
        };
        if !self.enter(writes) && (writes || !self.prefers_writers() || !queue_decides()) {
            return libc::EBUSY;
        }
        if writes {
            self.writer.store(lisle_rt::thread_id(), Ordering::Relaxed);
        }
        0
    }

    fn unlock(&self) -> i32 {
        // Not who has it: in the child of a fork that has another id.
        let writes = self.state.load(Ordering::Relaxed) & WRITER != 0;
        if writes {
            self.writer.store(0, Ordering::Relaxed);
        }
        let leave = |state: u32| {
            let left = if writes { state & !WRITER } else { state.wrapping_sub(1) };
            // The last one out looks after those who wait.
            (state & QUEUED == 0 || left & READERS != 0).then_some(left)
        };
        if self.state.fetch_update(Ordering::Release, Ordering::Relaxed, leave).is_err() {
            lot::with_waiters(self.address(), |waiters| self.hand_over(writes, waiters));
        }
        0
    }

    /// Leaves, and gives the lock to those whose turn it is.
    fn hand_over(&self, writes: bool, waiters: &mut Waiters<'_>) {
        // Readers may have come since; then this one is not the last. The last one makes the lock a
        // writer's, so that nobody comes in between.
        let leave = |state: u32| match state & READERS {
            _ if writes => Some(state),
            1 => Some((state - 1) | WRITER),
            _ => Some(state - 1),
        };
        let old = self.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, leave);
        if !writes && old.is_ok_and(|state| state & READERS > 1) {
            return;
        }
        let (mut readers, mut writer) = (0, 0);
        if writes && !self.prefers_writers() {
            readers = self.wake(waiters, READS, u32::MAX);
        }
        if readers == 0 {
            writer = self.wake(waiters, WRITES, 1);
        }
        if readers + writer == 0 {
            readers = self.wake(waiters, READS, u32::MAX);
        }
        let queued = if self.has_queue() { QUEUED } else { 0 };
        // Who was woken looks at the word when the queue is unlocked.
        self.state.store(readers | (writer * WRITER) | queued, Ordering::Release);
    }
}

/// Defines hooks that lock: for writing or not, and how long.
macro_rules! locking {
    ($($name:ident($($argument:ident: $kind:ty),*): $writes:expr, $check:expr, $deadline:expr;)*)
    => {$(
        #[doc = concat!("See ", stringify!($name), "(3).")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            lock: *mut pthread_rwlock_t $(, $argument: $kind)*
        ) -> i32 {
            // SAFETY: a live lock, by the caller's obligation.
            let this = unsafe { ReadWrite::from_ptr(lock) };
            if this.is_shared() {
                return lisle_rt::blocking(|| real!(
                    $name(lock $(, $argument)*): fn(*mut pthread_rwlock_t $(, $kind)*) -> i32
                ));
            }
            if !$check {
                return libc::EINVAL;
            }
            this.lock($writes, $deadline)
        }
    )*};
}

/// No deadline.
const NEVER: Option<Option<Deadline>> = Some(None);

locking! {
    pthread_rwlock_rdlock(): false, true, NEVER;
    __pthread_rwlock_rdlock(): false, true, NEVER;
    pthread_rwlock_wrlock(): true, true, NEVER;
    __pthread_rwlock_wrlock(): true, true, NEVER;
    pthread_rwlock_timedrdlock(time: *const timespec): false, true,
        // SAFETY: a live timespec, by the caller's obligation.
        unsafe { Deadline::read(libc::CLOCK_REALTIME, time) }.map(Some);
    pthread_rwlock_timedwrlock(time: *const timespec): true, true,
        // SAFETY: as above.
        unsafe { Deadline::read(libc::CLOCK_REALTIME, time) }.map(Some);
    pthread_rwlock_clockrdlock(clock: clockid_t, time: *const timespec): false,
        Deadline::knows(clock),
        // SAFETY: as above.
        unsafe { Deadline::read(clock, time) }.map(Some);
    pthread_rwlock_clockwrlock(clock: clockid_t, time: *const timespec): true,
        Deadline::knows(clock),
        // SAFETY: as above.
        unsafe { Deadline::read(clock, time) }.map(Some);
}

/// Defines hooks that never wait.
macro_rules! trying {
    ($($name:ident: $call:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), "(3).")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(lock: *mut pthread_rwlock_t) -> i32 {
            // SAFETY: a live lock, by the caller's obligation.
            let this = unsafe { ReadWrite::from_ptr(lock) };
            if this.is_shared() {
                return real!($name(lock): fn(*mut pthread_rwlock_t) -> i32);
            }
            $call(this)
        }
    )*};
}

trying! {
    pthread_rwlock_tryrdlock: |this: &ReadWrite| this.try_lock(false);
    __pthread_rwlock_tryrdlock: |this: &ReadWrite| this.try_lock(false);
    pthread_rwlock_trywrlock: |this: &ReadWrite| this.try_lock(true);
    __pthread_rwlock_trywrlock: |this: &ReadWrite| this.try_lock(true);
    pthread_rwlock_unlock: ReadWrite::unlock;
    __pthread_rwlock_unlock: ReadWrite::unlock;
}
