//! Which coroutine is this, and may it suspend?
//!
//! `CURRENT` lies in the coroutine's own thread-locals and is constant for its life; what changes
//! when it moves is the carrier noted in its header. So there is no thread-local of a *worker*
//! that code on a coroutine could read on one OS thread and use on another.

use std::cell::Cell;
use std::ptr;

use lisle_sys::signal;

use super::shared;
use super::signals;
use super::task::Task;
use super::worker::Worker;

thread_local! {
    static CURRENT: Cell<*const Task> = const { Cell::new(ptr::null()) };
}

/// The running coroutine.
#[inline]
pub(crate) fn current() -> Option<&'static Task> {
    // SAFETY: headers are never freed.
    unsafe { CURRENT.get().as_ref() }
}

/// The running coroutine with its worker, if it may suspend here: not on a spare carrier (there,
/// blocking calls block) and not within a [`Native`] section.
#[inline]
pub(crate) fn suspendable() -> Option<(&'static Task, &'static Worker)> {
    let task = current()?;
    // The child of a fork has the coroutine's stack, and no runtime.
    if task.native.get() != 0 && !signals::left(task) || shared::started().is_none() {
        return None;
    }
    // SAFETY: it runs, here.
    let worker = unsafe { task.carrier() }.worker?;
    Some((task, worker))
}

/// The worker of the running coroutine, if it has one.
#[inline]
pub(crate) fn worker() -> Option<&'static Worker> {
    // SAFETY: the current coroutine runs, here.
    current().and_then(|task| unsafe { task.carrier() }.worker)
}

/// The signals that whoever calls this blocks.
pub(crate) fn blocked() -> u64 {
    current().map_or_else(signal::mask, |task| task.mask.blocked())
}

/// Makes `task` the running coroutine in the thread-locals of the running stack.
pub(crate) fn set(task: Option<&'static Task>) {
    CURRENT.set(task.map_or(ptr::null(), ptr::from_ref));
}

/// A section in which blocking calls must not suspend the coroutine, because the runtime holds a
/// lock or half-done work of its own while it calls the allocator or the C library. They block the
/// worker instead.
pub(crate) struct Native {
    task: Option<&'static Task>,
}

impl Native {
    pub(crate) fn enter() -> Self {
        let task = current();
        if let Some(task) = task {
            task.native.set(task.native.get() + 1);
        }
        Native { task }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            task.native.set(task.native.get() - 1);
        }
    }
}
