//! An OS thread that runs coroutines.
//!
//! A carrier has a stack of its own, *home*, from which it switches to coroutines and to which
//! they switch back when there is nothing else to run. What must happen after a coroutine's stack
//! has been left - its *commit*: put it on a queue, publish that it waits, recycle it - is left in
//! the carrier and run by whatever that carrier runs next, first thing.

use std::cell::{Cell, UnsafeCell};
use std::mem::ManuallyDrop;
use std::ptr;

use lisle_fiber::{Context, fs_base, set_gs_base, switch};

use super::task::Task;
use super::worker::Worker;

/// See the module.
///
/// The first field is found through the GS base by the wrapper of the C library's signal handler
/// (see `setxid`), hence `repr(C)`.
#[repr(C)]
pub(crate) struct Carrier {
    /// FS base of the OS thread itself.
    fs: Cell<usize>,
    home: UnsafeCell<Context>,
    commit: Cell<Option<Commit>>,
    /// Whether a coroutine ended while pinned to the OS thread, which may be unfit for others now.
    spoilt: Cell<bool>,
    /// The worker it holds; none for spare carriers, on which blocking calls block.
    pub(crate) worker: Option<&'static Worker>,
}

/// A closure on a stack that is being left.
#[derive(Clone, Copy)]
struct Commit {
    run: unsafe fn(*mut u8),
    place: *mut u8,
}

// SAFETY: the cells are touched by the carrier's own OS thread alone.
unsafe impl Sync for Carrier {}
// SAFETY: as above; it is built before its thread runs.
unsafe impl Send for Carrier {}

impl Carrier {
    pub(crate) fn new(worker: Option<&'static Worker>) -> Self {
        Carrier {
            fs: Cell::new(0),
            home: UnsafeCell::new(Context::running(0)),
            commit: Cell::new(None),
            spoilt: Cell::new(false),
            worker,
        }
    }

    /// Makes the calling OS thread this carrier's.
    ///
    /// # Safety
    /// Called once, first of all, on the thread that will use the carrier, which no other thread
    /// does any more; the carrier stays in place for as long as the thread does.
    pub(crate) unsafe fn adopt_thread(&self) {
        self.fs.set(fs_base());
        self.spoilt.set(false);
        // SAFETY: nobody else uses the carrier yet.
        unsafe { *self.home.get() = Context::running(fs_base()) };
        // SAFETY: Lisle's carriers are Lisle's own threads.
        unsafe { set_gs_base(ptr::from_ref(self) as usize) };
        lisle_sys::thread::precise_timers();
        if let Err(error) = lisle_sys::signal::ensure_alternate_stack() {
            eprintln!("lisle: stack overflows will not be reported: no signal stack: {error}");
        }
    }

    /// The OS thread is to end instead of running further coroutines.
    pub(crate) fn spoil(&self) {
        self.spoilt.set(true);
    }

    /// See [`spoil`](Self::spoil).
    pub(crate) fn is_spoilt(&self) -> bool {
        self.spoilt.get()
    }

    /// Runs `task` until something on this carrier comes home.
    ///
    /// # Safety
    /// Called at home; the caller owns the runnable task.
    pub(crate) unsafe fn run(&self, task: &'static Task) {
        task.set_carrier(self);
        // SAFETY: home is ours; the task's context was left by a switch or is new.
        unsafe { switch(self.home.get(), task.context.get()) };
        // SAFETY: first thing after a switch.
        unsafe { self.run_commit() };
    }

    /// Leaves the coroutine `from`, for `next` or for home. `commit` runs once its stack has been
    /// left; it may publish the coroutine, which may then run elsewhere at once. It must not
    /// block, allocate or panic.
    ///
    /// Returns when the coroutine is resumed, possibly on another carrier.
    ///
    /// # Safety
    /// `from` is the running coroutine and `self` its carrier; the caller owns the runnable
    /// `next`; nobody can resume `from` before the commit.
    #[inline]
    pub(crate) unsafe fn leave<C: FnOnce()>(
        &self,
        from: &'static Task,
        next: Option<&'static Task>,
        commit: C,
    ) {
        /// # Safety
        /// `place` holds a C that nobody else takes. It is moved out first, because the stack it
        /// lies on may be in use again as soon as the commit has published the coroutine.
        unsafe fn run<C: FnOnce()>(place: *mut u8) {
            // SAFETY: the caller's obligation.
            (unsafe { ptr::read(place.cast::<C>()) })();
        }
        let mut commit = ManuallyDrop::new(commit);
        let place = (&raw mut commit).cast::<u8>();
        from.low_water.set(from.low_water.get().min(place as usize));
        self.commit.set(Some(Commit { run: run::<C>, place }));
        let to = match next {
            Some(next) => {
                next.set_carrier(self);
                next.context.get()
            }
            None => self.home.get(),
        };
        // SAFETY: the caller's obligations; home was left when this carrier began to run.
        unsafe { switch(from.context.get(), to) };
        // SAFETY: first thing after a switch; whoever resumed us set our carrier.
        unsafe { from.carrier().run_commit() };
    }

    /// Runs what the coroutine that was left wants done.
    ///
    /// # Safety
    /// Called first thing after a switch on this carrier's thread.
    #[inline]
    pub(crate) unsafe fn run_commit(&self) {
        if let Some(commit) = self.commit.take() {
            // SAFETY: left there by `leave`, whose stack is intact until the commit itself.
            unsafe { (commit.run)(commit.place) };
        }
    }
}
