//! What the running code is under: deadlines, tokens, and masks that shield from both.
//!
//! Each is an *extent*: a record on the stack, from the call that begins it to that call's return.
//! The innermost one is noted in a thread-local, which on a coroutine is the coroutine's own, so
//! coroutines and OS threads have their extents in the same way, and nobody pays for more than the
//! look at one word while there are none.
//!
//! ```text
//!   stack            INNERMOST
//!   |           |      |
//!   | masked    | <----'      hides what is further out
//!   | token     |             its node's flag
//!   | deadline  |             the nearest so far: min(own, outer)
//!   '-----------'
//! ```
//!
//! Whether a stop is due is *asked*, by who is about to wait and by who was woken, and never kept:
//! it is a fact from then on until the extent ends. So nothing is left over from a stop that came
//! too late, and whoever cancels need only see to it that those who wait look again.
//!
//! # Rejected
//!
//! 1. *A field in the coroutine's header that whoever cancels sets.* It would have to be taken back
//!    when an extent ends, against others that set it just then; masks would have to keep it for
//!    later; and OS threads have no header.
//! 2. *Arming a timer for each deadline.* Most deadlines do not come. A wait has a deadline anyway,
//!    and takes the nearer one.
//! 3. *Unwinding.* Code that holds a lock of C's or half-written state is not made for it; errors
//!    are what every caller of a system call expects.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::stop::Stop;

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
use lisle_sys::clock::now;

/// Nanoseconds since some moment.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
fn now() -> u64 {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The moment of a deadline that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// See the module. It stays where it is while it is the innermost one or around it.
struct Extent {
    outer: *const Extent,
    /// The nearest deadline of this one and of those around it, up to a mask.
    deadline: u64,
    /// The flag of a token, or null.
    cancelled: *const AtomicBool,
    /// That token, in a form that this layer does not know, or null.
    token: *const (),
    masks: bool,
}

thread_local! {
    /// The one that the running code is in, or null.
    static INNERMOST: Cell<*const Extent> = const { Cell::new(ptr::null()) };
}

impl Extent {
    /// One that changes nothing.
    fn new() -> Self {
        let outer = INNERMOST.get();
        Extent {
            outer,
            deadline: limit(),
            cancelled: ptr::null(),
            token: ptr::null(),
            masks: false,
        }
    }

    /// Runs `f` in it. It ends also when `f` unwinds.
    fn enter<R>(self, f: impl FnOnce() -> R) -> R {
        struct Leave(*const Extent);
        impl Drop for Leave {
            fn drop(&mut self) {
                INNERMOST.set(self.0);
            }
        }
        debug_assert!(ptr::eq(self.outer, INNERMOST.get()));
        let _leave = Leave(self.outer);
        INNERMOST.set(&raw const self);
        f()
    }
}

/// Runs `f` with a deadline so far from now, if there is none nearer.
pub fn deadline<R>(time: Duration, f: impl FnOnce() -> R) -> R {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(NEVER);
    until(now().saturating_add(nanos), f)
}

/// Runs `f` with this deadline, if there is none nearer.
pub fn deadline_at<R>(moment: Instant, f: impl FnOnce() -> R) -> R {
    deadline(moment.saturating_duration_since(Instant::now()), f)
}

/// Runs `f` with this deadline, in nanoseconds of the clock that timers have, if there is none
/// nearer.
pub(crate) fn until<R>(deadline: u64, f: impl FnOnce() -> R) -> R {
    let extent = Extent::new();
    Extent { deadline: deadline.min(extent.deadline), ..extent }.enter(f)
}

/// Runs `f` shielded from the deadlines and tokens around it.
pub fn masked<R>(f: impl FnOnce() -> R) -> R {
    Extent { deadline: NEVER, masks: true, ..Extent::new() }.enter(f)
}

/// Runs `f` so that it is stopped once the flag is set. Who sets it wakes those who wait. `token`
/// is what [`tokens`] has of it.
pub(crate) fn flagged<R>(flag: &AtomicBool, token: *const (), f: impl FnOnce() -> R) -> R {
    Extent { cancelled: flag, token, ..Extent::new() }.enter(f)
}

/// The tokens that the caller is under, from the innermost to the nearest mask. They are there as
/// long as the caller is in the extents of now.
pub(crate) fn tokens() -> impl Iterator<Item = *const ()> {
    let mut next = INNERMOST.get();
    let extents = std::iter::from_fn(move || {
        // SAFETY: null, or an extent that has not ended, as in `stopped`.
        let extent = unsafe { next.as_ref() }.filter(|extent| !extent.masks)?;
        next = extent.outer;
        Some(extent.token)
    });
    extents.filter(|token| !token.is_null())
}

/// Whether the caller is to stop what it does, and why.
#[inline]
pub fn stopped() -> Option<Stop> {
    // SAFETY: null, or an extent that has not ended: it is further up on this stack.
    unsafe { INNERMOST.get().as_ref() }.and_then(due)
}

#[cold]
fn due(innermost: &Extent) -> Option<Stop> {
    let mut next = Some(innermost);
    while let Some(extent) = next.filter(|extent| !extent.masks) {
        // SAFETY: null, or the flag of a token that lives as long as its extent.
        let flag = unsafe { extent.cancelled.as_ref() };
        if flag.is_some_and(|flag| flag.load(Ordering::Acquire)) {
            return Some(Stop::Cancelled);
        }
        // SAFETY: null, or an extent around this one.
        next = unsafe { extent.outer.as_ref() };
    }
    (innermost.deadline != NEVER && innermost.deadline <= now()).then_some(Stop::TimedOut)
}

/// Whether the caller is in any extent.
#[inline]
pub fn is_stoppable() -> bool {
    !INNERMOST.get().is_null()
}

/// The nearest deadline, in nanoseconds of the clock that timers have, or [`NEVER`].
#[inline]
pub(crate) fn limit() -> u64 {
    // SAFETY: as in `stopped`.
    unsafe { INNERMOST.get().as_ref() }.map_or(NEVER, |extent| extent.deadline)
}

/// How far it is to the nearest deadline.
pub(crate) fn left() -> Option<Duration> {
    let limit = limit();
    (limit != NEVER).then(|| Duration::from_nanos(limit.saturating_sub(now())))
}
