//! Wait queues keyed by address: the coroutines' futex.
//!
//! Every lock that waits in the kernel by `futex` - std's, parking_lot's, crossbeam's - waits here
//! instead when it is taken on a coroutine. OS threads go on waiting in the kernel, on the same
//! words, so a wake-up looks in both places and counts both.
//!
//! # Protocol
//!
//! A waiter (coroutine) registers in the bucket's count, takes the bucket's lock, looks whether the
//! word still has the value it was called with, queues itself and releases the lock; a waker takes
//! the lock too. So either the waker finds the waiter, or the waiter finds the changed word.
//!
//! Looking costs the waker nothing when nobody waits: it fences and reads the two counts. The
//! waiter's count goes up, fenced, before it reads the word; the waker's change of the word comes,
//! fenced, before it reads the count. One of the two sees the other's.
//!
//! OS threads that wait through our hook are counted per bucket, with the kernel in the role of the
//! lock: it compares the word under a lock of its own.
//!
//! C's own objects use the same queues in another way, see `park`.

mod generation;
mod park;
mod queue;

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use lisle_sys::{Errno, clock, futex};

use super::{current, signals, turn};
use queue::bucket;

pub(crate) use generation::forget_after_fork;
pub use park::{Line, Parked, Until, park, with_waiters};
pub use queue::Waiters;

/// Matches every waiter.
pub const ANY: u32 = u32::MAX;

/// Waits while `word` is `expected`, until a [`wake`] whose mask has a bit in common with `mask`,
/// at most until the deadline in nanoseconds of the monotonic clock.
///
/// Suspends the coroutine where it can be suspended, else blocks the OS thread.
///
/// # Errors
/// `EAGAIN` when the word has another value, `ETIMEDOUT`, `EINTR`.
pub fn wait(
    word: &AtomicU32,
    expected: u32,
    mask: u32,
    deadline: Option<u64>,
) -> Result<(), Errno> {
    /// Waits once: the deadline is of the clock that timers have.
    struct Futex<'a> {
        word: &'a AtomicU32,
        expected: u32,
        deadline: Option<u64>,
    }
    impl Line for Futex<'_> {
        const SETTLES: bool = false;
        fn admit(&self, _: &mut Waiters<'_>) -> bool {
            self.word.load(Ordering::SeqCst) == self.expected
        }
        fn until(&self) -> Until {
            match self.deadline {
                None => Until::Never,
                Some(deadline) if deadline > clock::now() => Until::At(deadline),
                Some(_) => Until::Past,
            }
        }
        fn interrupted(&self) -> bool {
            signals::handled(false)
        }
        fn give_up(&self, _: &mut Waiters<'_>) {}
    }
    if current::suspendable().is_none() {
        return counted_in_kernel(word.as_ptr(), || futex::wait(word, expected, deadline));
    }
    match park(word.as_ptr() as usize, mask, &Futex { word, expected, deadline }) {
        Parked::Woken => Ok(()),
        Parked::Admitted => Err(Errno::AGAIN),
        Parked::Interrupted => Err(Errno::INTR),
        Parked::TimedOut | Parked::Refused => Err(Errno::TIMEDOUT),
    }
}

/// Runs a wait in the kernel for the word at `address`, such that [`wake`] knows of it. It may
/// unwind.
pub fn counted_in_kernel<R>(address: *const u32, wait: impl FnOnce() -> R) -> R {
    struct Counted<'a>(&'a AtomicU32);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let count = &bucket(address as usize).in_kernel;
    count.fetch_add(1, Ordering::SeqCst);
    let _counted = Counted(count);
    wait()
}

/// Wakes up to `count` waiters for the word at `address` whose mask has a bit in common with
/// `mask`, oldest first: coroutines, then OS threads through `in_kernel(rest)`, which is called if
/// there may be any and returns how many it woke. Returns how many there were.
pub fn wake(
    address: *const u32,
    count: usize,
    mask: u32,
    in_kernel: impl FnOnce(usize) -> usize,
) -> usize {
    let bucket = bucket(address as usize);
    let (waiters, threads) = bucket.anybody();
    let woken = if waiters {
        bucket.with(address as usize, |waiters| waiters.wake(mask, count))
    } else {
        0
    };
    if threads && woken < count { woken + in_kernel(count - woken) } else { woken }
}

/// As [`wake`], for coroutines alone: OS threads that wait in the kernel are woken by the caller,
/// who knows whether there are any.
pub fn wake_coroutines(address: *const u32, count: usize) -> usize {
    wake(address, count, ANY, |_| 0)
}

thread_local! {
    /// How often the running coroutine has woken others since it gave way to them.
    static WOKEN: Cell<u32> = const { Cell::new(0) };
}

/// To be called by a hook that has woken others, when it has nothing left to do but return.
///
/// The woken ones have yet to take what they were woken for: a lock, say. A coroutine that wants it
/// back at once has it before them, and if it suspends only while it has it, so it goes on for
/// ever: where a thread is preempted at some time, a coroutine is not. So every few times it lets
/// them run first.
#[inline]
pub fn after_waking() {
    const OFTEN: u32 = 8;
    let woken = WOKEN.get() + 1;
    WOKEN.set(woken % OFTEN);
    if woken == OFTEN && current::suspendable().is_some() {
        turn::yield_now();
    }
}
