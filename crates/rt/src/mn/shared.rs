//! What all workers share.
//!
//! There is one in a process, leaked when it starts. The child of a fork has none.

use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use lisle_core::Injector;
use lisle_fiber::Blocks;
use lisle_sys::{Errno, mmap};

use super::idle::Idle;
use super::maker::Maker;
use super::monitor::Monitor;
use super::poller::Poller;
use super::section;
use super::spare::Spares;
use super::stack::Pool;
use super::substitute::{self, Substitutes};
use super::task::Task;
use super::warn::Warnings;
use super::worker::Worker;

/// See the module.
pub(crate) struct Shared {
    pub(crate) injector: Injector<Task>,
    /// Coroutines that were preempted; see `late`.
    pub(crate) late: Injector<Task>,
    pub(crate) idle: Idle,
    pub(crate) poller: Poller,
    pub(crate) pool: Pool,
    pub(crate) spares: Spares,
    pub(crate) maker: Maker,
    pub(crate) monitor: Monitor,
    pub(crate) substitutes: Substitutes,
    pub(crate) warnings: Warnings,
    /// Coroutines that were started off the workers, and that ended there.
    pub(crate) started: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) blocks: Blocks,
    /// Class of stacks of coroutines that ask for no size.
    pub(crate) stack_class: usize,
    pub(crate) backend: Backend,
    /// Nanoseconds after which a coroutine is preempted if others wait; 0 if none is.
    pub(crate) slice: u64,
    next_id: AtomicU64,
    workers: OnceLock<Box<[Worker]>>,
}

/// How coroutines wait for descriptors.
#[derive(Debug)]
pub(crate) enum Backend {
    /// For completion: each worker has a ring.
    Uring,
    /// For readiness, because that was asked for.
    Epoll,
    /// For readiness, because there are no rings to be had, and why.
    EpollBecause(String),
}

/// Where the pointer to the running runtime lies: a page that reads as zeroes in the child of a
/// fork of any kind, from its first instruction on. The child has copies of the runtime's memory,
/// but nothing behind it: no workers, and no rings.
///
/// Null until the first start; then for ever the same.
static PLACE: AtomicPtr<AtomicPtr<Shared>> = AtomicPtr::new(ptr::null_mut());

/// The runtime that was started last, here or before the fork.
static LATEST: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());

/// How many forks led to this process, seen from the one that first had a runtime. Part of the
/// identities, so that handles to coroutines of an ancestor can be told apart: those do not exist
/// here, though copies of their memory do.
static FORKS: AtomicU32 = AtomicU32::new(0);
/// The bit of an identity above which that number is.
const GENERATION: u32 = 48;

/// The runtime of the process that was forked, in the child.
pub(crate) fn parents() -> Option<&'static Shared> {
    // SAFETY: null or leaked.
    unsafe { LATEST.load(Ordering::Acquire).as_ref() }
}

/// Notes that this is the child of a fork.
pub(crate) fn forked() {
    set(None);
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Whether the coroutine with this identity was made in this process.
pub(crate) fn is_of_this_process(id: u64) -> bool {
    id >> GENERATION == u64::from(FORKS.load(Ordering::Relaxed))
}

/// The running runtime.
///
/// # Panics
/// Before the start; only code that runs because of a coroutine calls this.
#[inline]
pub(crate) fn shared() -> &'static Shared {
    started().expect("the runtime runs")
}

/// The running runtime, if it has started.
#[inline]
pub(crate) fn started() -> Option<&'static Shared> {
    // SAFETY: null or a page that is never freed; null or leaked.
    unsafe { PLACE.load(Ordering::Acquire).as_ref()?.load(Ordering::Acquire).as_ref() }
}

/// Makes it the running runtime, or forgets that one.
pub(crate) fn set(shared: Option<&'static Shared>) {
    // SAFETY: null or a page that is never freed.
    if let Some(place) = unsafe { PLACE.load(Ordering::Acquire).as_ref() } {
        let shared = shared.map_or(ptr::null(), ptr::from_ref);
        place.store(shared.cast_mut(), Ordering::Release);
        LATEST.store(shared.cast_mut(), Ordering::Release);
    }
}

