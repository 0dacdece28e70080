//! Semaphores.
//!
//! The words are the C library's: the value and the number of those who wait, in one 64-bit word.
//! A post adds to the value and learns from the same operation whether anybody waits; if so it
//! wakes one coroutine, or if none waits, one OS thread. The woken one takes from the value if it
//! finds it positive, else it waits again.
//!
//! Nobody sleeps while the value is positive and nobody is on the way to take it: a waiter counts
//! itself, and then looks at the value once more when it is queued. So a post either comes before
//! that look, or sees the count and wakes somebody who has not looked yet or is queued.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use libc::{clockid_t, sem_t, timespec};
use lisle_rt::cancel;
use lisle_rt::lot::{self, Until};
use lisle_sys::{Errno, futex};

use super::deadline::{Deadline, until};
use crate::real::{outcome, real};
use crate::turnstile;

/// A semaphore as the C library has it on 64-bit machines.
#[repr(C)]
struct Semaphore {
    /// The value below, above it how many wait.
    data: AtomicU64,
    /// 0 if it is not shared between processes.
    shared: AtomicI32,
}

const WAITER: u64 = 1 << 32;
const VALUE: u64 = WAITER - 1;

impl Semaphore {
    /// # Safety
    /// `sem` is a semaphore that lives for `'a`.
    unsafe fn from_ptr<'a>(sem: *mut sem_t) -> &'a Self {
        // SAFETY: the caller's obligation; every field is an atomic.
        unsafe { &*sem.cast() }
    }

    fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed) != 0
    }

    /// The half that holds the value, for waiting.
    fn value(&self) -> &AtomicU32 {
        // SAFETY: the lower half of a live word; on a little-endian machine it comes first.
        unsafe { &*self.data.as_ptr().cast::<AtomicU32>() }
    }

    /// Takes one and leaves `waiters` out of the count, if the value allows.
    fn take(&self, waiters: u64) -> bool {
        let take = |data: u64| (data & VALUE != 0).then(|| data - 1 - waiters * WAITER);
        self.data.fetch_update(Ordering::Acquire, Ordering::Relaxed, take).is_ok()
    }

    fn wait(&self, deadline: Option<Deadline>) -> Result<usize, Errno> {
        if self.take(0) {
            return Ok(0);
        }
        self.data.fetch_add(WAITER, Ordering::SeqCst);
        while !self.take(1) {
            let moment = match until(deadline) {
                Until::Never => None,
                Until::At(moment) => Some(moment),
                Until::Past => return self.give_up(Errno::TIMEDOUT),
            };
            // However else it ends, the value tells.
            if cancel::is_cancelled()
                || lot::wait(self.value(), 0, lot::ANY, moment) == Err(Errno::INTR)
            {
                return self.give_up(Errno::INTR);
            }
        }
        Ok(0)
    }

    /// The wake-up that this one may have had is not lost: the value tells those who wait on.
    fn give_up(&self, why: Errno) -> Result<usize, Errno> {
        self.data.fetch_sub(WAITER, Ordering::Relaxed);
        Err(why)
    }

    fn post(&self) -> Result<usize, Errno> {
        let add = |data: u64| (data & VALUE < i32::MAX as u64).then_some(data + 1);
        let word = self.data.as_ptr().cast_const().cast::<u32>();
        // The last touch: somebody may take it now, and destroy the semaphore.
        let data = self.data.fetch_update(Ordering::SeqCst, Ordering::Relaxed, add);
        let data = data.map_err(|_| Errno(libc::EOVERFLOW))?;
        if data >= WAITER {
            if lot::wake_coroutines(word, 1) == 0 {
                futex::wake_at(word, 1);
            } else {
                lot::after_waking();
            }
        }
        Ok(0)
    }
}

/// Waits for a semaphore from a coroutine that can suspend.
///
/// # Safety
/// `sem` is a live semaphore.
unsafe fn wait(sem: *mut sem_t, deadline: Option<Deadline>, real: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the caller's obligation.
    let this = unsafe { Semaphore::from_ptr(sem) };
    if !this.is_shared() {
        return outcome(this.wait(deadline)) as i32;
    }
    match deadline {
        _ if this.take(0) => 0,
        None => turnstile::one_at_a_time(sem as usize, real),
        Some(_) => lisle_rt::blocking(real),
    }
}

/// See sem_wait(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sem_wait(sem: *mut sem_t) -> i32 {
    let real = || real!(sem_wait(sem): fn(*mut sem_t) -> i32);
    if !lisle_rt::can_suspend() {
        return real();
    }
    // SAFETY: a live semaphore, by the caller's obligation.
    unsafe { wait(sem, None, real) }
}

/// See sem_timedwait(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sem_timedwait(sem: *mut sem_t, time: *const timespec) -> i32 {
    let real = || real!(sem_timedwait(sem, time): fn(*mut sem_t, *const timespec) -> i32);
    if !lisle_rt::can_suspend() {
        return real();
    }
    // SAFETY: a live semaphore and time, by the caller's obligation.
    unsafe {
        match Deadline::read(libc::CLOCK_REALTIME, time) {
            Some(deadline) => wait(sem, Some(deadline), real),
            None => outcome(Err(Errno::INVAL)) as i32,
        }
    }
}

/// See sem_clockwait(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sem_clockwait(
    sem: *mut sem_t,
    clock: clockid_t,
    time: *const timespec,
) -> i32 {
    let real = || {
        real!(
            sem_clockwait(sem, clock, time):
                fn(*mut sem_t, clockid_t, *const timespec) -> i32
        )
    };
    if !lisle_rt::can_suspend() {
        return real();
    }
    // SAFETY: a live semaphore and time, by the caller's obligation.
    unsafe {
        match Deadline::read(clock, time) {
            Some(deadline) if Deadline::knows(clock) => wait(sem, Some(deadline), real),
            _ => outcome(Err(Errno::INVAL)) as i32,
        }
    }
}

/// See sem_post(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sem_post(sem: *mut sem_t) -> i32 {
    // SAFETY: a live semaphore, by the caller's obligation.
    let this = unsafe { Semaphore::from_ptr(sem) };
    if this.is_shared() {
        return real!(sem_post(sem): fn(*mut sem_t) -> i32);
    }
    outcome(this.post()) as i32
}
