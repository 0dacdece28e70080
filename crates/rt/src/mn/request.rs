//! Having the kernel do what would block: the coroutine's side of the proactor.
//!
//! The record of a request and the memory it names belong to the kernel until the answer is there.
//! So a coroutine whose time is over cancels its request *and waits for the answer* before it goes
//! on: nothing is written to a stack that has been unwound.

use lisle_core::Cause;
use lisle_sys::uring::Entry;
use lisle_sys::{Errno, clock};

use super::cancel;
use super::current::{self, Here};
use super::directed::INTERRUPT;
use super::proactor::{Op, Proactor};
use super::shared;
use super::wait::Wait;

/// Nanoseconds after which a request that should have been cancelled is cancelled again.
const AGAIN_AFTER: u64 = 10_000_000;

/// How a request ended.
#[derive(Debug)]
pub enum Performed {
    /// The kernel's answer: what the system call would have returned.
    Done(Result<usize, Errno>),
    /// The deadline passed, and the kernel did nothing.
    TimedOut,
    /// A signal or a stop came, and the kernel did nothing; see
    /// [`signals::interrupts`](crate::signals).
    Interrupted,
}

/// Whether coroutines wait for completion rather than for readiness.
#[inline]
pub fn available() -> bool {
    shared::started().is_some_and(|shared| shared.completes())
}

/// Has the kernel do what `entry` says, suspended meanwhile. None if that cannot be done here.
///
/// # Safety
/// As for the call that the entry stands for.
#[inline]
pub unsafe fn perform(entry: impl FnOnce() -> Entry, deadline: Option<u64>) -> Option<Performed> {
    // SAFETY: the caller's obligation.
    unsafe { perform_noting(entry, deadline, |_| {}) }
}

/// As [`perform`], submitted without delay: what can be done at once is done without suspending, by
/// one system call. For calls of which the next one should not wait for its turn in the run queue:
/// a listener is emptied as fast as by a thread, however many connections are being served.
///
/// # Safety
/// As for [`perform`].
pub unsafe fn perform_now(
    entry: impl FnOnce() -> Entry,
    deadline: Option<u64>,
) -> Option<Performed> {
    let (here, proactor) = with_room(1)?;
    let task = here.task;
    if cancel::forestalls(task) {
        return Some(Performed::Interrupted);
    }
    let wait = Wait::arm(here);
    let op = Op::new(task, wait.alarm().ticket);
    // SAFETY: on the worker's thread, with room. This function returns when the request is done.
    unsafe { proactor.push(entry(), &op) };
    proactor.submit();
    proactor.take_early(&op);
    // Does not leave the stack if the answer was among those.
    let cause = wait.suspend_stoppably(deadline);
    Some(outcome(proactor, &op, cause))
}

/// As [`perform`]; `note` gets whether the answer came with the submission, without a wait.
///
/// # Safety
/// As for [`perform`].
#[inline]
pub unsafe fn perform_noting(
    entry: impl FnOnce() -> Entry,
    deadline: Option<u64>,
    note: impl FnOnce(bool),
) -> Option<Performed> {
    let (here, proactor) = with_room(1)?;
    let task = here.task;
    if cancel::forestalls(task) {
        return Some(Performed::Interrupted);
    }
    let wait = Wait::arm(here);
    let op = Op::new(task, wait.alarm().ticket);
    // SAFETY: on the worker's thread, with room. This function returns when the request is done.
    unsafe { proactor.push(entry(), &op) };
    let cause = wait.suspend_stoppably(deadline);
    let outcome = outcome(proactor, &op, cause);
    note(op.was_immediate());
    Some(outcome)
}

