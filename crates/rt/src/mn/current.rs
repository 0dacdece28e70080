//! Which coroutine is this, and may it suspend?
//!
//! `CURRENT` lies in the coroutine's own thread-locals and is constant for its life; what changes
//! when it moves is the carrier noted in its header. So there is no thread-local of a *worker*
//! that code on a coroutine could read on one OS thread and use on another.

use std::cell::Cell;
use std::ptr;

use lisle_sys::signal;

use super::carrier::Carrier;
use super::shared;
use super::signals;
use super::stay::Stay;
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

/// The running coroutine with its worker, on which it stays for as long as this lives, unless it
/// suspends.
pub(crate) struct Here {
    pub(crate) task: &'static Task,
    pub(crate) worker: &'static Worker,
    stay: Stay,
}

impl Here {
    /// The carrier that it runs on.
    #[inline]
    pub(crate) fn carrier(&self) -> &'static Carrier {
        // SAFETY: the running coroutine's.
        unsafe { self.task.carrier(&self.stay) }
    }

    /// See [`Carrier::leave`].
    ///
    /// # Safety
    /// As there.
    #[inline]
    pub(crate) unsafe fn leave(&self, next: Option<&'static Task>, commit: impl FnOnce()) {
        // SAFETY: the caller's obligation; the running coroutine on its carrier.
        unsafe { self.carrier().leave(self.task, &self.stay, next, commit) };
    }
}

/// The running coroutine with its worker, if it may suspend here: not on a spare carrier (there,
/// blocking calls block) and not within a [`Native`] section.
#[inline]
pub(crate) fn suspendable() -> Option<Here> {
    let task = current()?;
    let stay = Stay::begin();
    // The child of a fork has the coroutine's stack, and no runtime.
    if task.native.get() != 0 && !signals::left(task) || shared::started().is_none() {
        return None;
    }
    // SAFETY: it runs, here.
    let worker = unsafe { task.carrier(&stay) }.worker?;
    Some(Here { task, worker, stay })
}

/// Whether the running coroutine is on a worker.
pub(crate) fn is_on_worker() -> bool {
    let stay = Stay::begin();
    // SAFETY: the current coroutine runs, here.
    current().is_some_and(|task| unsafe { task.carrier(&stay) }.worker.is_some())
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
