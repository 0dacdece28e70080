//! Sections that a signal's handler must not interrupt, and the locks that are such sections.
//!
//! A handler may call whatever is allowed in handlers: `sem_post`, `write`, `close`, `kill`. Hooks
//! and runtime serve these calls, and take spin locks for it. If the handler interrupted the holder
//! of such a lock it would spin for ever. So whoever holds one says so, and the wrapper of handlers
//! (`signal`) puts a signal that strikes in a section off until the section ends. FreeBSD's
//! libthr does the same (`THR_CRITICAL_ENTER`, `check_deferred_signal` in its `thr_sig.c`).
//!
//! ```text
//!   enter: depth + 1
//!     signal: depth > 0: blocked for this OS thread, queued to it again, noted in DEFERRED
//!   leave: depth - 1; 0 and something noted: unblocked, and the kernel delivers it here
//! ```
//!
//! So it is the kernel that keeps a signal that was put off, with all its information, and calls
//! the handler later as it would have: alternate stack, mask, registers.
//!
//! Depth and note are thread-locals, hence of the stack that is running: coroutines have their own.
//! Sections never leave their stack, so both are used by one stack alone. A handler leaves the
//! depth as it found it. It may interrupt between the two halves of an increment, which is why that
//! needs no atomic instruction, only an order: the depth goes down before the note is read.
//!
//! What only a worker's own thread may touch (its run queue) is not locked. Handlers do not touch
//! it: what they wake goes to the injector.
//!
//! # Rejected
//!
//! 1. *Block signals in sections.* Two system calls each.
//! 2. *Note the signals in memory of our own.* It has a bound, and calling handlers with the right
//!    mask and stack, as the kernel does, would have to be written again.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

use lisle_sys::signal::{self, Change};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Signals put off by the handlers' wrapper.
    static DEFERRED: Cell<u64> = const { Cell::new(0) };
    /// On a carrier's own thread block: the note of the coroutine that makes a detour there, or
    /// null. Set and cleared by that coroutine, through [`Detour`].
    static DETOUR: Cell<*const Cell<u64>> = const { Cell::new(ptr::null()) };
}

/// Where a carrier's own thread block has its `DETOUR`.
#[derive(Clone, Copy)]
pub(crate) struct Detour(*const Cell<*const Cell<u64>>);

impl Detour {
    pub(crate) const NOWHERE: Detour = Detour(ptr::null());

    /// That of the running stack, for as long as its thread lasts.
    pub(crate) fn here() -> Self {
        DETOUR.with(|place| Detour(place))
    }

    /// Runs `f`, which uses the thread block of this place, in a section of the running stack, of
    /// which it is part: a signal that strikes there is put off until the section ends, and noted
    /// for the running stack.
    ///
    /// # Safety
    /// The place is that of the OS thread below, and called within a section.
    #[inline]
    pub(crate) unsafe fn make(self, f: impl FnOnce()) {
        // SAFETY: the thread below lasts, and what it runs is this.
        let place = unsafe { &*self.0 };
        DEFERRED.with(|note| place.set(note));
        compiler_fence(Ordering::SeqCst);
        f();
        compiler_fence(Ordering::SeqCst);
        place.set(ptr::null());
    }
}

/// Begins a section.
#[inline]
pub(crate) fn enter() {
    DEPTH.set(DEPTH.get() + 1);
    compiler_fence(Ordering::SeqCst);
}

/// Ends a section.
#[inline]
pub(crate) fn leave() {
    compiler_fence(Ordering::SeqCst);
    let depth = DEPTH.get() - 1;
    DEPTH.set(depth);
    compiler_fence(Ordering::SeqCst);
    if depth == 0 && DEFERRED.get() != 0 {
        deliver();
    }
}

#[cold]
fn deliver() {
    // Noted signals are blocked, so nothing is added to the note but by a section in a handler that
    // interrupts here, which also takes it away.
    signal::change_mask(Change::Unblock, DEFERRED.take());
}

/// Runs `f`, which takes a lock that is none of this module's.
#[inline]
pub(crate) fn within<R>(f: impl FnOnce() -> R) -> R {
    enter();
    let result = f();
    leave();
    result
}

/// Whether the running stack is in a section. Asked by the wrapper of handlers.
pub(crate) fn is_inside() -> bool {
    DEPTH.get() != 0 || !DETOUR.get().is_null()
}

/// Notes that a signal was put off. Called by the wrapper of handlers, in a section.
pub(crate) fn defer(signal: i32) {
    // SAFETY: null, or the note of a stack that is in use, on this OS thread.
    match unsafe { DETOUR.get().as_ref() } {
        Some(note) => note.set(note.get() | signal::set_of(signal)),
        None => DEFERRED.set(DEFERRED.get() | signal::set_of(signal)),
    }
}

/// A spin lock whose holder is in a section.
pub struct RawSpin(lisle_core::RawSpin);

impl RawSpin {
    /// A free lock.
    #[allow(clippy::new_without_default, reason = "nobody wants one")]
    pub const fn new() -> Self {
        RawSpin(lisle_core::RawSpin::new())
    }

    /// Takes the lock, spinning until it is free.
    #[inline]
    pub fn lock(&self) {
        enter();
        self.0.lock();
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> bool {
        enter();
        let locked = self.0.try_lock();
        if !locked {
            leave();
        }
        locked
    }

    /// Gives the lock back.
    ///
    /// # Safety
    /// The caller holds it, and took it on this stack, or it is left locked by nobody that exists:
    /// see [`free`](Self::free).
    #[inline]
    pub unsafe fn unlock(&self) {
        // SAFETY: the caller's obligation.
        unsafe { self.0.unlock() };
        leave();
    }

    /// Makes the lock free, in the child of a fork, where its holder does not exist.
    ///
    /// # Safety
    /// Nobody uses it.
    pub unsafe fn free(&self) {
        // SAFETY: the caller's obligation.
        unsafe { self.0.unlock() };
    }
}

impl std::fmt::Debug for RawSpin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawSpin").finish_non_exhaustive()
    }
}

/// A value under a spin lock whose holder is in a section.
pub(crate) struct SpinLock<T>(lisle_core::SpinLock<T>);

/// Its holder. The fields are in the order in which they are to be dropped.
pub(crate) struct SpinGuard<'a, T> {
    guard: lisle_core::SpinGuard<'a, T>,
    _section: Section,
}

struct Section;

impl Drop for Section {
    fn drop(&mut self) {
        leave();
    }
}

impl<T> SpinLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        SpinLock(lisle_core::SpinLock::new(value))
    }

    /// See `SpinLock::renew` of the core.
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn renew(&self, value: T) {
        // SAFETY: the caller's obligation.
        unsafe { self.0.renew(value) };
    }

    #[inline]
    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        enter();
        SpinGuard { guard: self.0.lock(), _section: Section }
    }
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