/// What became of a request whose wait has ended; sees to it that it is done.
#[inline]
fn outcome(proactor: &Proactor, op: &Op, cause: Cause) -> Performed {
    let given_up = !op.is_done();
    finish(proactor, op);
    match op.result() {
        // What was interrupted by the cancellation counts as cancelled.
        Err(Errno(libc::ECANCELED) | Errno::INTR) if given_up && cause == Cause::TIMEOUT => {
            Performed::TimedOut
        }
        Err(Errno(libc::ECANCELED) | Errno::INTR) if given_up && cause == INTERRUPT => {
            Performed::Interrupted
        }
        result => Performed::Done(result),
    }
}

/// How a wait for any of several polls ended.
pub(crate) enum Polled {
    /// One was answered.
    Ready,
    /// The deadline passed.
    TimedOut,
    /// A signal or a stop came.
    Interrupted,
    /// One of the files has nothing to wait for.
    Never,
}

/// Suspends until any of the polls in `entries` is answered, at most until the deadline. None if it
/// cannot be done here.
pub(crate) fn poll_any(
    entries: impl ExactSizeIterator<Item = Entry>,
    deadline: Option<u64>,
) -> Option<Polled> {
    let count = entries.len();
    // Room first: once the wait is armed there is no way back.
    let mut ops = Vec::with_capacity(count);
    let (here, proactor) = with_room(count as u32)?;
    let task = here.task;
    if cancel::forestalls(task) {
        return Some(Polled::Interrupted);
    }
    let wait = Wait::arm(here);
    ops.extend((0..count).map(|_| Op::new(task, wait.alarm().ticket)));
    for (entry, op) in entries.zip(&ops) {
        // SAFETY: as in `perform`; polls name no memory, and the list is not touched until all are
        // done.
        unsafe { proactor.push(entry, op) };
    }
    let cause = wait.suspend_stoppably(deadline);
    ops.iter().for_each(|op| finish(proactor, op));
    let answers = || ops.iter().map(Op::result);
    let is_fault = |errno| !matches!(errno, libc::ECANCELED | libc::EBADF | libc::EINTR);
    Some(if answers().any(|answer| answer.is_err_and(|errno| is_fault(errno.0))) {
        Polled::Never
    } else if cause == Cause::TIMEOUT {
        Polled::TimedOut
    } else if cause == INTERRUPT {
        Polled::Interrupted
    } else {
        Polled::Ready
    })
}

/// The most polls that [`poll_any`] takes.
pub(crate) const MOST: usize = 64;

/// The running coroutine, its worker, and a ring with room for `count` requests.
#[inline]
fn with_room(count: u32) -> Option<(Here, &'static Proactor)> {
    let here = current::suspendable()?;
    let proactor = here.worker.proactor()?;
    if proactor.has_room(count) { Some((here, proactor)) } else { make_room(count) }
}

#[cold]
fn make_room(count: u32) -> Option<(Here, &'static Proactor)> {
    loop {
        let here = current::suspendable()?;
        let (task, worker) = (here.task, here.worker);
        let proactor = worker.proactor()?;
        if proactor.has_room(count) {
            return Some((here, proactor));
        }
        proactor.submit();
        if !proactor.has_room(count) {
            // The kernel wants answers taken first, which is done at home, or has no memory.
            // SAFETY: the running coroutine on its carrier, with its worker.
            unsafe { here.leave(None, || worker.requeue(task)) };
        }
    }
}

/// Sees to it that the request is done.
#[inline]
fn finish(proactor: &Proactor, op: &Op) {
    if !op.is_done() {
        cancel(proactor, op);
    }
}

#[cold]
fn cancel(proactor: &Proactor, op: &Op) {
    while !op.is_done() {
        proactor.cancel(op);
        // On whatever worker it is now. Nothing keeps a coroutine from suspending here if it could
        // when the request was made.
        let Some(here) = current::suspendable() else { continue };
        let wait = Wait::arm(here);
        if op.rearm(wait.alarm().ticket) {
            let _ = wait.suspend(Some(clock::now() + AGAIN_AFTER));
        } else {
            let _ = wait.disarm();
        }
    }
}
