//! That something has ended, for those who wait for it among other things.

use lisle_rt::ShortLock;

use crate::channel::chan::Registered;
use crate::waiters::{Queue, Record, Wait};

/// Told once.
pub(crate) struct Ended(ShortLock<Inner>);

struct Inner {
    ended: bool,
    waiters: Queue,
}

impl Ended {
    pub(crate) const fn new() -> Self {
        Ended(ShortLock::new(Inner { ended: false, waiters: Queue::new() }))
    }

    /// It has: ends the waits of all.
    pub(crate) fn tell(&self) {
        loop {
            let mut inner = self.0.lock();
            inner.ended = true;
            let claimed = inner.waiters.claim(None);
            drop(inner);
            match claimed {
                Some(claimed) => claimed.whom.wake(),
                None => return,
            }
        }
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
        unsafe { inner.waiters.push(record, wait, case, std::ptr::null_mut()) };
        Registered::Waits
    }

    /// Takes it out, whether it is in the queue or not.
    pub(crate) fn unregister(&self, record: &Record) {
        // SAFETY: it is in this queue or in none.
        unsafe { self.0.lock().waiters.remove(record) };
    }
}
