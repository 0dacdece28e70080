//! An allocator whose caches belong to OS threads: [`PerWorkerAlloc`].

use std::alloc::{GlobalAlloc, Layout};

/// Runs an allocator as the OS thread below a coroutine, so that what it keeps for each thread it
/// keeps for each worker.
///
/// Allocators cache in thread-locals, and a coroutine has thread-locals of its own. So each
/// coroutine that allocates has a cache of its own: one to two kilobytes with the system's
/// allocator, 20 to 55 with jemalloc, 75 to 200 with mimalloc. Nothing of that is wrong, and it is
/// quick; but it is a lot for a hundred thousand coroutines. With this, there are as many caches as
/// OS threads, for 10 to 15 ns more at each call:
///
/// ```
/// use std::alloc::System;
///
/// use lisle::PerWorkerAlloc;
///
/// #[global_allocator]
/// static ALLOCATOR: PerWorkerAlloc<System> = PerWorkerAlloc::new(System);
///
/// let text = lisle::spawn(|| String::from("allocated for the worker")).join().unwrap();
/// assert_eq!(text.len(), 24);
/// ```
///
/// Off coroutines, before the runtime starts and in 1:1 mode it is the allocator itself. While the
/// allocator runs the coroutine is not preempted, handlers of signals wait until it is done, and if
/// it has to wait for a lock the worker waits. It must not call code of the program's that
/// suspends, nor unwind. Memory may be freed elsewhere than where it was allocated, as between
/// threads.
///
/// Use it where very many coroutines live at the same time and each allocates now and then; not
/// where a few allocate all the time. What C code allocates by `malloc` does not come here.
#[derive(Clone, Copy, Debug, Default)]
pub struct PerWorkerAlloc<A> {
    inner: A,
}

impl<A> PerWorkerAlloc<A> {
    /// Runs `inner` that way.
    pub const fn new(inner: A) -> Self {
        PerWorkerAlloc { inner }
    }
}

// SAFETY: the inner allocator does the work; where it runs does not matter to what it returns.
unsafe impl<A: GlobalAlloc> GlobalAlloc for PerWorkerAlloc<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligation.
        lisle_rt::as_carrier(|| unsafe { self.inner.alloc(layout) })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligation.
        lisle_rt::as_carrier(|| unsafe { self.inner.dealloc(place, layout) });
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligation.
        lisle_rt::as_carrier(|| unsafe { self.inner.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's obligation.
        lisle_rt::as_carrier(|| unsafe { self.inner.realloc(place, layout, size) })
    }
}
