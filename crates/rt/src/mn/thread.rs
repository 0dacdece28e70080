//! Coroutines as threads of the C library: what `pthread_create` makes under `lisle run`.
//!
//! Such a coroutine has what `pthread_join` and its kin ask for: a value, a mark whether somebody
//! will join it, a name, and scheduling attributes that are kept as advice. A `pthread_t` is the
//! address of the thread block, as in the C library; so the header must not become the next
//! coroutine's before the thread was joined. Whoever of two comes last recycles it, which one word
//! decides: see `Attached::state`.
//!
//! A process ends when its last thread does, also if the main thread left by `pthread_exit` long
//! ago. The C library counts its own threads, among which those of the runtime never end; so the
//! threads of the program are counted here.

use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use lisle_sys::Errno;

use super::lot::Until;
use super::section::SpinLock;
use super::shared::{Shared, shared, started};
use super::signals::coroutine_of;
use super::spawn;
use super::task::{Attached, Task};
use super::{cancel, current, lot};

pub use super::task::NAME_LEN;

/// What starts a thread: the function given to `pthread_create`.
pub type Routine = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

/// How a thread is to be made. Of what `pthread_attr_t` has, what matters here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes {
    /// Bytes of stack; none for the default.
    pub stack_size: Option<usize>,
    /// A stack of the program's own: lowest address and size.
    pub stack: Option<(usize, usize)>,
    /// Whether nobody will join it.
    pub detached: bool,
    /// The signals that it is to block; none for those of its maker.
    pub blocked: Option<u64>,
    /// Policy and priority.
    pub scheduling: Option<(c_int, c_int)>,
}

/// A coroutine that is a thread of the C library.
#[derive(Clone, Copy)]
pub struct Thread(&'static Task);

/// Nobody has said that he will join.
const NOBODY: usize = 0;

/// Threads of the program that have not ended: the main one and those made here.
///
/// Relaxed but for the last decrement: it is a count, and whoever takes it to 0 ends the process.
static LIVE: AtomicUsize = AtomicUsize::new(1);

/// How many were made, and how many there were at the same time, for statistics.
static MADE: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Whether an OS thread of the program's was given a name, which threads that it makes have, too.
/// Relaxed: it has named itself, or whoever did told it so.
static NAMED: AtomicBool = AtomicBool::new(false);

/// Bits of `Attached::state`; the table is there.
const IS_THREAD: u32 = 1;
const DETACHED: u32 = 2;
const WAITED_FOR: u32 = 4;
const ENDED: u32 = 8;

/// Makes a thread that runs `routine(argument)`. `prepare` is called before it runs.
///
/// # Errors
/// No stack can be had.
///
/// # Safety
/// As for `pthread_create`: the routine may be called with the argument on any thread, and a stack
/// that was given is the thread's alone.
pub(crate) unsafe fn create(
    shared: &'static Shared,
    attributes: &Attributes,
    routine: Routine,
    argument: *mut c_void,
    prepare: impl FnOnce(Thread),
) -> io::Result<()> {
    let argument = Argument(argument);
    let given = attributes.stack;
    let body = move || {
        let argument = argument;
        let task = current::current().expect("it runs on a coroutine");
        // SAFETY: the caller's obligation. A given stack ends where its frames begin.
        let value = unsafe {
            match given {
                None => routine(argument.0),
                Some((low, size)) => lisle_fiber::call_on((low + size) & !15, routine, argument.0),
            }
        };
        task.attached.value.store(value, Ordering::Relaxed);
    };
    // On a given stack the runtime's own frames are not: those have one as small as can be.
    let stack_size = if given.is_some() { Some(0) } else { attributes.stack_size };
    let live = LIVE.fetch_add(1, Ordering::Relaxed) + 1;
    let prepare = |task: &'static Task| {
        attach(task, attributes);
        prepare(Thread(task));
    };
    // SAFETY: the caller's obligation; what the routine throws nobody catches, as on a thread: then
    // the C++ runtime ends the process.
    match unsafe { spawn::spawn_with(shared, None, stack_size, body, prepare) } {
        Ok(_) => {
            MADE.fetch_add(1, Ordering::Relaxed);
            MOST.fetch_max(live, Ordering::Relaxed);
            Ok(())
        }
        Err(error) => {
            LIVE.fetch_sub(1, Ordering::Relaxed);
            Err(error)
        }
    }
}

