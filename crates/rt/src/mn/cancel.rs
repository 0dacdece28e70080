//! Cancelling coroutines: `pthread_cancel`.
//!
//! The request is a bit in the C library's own word in the thread block, where
//! `pthread_testcancel` and `pthread_setcancelstate` look. So all that is done here is to end the
//! wait of the one that is to be cancelled, as a signal's handler does; the hook that waited then
//! calls `pthread_testcancel`, which unwinds or does not. Until a coroutine waits, nothing happens
//! to it: cancellation is deferred, also for those that have asked for the other kind.
//!
//! The wait that is ended need not be one at which threads are cancelled: it may be for a lock. So
//! waits that are look for the request before they begin, too.

use super::current;
use super::directed;
use super::shared::{shared, started};
use super::signals::coroutine_of;
use super::task::{Ran, Task};
use crate::extent;

/// Asks the coroutine whose thread this is to the C library to end. None if it is an OS thread.
///
/// # Safety
/// The thread exists, or did and was not joined.
pub unsafe fn cancel(thread: libc::pthread_t) -> Option<()> {
    // SAFETY: the caller's obligation.
    let task = unsafe { coroutine_of(thread) }?;
    if task.id() != 0 {
        shared().blocks.cancel(&task.block);
        directed::look(task);
    }
    Some(())
}

/// Whether the running coroutine has been asked to end, and lets itself be cancelled. Waits in the
/// lot at which coroutines are cancelled begin with this question.
pub fn is_cancelled() -> bool {
    current::current().is_some_and(wants_end)
}

/// As [`is_cancelled`], of a coroutine that runs here.
pub(crate) fn wants_end(task: &Task) -> bool {
    // The child of a fork has no runtime.
    started()
        .is_some_and(|shared| !task.refuses_cancel.get() && shared.blocks.is_to_end(&task.block))
}

/// To be asked before a wait at which coroutines are cancelled, or stopped: whether it is over
/// before it has begun, as if a handler had run.
#[inline]
pub(crate) fn forestalls(task: &Task) -> bool {
    if extent::stopped().is_some() {
        return true;
    }
    let wants_end = wants_end(task);
    if wants_end {
        task.ran.set(Ran::Interrupting);
    }
    wants_end
}

/// To be called when the running coroutine has told the C library whether it lets itself be
/// cancelled. If it does again, and was asked to end meanwhile, its next wait ends.
pub fn refuses(refuses: bool) {
    if let Some(task) = current::current() {
        task.refuses_cancel.set(refuses);
        if wants_end(task) {
            directed::look(task);
        }
    }
}

/// Takes back what of it a coroutine leaves behind in its block. Called by itself, at its end.
pub(crate) fn end(task: &'static Task) {
    unsafe extern "C-unwind" {
        fn pthread_setcancelstate(state: i32, old: *mut i32) -> i32;
    }
    const PTHREAD_CANCEL_ENABLE: i32 = 0;
    let blocks = &shared().blocks;
    if blocks.is_cancelled(&task.block) {
        // SAFETY: its code is over, so that nobody acts upon the request any more.
        unsafe { blocks.landed(&task.block) };
    }
    if task.refuses_cancel.get() {
        // SAFETY: a plain call; there is nothing to be cancelled for.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, std::ptr::null_mut()) };
    }
}
