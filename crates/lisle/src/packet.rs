//! What a finished coroutine leaves for the one that joins it.

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::scope::ScopeData;

/// The place of the result, shared by the coroutine and its handle.
///
/// `done` is the only word of the protocol:
///
/// | value | meaning | set by | who may touch `result` |
/// |---|---|---|---|
/// | 0 | running | creation | the coroutine |
/// | 1 | finished | the coroutine, once, with Release | the handle, after an Acquire load |
pub(crate) struct Packet<T> {
    done: AtomicU32,
    result: UnsafeCell<Option<thread::Result<T>>>,
    scope: Option<Arc<ScopeData>>,
}

// SAFETY: the table above gives `result` one owner at a time; the value crosses threads, so it
// must be Send. The panic payload is Send by its type.
unsafe impl<T: Send> Sync for Packet<T> {}

impl<T> Packet<T> {
    pub(crate) fn new(scope: Option<Arc<ScopeData>>) -> Arc<Self> {
        Arc::new(Packet { done: AtomicU32::new(0), result: UnsafeCell::new(None), scope })
    }

    /// Stores the result and wakes whoever joins.
    ///
    /// # Safety
    /// Called once, by the coroutine.
    pub(crate) unsafe fn complete(&self, result: thread::Result<T>) {
        // SAFETY: `done` is 0, so by the table the coroutine alone may touch the result.
        unsafe { *self.result.get() = Some(result) };
        self.done.store(1, Ordering::Release);
        lisle_rt::wake_all(&self.done);
    }

    /// Whether the coroutine has finished.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire) == 1
    }

    /// Waits until the coroutine has finished, on a coroutine or an OS thread.
    pub(crate) fn wait(&self) {
        while !self.is_done() {
            lisle_rt::wait_while(&self.done, 0);
        }
    }

    /// Takes the result of a finished coroutine.
    ///
    /// # Safety
    /// The caller is the only handle.
    pub(crate) unsafe fn take(&self) -> thread::Result<T> {
        debug_assert!(self.is_done(), "the result is taken after the end");
        // SAFETY: `done` is 1, so by the table the handle alone may touch the result.
        unsafe { (*self.result.get()).take() }.expect("a finished coroutine left its result")
    }
}

impl<T> Drop for Packet<T> {
    /// The last of coroutine and handle drops what nobody joined, and only then counts the
    /// coroutine as ended for its scope: the result may borrow from the scope's environment.
    fn drop(&mut self) {
        let unhandled_panic = matches!(self.result.get_mut(), Some(Err(_)));
        let result = self.result.get_mut().take();
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(result))).is_err() {
            eprintln!("fatal runtime error: the result of a coroutine panicked on drop, aborting");
            std::process::abort();
        }
        if let Some(scope) = &self.scope {
            scope.ended(unhandled_panic);
        }
    }
}