/// A pointer that goes to another thread, for which the caller of `pthread_create` vouches.
struct Argument(*mut c_void);

// SAFETY: see above.
unsafe impl Send for Argument {}

/// Held by who reads or replaces a set of processors.
static SETS: SpinLock<()> = SpinLock::new(());

/// Replaces the set of processors of a thread.
fn forget_affinity(task: &Task, new: *mut libc::cpu_set_t) {
    let old = {
        let _sets = SETS.lock();
        task.attached.affinity.swap(new, Ordering::Relaxed)
    };
    if !old.is_null() {
        // SAFETY: made by `Box::into_raw` there, and nobody reads it any more.
        drop(unsafe { Box::from_raw(old) });
    }
}

/// Makes the coroutine a thread, before anybody knows of it.
fn attach(task: &'static Task, attributes: &Attributes) {
    let attached = &task.attached;
    let detached = if attributes.detached { DETACHED } else { 0 };
    attached.joiner.store(NOBODY, Ordering::Relaxed);
    // What is left if it is cancelled.
    attached.value.store(ptr::without_provenance_mut(usize::MAX), Ordering::Relaxed);
    let creator = current::current().map(|creator| &creator.attached);
    let named = match creator {
        Some(creator) => creator.name(),
        None if NAMED.load(Ordering::Relaxed) => lisle_sys::thread::name(),
        None => [0; NAME_LEN],
    };
    attached.set_name(named);
    let inherited = || creator.map_or((0, 0), scheduling_of);
    let (policy, priority) = attributes.scheduling.unwrap_or_else(inherited);
    attached.policy.store(policy, Ordering::Relaxed);
    attached.priority.store(priority, Ordering::Relaxed);
    if !attached.affinity.load(Ordering::Relaxed).is_null() {
        forget_affinity(task, ptr::null_mut());
    }
    attached.given_stack.set(attributes.stack.unwrap_or_default());
    // SAFETY: it has not begun.
    unsafe { lisle_fiber::take_id(&task.block) };
    if let Some(blocked) = attributes.blocked {
        task.mask.begin(blocked);
    }
    attached.state.store(IS_THREAD | detached, Ordering::Release);
}

/// To be called when an OS thread of the program's was named.
pub fn os_thread_named() {
    NAMED.store(true, Ordering::Relaxed);
}

fn scheduling_of(attached: &Attached) -> (c_int, c_int) {
    (attached.policy.load(Ordering::Relaxed), attached.priority.load(Ordering::Relaxed))
}

/// To be called by a coroutine at its end, when destructors have run. The last thread of the
/// program ends the process.
pub(crate) fn ends(task: &'static Task) {
    if task.attached.state.load(Ordering::Relaxed) != 0 {
        one_less();
    }
}

fn one_less() {
    if LIVE.fetch_sub(1, Ordering::AcqRel) == 1 {
        // SAFETY: what the C library does at the end of the last thread.
        unsafe { libc::exit(0) };
    }
}

/// Part of the commit of an ended coroutine, whose stack has been left: whether its header may be
/// recycled now. Otherwise whoever joins it will.
pub(crate) fn release(task: &'static Task) -> bool {
    let state = &task.attached.state;
    if state.load(Ordering::Relaxed) == 0 {
        return true;
    }
    let old = state.fetch_or(ENDED, Ordering::AcqRel);
    if old & DETACHED != 0 {
        forget(task);
        return true;
    }
    // From here on the header may be another's; the address is only a key.
    if old & WAITED_FOR != 0 {
        lot::wake(state.as_ptr(), usize::MAX, lot::ANY, |_| {
            lisle_sys::futex::wake(state, u32::MAX)
        });
    }
    false
}

/// It is no thread any more. Nothing runs on it.
fn forget(task: &Task) {
    // SAFETY: see above.
    unsafe { lisle_fiber::give_back_id(&task.block) };
    task.attached.state.store(0, Ordering::Relaxed);
}

