//! An OS thread that runs coroutines.
//!
//! A carrier has a stack of its own, *home*, from which it switches to coroutines and to which
//! they switch back when there is nothing else to run. What must happen after a coroutine's stack
//! has been left - its *commit*: put it on a queue, publish that it waits, recycle it - is left in
//! the carrier and run by whatever that carrier runs next, first thing.

use std::cell::{Cell, UnsafeCell};
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use lisle_fiber::{Context, fs_base, set_gs_base, switch};
use lisle_sys::signal::{self, Change};

use super::directed;
use super::mask::{ALL, LOOK, OWN_STACK, UNEQUAL, blockable};
use super::rest::Note;
use super::stay::Stay;
use super::task::{Alternate, Ran, Task};
use super::worker::Worker;

thread_local! {
    /// Whether the stack is a carrier's home.
    static IS_HOME: Cell<bool> = const { Cell::new(false) };
}

/// Whether the running stack is a carrier's home. Allowed in signal handlers.
pub(crate) fn is_home() -> bool {
    IS_HOME.get()
}

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
    /// Which signals the OS thread blocks, and whose alternate stack it has; see `mask`.
    signals: Cell<u64>,
    /// What a change of signals interposes itself before: see [`settle`](Self::settle).
    interposed: Cell<Option<Commit>>,
    /// The coroutine whose signals are to be settled.
    newcomer: Cell<*const Task>,
    /// The OS thread's own alternate stack.
    alternate: Cell<Alternate>,
    /// Whether it is at home, and with which mask.
    pub(crate) note: Note,
    /// The kernel's number of the OS thread.
    thread: AtomicI32,
    /// Odd while it runs a coroutine, and another number for each stretch; for the monitor. Written
    /// by the carrier's own OS thread.
    stretch: AtomicU32,
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
            signals: Cell::new(0),
            interposed: Cell::new(None),
            newcomer: Cell::new(ptr::null()),
            alternate: Cell::new(Alternate::NONE),
            note: Note::new(),
            thread: AtomicI32::new(0),
            stretch: AtomicU32::new(0),
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
        IS_HOME.set(true);
        // SAFETY: nobody else uses the carrier yet.
        unsafe { *self.home.get() = Context::running(fs_base()) };
        // SAFETY: Lisle's carriers are Lisle's own threads.
        unsafe { set_gs_base(ptr::from_ref(self) as usize) };
        lisle_sys::thread::precise_timers();
        self.thread.store(lisle_sys::thread::id(), Ordering::Relaxed);
        self.signals.set(blockable(signal::mask()));
        // What std gives its threads is too small for several handlers. One for each carrier, also
        // if it gets another thread.
        if self.alternate.get().size == 0 {
            match signal::new_alternate_stack() {
                Ok(stack) => self.alternate.set(stack.into()),
                Err(error) => {
                    eprintln!(
                        "lisle: stack overflows will not be reported: no signal stack: {error}"
                    );
                    self.alternate.set(signal::alternate_stack().into());
                }
            }
        }
        set_alternate(self.alternate.get());
        self.stay_home();
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
        self.resume(task);
        self.note.go();
        // SAFETY: home is ours; the task's context was left by a switch or is new.
        unsafe { switch(self.home.get(), task.context.get()) };
        // SAFETY: first thing after a switch.
        unsafe { self.run_commit() };
    }

    /// Leaves the coroutine `from`, for `next` or for home, and is in the caller's section when it
    /// goes on. `commit` runs once its stack has been
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
        stay: &Stay,
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
                self.resume(next);
                next.context.get()
            }
            None => {
                self.go_home();
                self.home.get()
            }
        };
        // SAFETY: the caller's obligations; home was left when this carrier began to run.
        unsafe { switch(from.context.get(), to) };
        // SAFETY: first thing after a switch; whoever resumed us set our carrier.
        unsafe { from.carrier(stay).run_commit() };
    }

    /// What precedes a switch to `next`, after the commit was noted.
    #[inline]
    fn resume(&self, next: &'static Task) {
        next.set_carrier(self);
        let stretch = self.stretch.load(Ordering::Relaxed);
        self.stretch.store(stretch.wrapping_add(2) | 1, Ordering::Relaxed);
        if next.mask.word() != self.signals.get() {
            self.approach(next);
        }
    }

    /// Blocks what `next` blocks, besides what is blocked, and has the rest done after the switch.
    #[cold]
    fn approach(&self, next: &'static Task) {
        let (had, wanted) = (self.signals.get(), next.mask.blocked());
        if wanted & !had != 0 {
            signal::change_mask(Change::Block, wanted);
        }
        self.signals.set(had | wanted | UNEQUAL);
        self.newcomer.set(next);
        self.interposed.set(self.commit.take());
        self.commit.set(Some(Commit { run: settle, place: ptr::from_ref(self) as *mut u8 }));
    }

    /// Gives the OS thread the signals of the coroutine that runs on it now. Those that it does not
    /// block and that are pending strike here.
    pub(crate) fn adapt_to(&self, task: &'static Task) {
        let word = task.mask.word();
        let own = word & OWN_STACK;
        if own | self.signals.get() & OWN_STACK != 0 {
            set_alternate(if own != 0 { task.alternate.get() } else { self.alternate.get() });
        }
        // Two coroutines with stacks of their own have equal words.
        let unequal = if own != 0 { UNEQUAL } else { 0 };
        self.signals.set(blockable(word) | own | unequal);
        signal::change_mask(Change::Set, blockable(word));
        if word & LOOK != 0 {
            task.ran.set(Ran::Nothing);
            directed::deliver(task);
        }
    }

    /// Notes what the OS thread blocks now, by the coroutine that runs on it.
    pub(crate) fn note_mask(&self, set: u64) {
        self.signals.set(self.signals.get() & (OWN_STACK | UNEQUAL) | blockable(set));
    }

    /// What precedes a switch home, after the commit was noted: what is to be blocked at home is.
    #[inline]
    fn go_home(&self) {
        let stretch = self.stretch.load(Ordering::Relaxed);
        self.stretch.store(stretch.wrapping_add(1), Ordering::Relaxed);
        self.note.come(|base| {
            if self.signals.get() != base {
                self.approach_home(base);
            }
        });
    }

    #[cold]
    fn approach_home(&self, base: u64) {
        let had = self.signals.get();
        if base & !had != 0 {
            signal::change_mask(Change::Block, base);
            self.signals.set(had | base);
        }
    }

    /// At home: gives the OS thread the mask that it is to have there, and its own alternate stack.
    pub(crate) fn stay_home(&self) {
        self.note.come(|base| {
            let had = self.signals.get();
            if had == base {
                return;
            }
            if had & OWN_STACK != 0 {
                set_alternate(self.alternate.get());
            }
            self.signals.set(base);
            signal::change_mask(Change::Set, base);
        });
    }

    /// At home for the last time: the OS thread is to end, and takes no more signals.
    pub(crate) fn retire(&self) {
        signal::change_mask(Change::Set, ALL);
        self.note.go();
    }

    /// Whether this is what the OS thread blocks, as far as is noted. Allowed in handlers that
    /// interrupt the OS thread.
    pub(crate) fn has_mask(&self, set: u64) -> bool {
        blockable(self.signals.get()) == set
    }

    /// The number of the stretch for which a coroutine runs; even while none does.
    pub(crate) fn stretch(&self) -> u32 {
        self.stretch.load(Ordering::Relaxed)
    }

    /// The kernel's number of the OS thread.
    pub(crate) fn thread(&self) -> i32 {
        self.thread.load(Ordering::Relaxed)
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

/// The commit of a switch between coroutines with different signals: that of the coroutine that was
/// left, then the signals of the one that runs.
///
/// # Safety
/// `place` is the carrier; called first thing after a switch on its thread.
unsafe fn settle(place: *mut u8) {
    // SAFETY: the caller's obligation.
    let carrier = unsafe { &*place.cast::<Carrier>() };
    if let Some(commit) = carrier.interposed.take() {
        // SAFETY: as in `run_commit`.
        unsafe { (commit.run)(commit.place) };
    }
    // SAFETY: headers are never freed.
    carrier.adapt_to(unsafe { &*carrier.newcomer.get() });
}

impl From<libc::stack_t> for Alternate {
    fn from(stack: libc::stack_t) -> Self {
        Alternate { low: stack.ss_sp as usize, size: stack.ss_size, flags: stack.ss_flags }
    }
}

fn set_alternate(stack: Alternate) {
    let Alternate { low, size, flags } = stack;
    let stack = libc::stack_t { ss_sp: low as *mut _, ss_flags: flags, ss_size: size };
    // SAFETY: a stack that the OS thread had, or that its coroutine gave to the kernel before.
    unsafe { signal::set_alternate_stack(&stack) };
}
