//! Sections in which a coroutine is not preempted.
//!
//! Between learning which worker it runs on and having used it a coroutine must stay there. Where
//! the runtime's code lies says nothing of that, since much of it is compiled into its callers. So
//! it is counted, and who gets to know a worker gets a [`Stay`] with it.
//!
//! | count | meaning |
//! |---|---|
//! | 0 | the coroutine's own code runs, or such of the runtime's as may be held up |
//! | n | so many sections are open; that of the beginning and the end of a life is one |
//!
//! The count is a thread-local, hence of the stack that is running, and moves with it: a coroutine
//! that suspends in a section is in it when it goes on, and what runs meanwhile has a count of its
//! own. It is 1 in a new block, and in one that was made new again, so that a coroutine begins and
//! ends in a section without anybody's doing. Only the running stack changes it, and the signal's
//! handler that reads it on that stack (`preempt`) leaves it as it is or keeps the interrupted code
//! from going on; so no atomic instruction is needed.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{Ordering, compiler_fence};

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(1) };
}

/// As long as it lives the running coroutine is not preempted, and remains on its worker unless it
/// suspends by itself. Of no effect on OS threads.
#[derive(Debug)]
pub struct Stay(PhantomData<*mut ()>);

impl Stay {
    /// Begins a section.
    #[inline]
    #[must_use]
    pub fn begin() -> Self {
        COUNT.set(COUNT.get().wrapping_add(1));
        compiler_fence(Ordering::SeqCst);
        Stay(PhantomData)
    }

    /// A section that is open already, and that nobody else ends: that of the beginning of a life,
    /// or the one which `preempt` began.
    ///
    /// # Safety
    /// So it is.
    pub(crate) unsafe fn begun() -> Self {
        Stay(PhantomData)
    }

    /// The section at the end of a life. What was left open by jumps is forgotten.
    pub(crate) fn for_good() -> Self {
        set(1);
        Stay(PhantomData)
    }
}

impl Drop for Stay {
    #[inline]
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        COUNT.set(COUNT.get().wrapping_sub(1));
    }
}

/// The count of the running stack. Allowed in handlers.
#[inline]
pub(crate) fn count() -> u32 {
    COUNT.get()
}

/// Replaces the count: sections on frames that were jumped over end nowhere.
pub(crate) fn set(count: u32) {
    COUNT.set(count);
    compiler_fence(Ordering::SeqCst);
}
