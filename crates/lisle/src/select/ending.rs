//! That something has ended, for those who wait for it, alone or among other things.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::task;

use lisle_rt::{ShortLock, Stop};

use crate::channel::chan::Registered;
use crate::sync::{Line, Outcome, stand};
use crate::waiters::{Queue, Record, Wait};

/// Told once.
pub(crate) struct Ended(ShortLock<Inner>);

struct Inner {
    ended: bool,
    waiters: Queue,
    /// Of the future that has the handle.
    task: Option<task::Waker>,
}

impl Line for Inner {
    fn queue(&mut self) -> &mut Queue {
        &mut self.waiters
    }
}

impl Ended {
    pub(crate) const fn new() -> Self {
        Ended(ShortLock::new(Inner { ended: false, waiters: Queue::new(), task: None }))
    }

    /// It has: ends the waits of all.
    pub(crate) fn tell(&self) {
        loop {
            let mut inner = self.0.lock();
            inner.ended = true;
            let (claimed, task) = (inner.waiters.claim(None), inner.task.take());
            drop(inner);
            if let Some(task) = task {
                // Code of an executor. Its panic was reported, and is nobody's here.
                let _ = panic::catch_unwind(AssertUnwindSafe(|| task.wake()));
            }
            match claimed {
                Some(claimed) => claimed.whom.wake(),
                None => return,
            }
        }
    }

    /// Waits until it has.
    ///
    /// # Errors
    /// The caller is to stop.
    pub(crate) fn wait(&self) -> Result<(), Stop> {
        let look = |inner: &mut Inner, _| match inner.ended {
            true => Ok(()),
            false => Err(ptr::null_mut()),
        };
        match stand(&self.0, None, look) {
            Outcome::Stopped(stop) => Err(stop),
            Outcome::Served | Outcome::TimedOut => Ok(()),
        }
    }

    /// Whether it has; if not, `waker` is woken once it has, instead of the one before.
    pub(crate) fn is_told_or_wake(&self, waker: &task::Waker) -> bool {
        // Cloned and dropped without the lock: both are code of an executor.
        let mut task = Some(waker.clone());
        let mut inner = self.0.lock();
        let ended = inner.ended;
        if !ended {
            mem::swap(&mut inner.task, &mut task);
        }
        drop(inner);
        ended
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.lock().ended
    }

    /// Queues a waiter unless it has ended.
    ///
    /// # Safety
    /// As for [`Queue::push`].
    pub(crate) unsafe fn register(&self, record: &Record, wait: &Wait, case: usize) -> Registered {
        let mut inner = self.0.lock();
        if inner.ended {
            return Registered::Ready;
        }
        // SAFETY: the caller's obligation; the slot is not used.
        unsafe { inner.waiters.push(record, wait, case, ptr::null_mut()) };
        Registered::Waits
    }

    /// Takes it out, whether it is in the queue or not.
    pub(crate) fn unregister(&self, record: &Record) {
        // SAFETY: it is in this queue or in none.
        unsafe { self.0.lock().waiters.remove(record) };
    }
}
