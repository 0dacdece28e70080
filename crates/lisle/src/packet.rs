//! What a finished coroutine leaves for the one that joins it.

use std::cell::UnsafeCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;

use crate::family::ScopeData;
use crate::select::Ended;

/// The place of the result, shared by the coroutine and its handle.
///
/// The coroutine alone touches `result` until it has ended; its handle alone afterwards. The end is
/// told by the runtime (or by joining the OS thread), with Release and Acquire.
pub(crate) struct Packet<T> {
    result: UnsafeCell<Option<thread::Result<T>>>,
    scope: Option<Arc<ScopeData>>,
    /// That the result is there, for those who choose, are to stop, or are futures.
    pub(crate) ending: Ended,
}

// SAFETY: by the rule above `result` has one owner at a time; the value crosses threads, so it must
// be Send. The panic payload is Send by its type.
unsafe impl<T: Send> Sync for Packet<T> {}

impl<T> Packet<T> {
    pub(crate) fn new(scope: Option<Arc<ScopeData>>) -> Arc<Self> {
        Arc::new(Packet { result: UnsafeCell::new(None), scope, ending: Ended::new() })
    }

    /// The scope that it is in.
    pub(crate) fn scope(&self) -> Option<&ScopeData> {
        self.scope.as_deref()
    }

    /// Stores the result.
    ///
    /// # Safety
    /// Called once, by the coroutine.
    pub(crate) unsafe fn store(&self, result: thread::Result<T>) {
        // SAFETY: the coroutine has not ended, so it alone touches the result.
        unsafe { *self.result.get() = Some(result) };
        self.ending.tell();
    }

    /// Takes the result.
    ///
    /// # Safety
    /// The coroutine has ended, or there is a result, and the caller is the only handle.
    pub(crate) unsafe fn take(&self) -> thread::Result<T> {
        // SAFETY: by the rule on the type the handle alone touches the result now.
        unsafe { (*self.result.get()).take() }.expect("an ended coroutine left its result")
    }
}

impl<T> Drop for Packet<T> {
    /// The last of coroutine and handle drops what nobody joined, and only then counts the
    /// coroutine as ended for its scope: the result may borrow from the scope's environment.
    fn drop(&mut self) {
        let unhandled_panic = matches!(self.result.get_mut(), Some(Err(_)));
        let result = self.result.get_mut().take();
        if panic::catch_unwind(AssertUnwindSafe(|| drop(result))).is_err() {
            eprintln!("fatal runtime error: the result of a coroutine panicked on drop, aborting");
            std::process::abort();
        }
        if let Some(scope) = &self.scope {
            scope.ended(unhandled_panic);
        }
    }
}