/// Takes back the header of a thread that has ended and was joined or detached since.
fn recycle(task: &'static Task) {
    forget(task);
    match current::suspendable() {
        // SAFETY: it is this thread's worker; the header is the caller's alone.
        Some(here) => unsafe { here.worker.recycle(task) },
        None => shared().pool.put(task),
    }
}

/// The main thread, which is an OS thread, is about to end by itself.
pub fn main_ends() {
    one_less();
}

/// In the child of a fork there is one thread.
pub(crate) fn forget_after_fork() {
    LIVE.store(1, Ordering::Relaxed);
}

/// Whether there is the main thread alone, and there were others.
pub fn is_main_alone() -> bool {
    MADE.load(Ordering::Relaxed) > 0 && LIVE.load(Ordering::Relaxed) == 1
}

/// How many threads were made, and how many there were at the same time, the main one included.
pub fn made() -> (u64, usize) {
    (MADE.load(Ordering::Relaxed), MOST.load(Ordering::Relaxed).max(1))
}

/// The coroutine whose thread this is to the C library. None for OS threads, and for coroutines
/// that are no threads of C's.
///
/// # Safety
/// The thread exists, or did and was not joined.
pub unsafe fn of(thread: libc::pthread_t) -> Option<Thread> {
    // SAFETY: the caller's obligation.
    let task = unsafe { coroutine_of(thread) }?;
    (task.attached.state.load(Ordering::Acquire) != 0).then_some(Thread(task))
}

/// The thread with this id, as `gettid` told it; none if it is an OS thread's, or nobody's.
pub fn with_id(id: i32) -> Option<Thread> {
    started()?;
    let block = lisle_fiber::block_with_id(u32::try_from(id).ok()?)?;
    let task = Task::of_block(block);
    (task.attached.state.load(Ordering::Acquire) != 0).then_some(Thread(task))
}

/// The running coroutine, as a thread of C's.
pub fn current_thread() -> Option<Thread> {
    let task = current::current().filter(|_| started().is_some())?;
    (task.attached.state.load(Ordering::Relaxed) != 0).then_some(Thread(task))
}

impl Thread {
    /// Waits until it has ended, or `until` says that it is past, and takes its value. Then there
    /// is no such thread any more.
    ///
    /// # Errors
    /// `EINVAL`: it is detached, or another joins it. `EDEADLK`: it is the caller, or waits for it.
    /// `ETIMEDOUT`. `EINTR`: the caller is to be cancelled.
    pub fn join(self, until: impl Fn() -> Until) -> Result<*mut c_void, Errno> {
        self.claim()?;
        let state = &self.0.attached.state;
        loop {
            let seen = state.fetch_or(WAITED_FOR, Ordering::AcqRel) | WAITED_FOR;
            if seen & ENDED != 0 {
                return Ok(self.take());
            }
            let waited = match until() {
                _ if cancel::is_cancelled() => Err(Errno::INTR),
                Until::Never => lot::wait(state, seen, lot::ANY, None),
                Until::At(moment) => lot::wait(state, seen, lot::ANY, Some(moment)),
                Until::Past => Err(Errno::TIMEDOUT),
            };
            let gives_up = match waited {
                Err(Errno::INTR) if cancel::is_cancelled() => Some(Errno::INTR),
                Err(Errno::TIMEDOUT) if until() == Until::Past => Some(Errno::TIMEDOUT),
                _ => None,
            };
            if let Some(why) = gives_up
                && state.load(Ordering::Acquire) & ENDED == 0
            {
                self.0.attached.joiner.store(NOBODY, Ordering::Release);
                return Err(why);
            }
        }
    }

    /// As [`join`](Self::join), without waiting.
    ///
    /// # Errors
    /// As there, and `EBUSY`: it has not ended.
    pub fn try_join(self) -> Result<*mut c_void, Errno> {
        if !self.has_ended() {
            return Err(Errno(libc::EBUSY));
        }
        self.claim()?;
        Ok(self.take())
    }