/// Makes room for the pointer to the running runtime. Called under the lock of the start.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn make_place() -> Result<(), Errno> {
    if PLACE.load(Ordering::Acquire).is_null() {
        let page = mmap::reserve(mmap::PAGE)?;
        // On kernels without this, the handler of forks clears it, a little later.
        // SAFETY: the mapping was just made.
        let _ = unsafe { mmap::wipe_on_fork(page, mmap::PAGE) };
        PLACE.store(page.as_ptr().cast(), Ordering::Release);
    }
    Ok(())
}

impl Shared {
    /// Everything but the workers, which refer to it.
    pub(crate) fn new(
        blocks: Blocks,
        (poller, backend): (Poller, Backend),
        stack_class: usize,
        spares: Spares,
        warnings: Warnings,
        workers: u32,
        slice: u64,
    ) -> Self {
        Shared {
            injector: Injector::new(),
            late: Injector::new(),
            idle: Idle::with_reserve(workers, substitute::most(workers)),
            poller,
            pool: Pool::new(),
            spares,
            maker: Maker::new(),
            monitor: Monitor::new(),
            substitutes: Substitutes::new(workers as usize),
            warnings,
            started: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            blocks,
            stack_class,
            backend,
            slice,
            next_id: AtomicU64::new(u64::from(FORKS.load(Ordering::Relaxed)) << GENERATION | 1),
            workers: OnceLock::new(),
        }
    }

    /// Whether coroutines wait for completion rather than for readiness.
    #[inline]
    pub(crate) fn completes(&self) -> bool {
        matches!(self.backend, Backend::Uring)
    }

    /// Completes it, once.
    pub(crate) fn set_workers(&self, workers: Box<[Worker]>) {
        let set = self.workers.set(workers);
        debug_assert!(set.is_ok(), "a runtime gets its workers once");
    }

    /// The workers that were asked for, and the substitutes made so far.
    #[inline]
    pub(crate) fn workers(&self) -> &'static [Worker] {
        &self.all_workers()[..self.substitutes.regular + self.substitutes.made()]
    }

    /// All workers that may ever be.
    pub(crate) fn all_workers(&self) -> &'static [Worker] {
        let workers: *const [Worker] = &**self.workers.get().expect("set before the start is over");
        // SAFETY: Shared is leaked, and its workers with it.
        unsafe { &*workers }
    }

    /// Submits all that coroutines have pushed so far. Called by a thread that never ends.
    pub(crate) fn submit_all(&self) {
        /// The kernel refuses for lack of memory, which may be for long.
        const TRIES: u32 = 1000;
        for proactor in self.workers().iter().filter_map(Worker::proactor) {
            let mut tries = 0;
            while proactor.has_unsubmitted() && !proactor.submit() && tries < TRIES {
                tries += 1;
            }
        }
    }

    /// Whether coroutines have pushed what is not submitted yet.
    pub(crate) fn has_unsubmitted(&self) -> bool {
        let mut proactors = self.workers().iter().filter_map(Worker::proactor);
        proactors.any(|proactor| proactor.has_unsubmitted())
    }

    /// Makes a coroutine runnable from outside of workers.
    ///
    /// # Safety
    /// The caller owns the task.
    pub(crate) unsafe fn inject(&self, task: &'static Task) {
        // SAFETY: the caller's obligation.
        section::within(|| unsafe { self.injector.push(NonNull::from(task)) });
        self.notify();
    }

    /// Wakes a worker if there is more work than those awake will find.
    #[inline]
    pub(crate) fn notify(&self) {
        if let Some(index) = self.idle.wake_one() {
            self.workers()[index as usize].unpark();
        }
    }

    /// The next `count` identities: the first, and the one after the last.
    pub(crate) fn reserve_ids(&self, count: u64) -> (u64, u64) {
        let first = self.next_id.fetch_add(count, Ordering::Relaxed);
        (first, first + count)
    }
}
