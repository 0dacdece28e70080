//! Which signals the runtime's threads block while they run no coroutine.
//!
//! The kernel gives a signal for the process to any of its threads that does not block it. A
//! carrier at home stands for all the coroutines that are suspended: one that waits on a thread
//! takes signals too. But a signal that the program blocks everywhere, to take it by `sigwait`,
//! must find no thread of ours that does not. So carriers at home block what the *main thread* of
//! the program does: of the thread that started the runtime at first; then they follow the changes
//! of the process's main thread, or of the coroutine that is its main function under
//! `#[lisle::main]`. The monitor blocks all signals.
//!
//! A carrier that goes home blocks that much before it leaves its coroutine, which nobody can know
//! to be gone before. A change by either is told to those at home, and waited for: a
//! signal sent after it must not strike them. Each notes the mask it has at home:
//!
//! ```text
//!   goes home   set the mask; note := base; base still the same? else again; ...; note := none
//!   sleeps      base changed? as above; sleep; base changed? as above
//!   changer     base := new; for each whose note is another mask: wake it, until it is not
//! ```
//!
//! Both fence between their write and their read (SeqCst), so one of the two sees the other's. A
//! carrier that is awake at home soon goes to sleep or runs a coroutine, whose mask it then has.

use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};

use lisle_sys::signal::{self, Change};

use super::mask::{ALL, UNEQUAL, blockable};
use super::shared::Shared;
use super::task::Task;

/// What carriers at home block. Relaxed where nobody can be left behind; see the module.
static BASE: AtomicU64 = AtomicU64::new(0);

/// Identity of the main coroutine, or [`NO_COROUTINE`].
static MAIN: AtomicU64 = AtomicU64::new(NO_COROUTINE);

/// The process that started the runtime. Relaxed: written before there are its threads.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// Instead of the main coroutine's identity: the main thread is an OS thread.
const NO_COROUTINE: u64 = 0;

/// The main coroutine's header, or null. Release and Acquire: the identity is not seen without it.
static HEADER: AtomicPtr<Task> = AtomicPtr::new(ptr::null_mut());

/// With which mask a carrier is at home.
///
/// | word | meaning | set by |
/// |---|---|---|
/// | 0 | it is not | the carrier |
/// | a set and `UNEQUAL` | it blocks that set at least | the carrier |
pub(crate) struct Note(AtomicU64);

impl Note {
    pub(crate) const fn new() -> Self {
        Note(AtomicU64::new(0))
    }

    /// Has the carrier block what it is to block at home, by `block`, and notes that it does: in
    /// this order, since whoever sees the note counts on it.
    pub(crate) fn come(&self, block: impl Fn(u64)) {
        let mut base = BASE.load(Ordering::Relaxed);
        loop {
            block(base);
            self.0.store(base | UNEQUAL, Ordering::SeqCst);
            match BASE.load(Ordering::SeqCst) {
                same if same == base => return,
                other => base = other,
            }
        }
    }

    /// Notes that the carrier is not at home any more.
    #[inline]
    pub(crate) fn go(&self) {
        // Late is as good: somebody wakes it in vain.
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether the carrier is at home with another mask than it should have.
    pub(crate) fn is_outdated(&self) -> bool {
        let note = self.0.load(Ordering::SeqCst);
        note != 0 && note != BASE.load(Ordering::SeqCst) | UNEQUAL
    }
}

/// Called on the thread that starts the runtime.
pub(crate) fn start() {
    BASE.store(blockable(signal::mask()), Ordering::SeqCst);
    MAIN.store(NO_COROUTINE, Ordering::Relaxed);
    PROCESS.store(lisle_sys::thread::process(), Ordering::Relaxed);
}

/// Makes it the main coroutine.
pub(crate) fn set_main(task: &'static Task) {
    HEADER.store(ptr::from_ref(task).cast_mut(), Ordering::Release);
    MAIN.store(task.id(), Ordering::Release);
}

/// The main coroutine, while it lives.
pub(crate) fn main() -> Option<&'static Task> {
    let id = MAIN.load(Ordering::Acquire);
    if id == NO_COROUTINE {
        return None;
    }
    // SAFETY: null or a header, which is never freed.
    unsafe { HEADER.load(Ordering::Acquire).as_ref() }.filter(|task| task.id() == id)
}

/// To be called when a coroutine has changed what it blocks.
pub(crate) fn follow(shared: &Shared, id: u64, set: u64) {
    let base = blockable(set);
    if MAIN.load(Ordering::Relaxed) == id && BASE.swap(base, Ordering::SeqCst) != base {
        shared.workers().iter().for_each(|worker| worker.rouse());
        shared.spares.rouse();
    }
}

/// To be called when an OS thread of the program's has changed what it blocks. That matters of the
/// process's main thread; its id is the process's, which the child of a `vfork` does not have. What
/// it blocks, suspended coroutines may not, unless it is alone: then those to come will block it.
pub(crate) fn follow_thread(shared: &Shared, set: u64, alone: bool) {
    if PROCESS.load(Ordering::Relaxed) == lisle_sys::thread::id() {
        let others = if alone { ALL } else { BASE.load(Ordering::Relaxed) };
        follow(shared, NO_COROUTINE, set & others);
    }
}

/// Runs `f`, which makes threads of the runtime's: they block all signals until they are at home,
/// or one that has just begun would be struck by what is blocked everywhere else.
pub(crate) fn making_threads<R>(f: impl FnOnce() -> R) -> R {
    let before = signal::change_mask(Change::Set, ALL);
    let result = f();
    signal::change_mask(Change::Set, before);
    result
}