    /// Notes that the caller joins it.
    fn claim(self) -> Result<(), Errno> {
        if self.0.attached.state.load(Ordering::Acquire) & DETACHED != 0 {
            return Err(Errno::INVAL);
        }
        // SAFETY: it has no arguments.
        let own = unsafe { libc::pthread_self() } as usize;
        if own == self.0.block.fs {
            return Err(Errno(libc::EDEADLK));
        }
        if current_thread().is_some_and(|thread| {
            thread.0.attached.joiner.load(Ordering::Acquire) == self.0.block.fs
        }) {
            return Err(Errno(libc::EDEADLK));
        }
        let joiner = &self.0.attached.joiner;
        let claimed = joiner.compare_exchange(NOBODY, own, Ordering::AcqRel, Ordering::Relaxed);
        claimed.map(drop).map_err(|_| Errno::INVAL)
    }

    /// Takes the value of one that has ended.
    fn take(self) -> *mut c_void {
        let value = self.0.attached.value.load(Ordering::Relaxed);
        recycle(self.0);
        value
    }

    /// Notes that nobody will join it.
    ///
    /// # Errors
    /// `EINVAL`: that was said before.
    pub fn detach(self) -> Result<(), Errno> {
        let old = self.0.attached.state.fetch_or(DETACHED, Ordering::AcqRel);
        if old & DETACHED != 0 {
            return Err(Errno::INVAL);
        }
        if old & ENDED != 0 {
            recycle(self.0);
        }
        Ok(())
    }

    /// Whether nobody will join it.
    pub fn is_detached(self) -> bool {
        self.0.attached.state.load(Ordering::Acquire) & DETACHED != 0
    }

    /// Whether it has ended, and waits to be joined.
    pub fn has_ended(self) -> bool {
        self.0.attached.state.load(Ordering::Acquire) & ENDED != 0
    }

    /// Sets the value that joining it will give. To be called by itself.
    pub fn set_value(self, value: *mut c_void) {
        self.0.attached.value.store(value, Ordering::Relaxed);
    }

    /// Its name, if it or one of its makers was given one. Ends with NUL.
    pub fn name(self) -> Option<[u8; NAME_LEN]> {
        Some(self.0.attached.name()).filter(|name| name[0] != 0)
    }

    /// Names it.
    pub fn set_name(self, name: [u8; NAME_LEN]) {
        self.0.attached.set_name(name);
    }

    /// Its `pthread_t`.
    pub fn handle(self) -> libc::pthread_t {
        self.0.block.fs as libc::pthread_t
    }

    /// The processors that it was to run on, if that was ever said.
    pub fn affinity(self) -> Option<libc::cpu_set_t> {
        let _sets = SETS.lock();
        // SAFETY: null or a set, which nobody frees while the lock is held.
        unsafe { self.0.attached.affinity.load(Ordering::Relaxed).as_ref() }.copied()
    }

    /// Notes the processors that it is to run on, which has no effect.
    pub fn set_affinity(self, set: libc::cpu_set_t) {
        forget_affinity(self.0, Box::into_raw(Box::new(set)));
    }

    /// The id by which the C library knows it.
    pub fn id(self) -> i32 {
        lisle_fiber::id_of(&self.0.block) as i32
    }

    /// Its scheduling policy and priority, which have no effect.
    pub fn scheduling(self) -> (c_int, c_int) {
        scheduling_of(&self.0.attached)
    }

    /// Notes them.
    pub fn set_scheduling(self, policy: c_int, priority: c_int) {
        self.0.attached.policy.store(policy, Ordering::Relaxed);
        self.0.attached.priority.store(priority, Ordering::Relaxed);
    }

    /// Its stack: lowest address, size, size of the guard below.
    pub fn stack(self) -> (usize, usize, usize) {
        match self.0.attached.given_stack.get() {
            (0, _) => {
                let (low, size) = (self.0.stack.low, self.0.stack.size);
                (low + lisle_sys::mmap::PAGE, size, lisle_sys::mmap::PAGE)
            }
            (low, size) => (low, size, 0),
        }
    }
}

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Thread").field(&self.0.block.fs).finish()
    }
}
