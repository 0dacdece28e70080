//! Preemption: a coroutine gives way between any two instructions of its own code.
//!
//! The monitor (`slice`) sends a *tick* to a worker's OS thread: the C library's signal 33, which
//! nobody can block or take, with a mark by which `setxid`, whose handler it is, tells it apart.
//!
//! ```text
//!   monitor   tick ──> handler, on the alternate stack: may the interrupted code be held up?
//!                        yes: has it call `preempted` when the handler returns (`lisle-fiber`)
//!                        no:  nothing; the monitor sends another one soon
//!   preempted   registers are saved; does the C library call this code? ──> leaves the stack
//!               ... later, on whatever worker: registers are restored, and it goes on
//! ```
//!
//! To the program this is what the kernel does to a thread, with one difference: the OS thread
//! below may be another one afterwards. So what matters is what the kernel knows of OS threads, and
//! what is locked in a way that only OS threads can wait for:
//!
//! | not held up | because | known by |
//! |---|---|---|
//! | what is on no worker, or at home | it does not keep anybody waiting | FS base, carrier |
//! | the runtime, where it uses what is a worker's | it would go on with another's | `stay` |
//! | holders of spin locks | others would spin for a whole slice | `section` |
//! | signals' handlers, and calls in them | the kernel ends them, on their OS thread | `native` |
//! | where the OS thread blocks other signals than noted | a change is under way | `mask` |
//! | C library, loader, vdso, unwinder, other objects' `malloc` | they hold locks | `text` |
//! | what those call back: constructors, callbacks, `malloc` | the same | its callers |
//! | code on stacks of the program's own | how much room there is is unknown | stack pointer |
//! | code with little room on its stack | the registers are saved there | stack pointer |
//!
//! Callers are looked at on the coroutine's stack, in two steps. If no word there is an address in
//! such code, nothing of it is among them. Else the unwinder tells (`frames`): such words are left
//! behind in frames. Where it gets lost, in code without unwind information, the coroutine is not
//! preempted.
//!
//! What was preempted waits in a queue of its own, which all workers share; see `late`.
//!
//! # Rejected
//!
//! 1. *Ask at the beginning of functions and loops.* That needs the compiler, and misses C.
//! 2. *A signal of the program's set.* It may be blocked, waited for, or taken by a handler.
//! 3. *Leave in the handler, with the kernel's frame on the stack.* The OS thread would have the
//!    handler's mask and alternate stack while other coroutines run.
//! 4. *Count callbacks in hooks of all that call back.* One is always forgotten, and `malloc` is
//!    called back by most of the C library.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};

use lisle_fiber::{Interrupted, Walk, fs_base, is_block};
use lisle_sys::mmap::PAGE;
use lisle_sys::{Errno, clock, signal};

use super::current;
use super::directed;
use super::mask::blockable;
use super::nudge;
use super::section::{self, SpinLock};
use super::shared::{shared, started};
use super::stay::{self, Stay};
use super::task::{BUDGET, Task};
use super::text;

/// The signal of ticks, the C library's `SIGSETXID`.
pub(crate) const TICK: i32 = 33;
/// The code in the information of ticks, and of those that only ask where the thread is.
const MARK: i32 = -78;
const QUESTION: i32 = -79;

/// Bytes of stack that the unwinder may take.
const FOR_UNWINDER: usize = 6 << 10;

/// How often a coroutine gave way to a tick.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// How often coroutines were preempted so far.
pub(crate) fn preemptions() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Gets ready. False if coroutines cannot be preempted here.
pub(crate) fn prepare() -> bool {
    // The unwinder makes its tables when it is first used, by `pthread_once`. Who is preempted in
    // the middle of that must not find it half done when its own callers are looked at.
    lisle_fiber::walk(&|_| false);
    text::learn() && lisle_fiber::prepare_to_divert(preempted)
}

/// How many threads are about to become another program, held while a tick is sent.
static PAUSES: SpinLock<u32> = SpinLock::new(0);

/// Runs `f`, which makes this process another program, or fails. A tick that was sent and has not
/// struck would be that program's, and end it: the kernel resets handlers and keeps signals.
pub fn without_ticks<R>(f: impl FnOnce() -> R) -> R {
    /// Ends the pause also when `f` unwinds.
    struct Pause;
    impl Drop for Pause {
        fn drop(&mut self) {
            *PAUSES.lock() -= 1;
        }
    }
    // Not in the child of a fork: it has no runtime, and a lock that somebody may have held.
    let _pause = started().map(|_| {
        *PAUSES.lock() += 1;
        // What was sent before strikes at the end of any system call.
        lisle_sys::thread::id();
        Pause
    });
    f()
}

/// Forgets who was about to become another program, in the child of a fork.
pub(crate) fn forget_after_fork() {
    // SAFETY: the child has this one thread.
    unsafe { PAUSES.renew(0) };
}

/// Sends a tick to an OS thread of the runtime's.
pub(crate) fn send_tick(thread: i32) -> Result<(), Errno> {
    send(thread, MARK)
}

/// Has an OS thread that runs a worker note where it is; see `trace`.
pub(crate) fn ask_place(thread: i32) -> Result<(), Errno> {
    send(thread, QUESTION)
}

fn send(thread: i32, code: i32) -> Result<(), Errno> {
    let info = directed::information(TICK, code, 0);
    let pauses = PAUSES.lock();
    if *pauses != 0 {
        return Ok(());
    }
    // SAFETY: the information of a signal.
    unsafe { signal::queue(thread, TICK, &raw const info) }
}

/// Whether the information of a signal is a tick's.
///
/// # Safety
/// It is what a handler was called with.
#[inline(always)]
pub(crate) unsafe fn is_tick(info: *const c_void) -> bool {
    // SAFETY: the caller's obligation.
    matches!(unsafe { (*info.cast::<libc::siginfo_t>()).si_code }, MARK | QUESTION)
}

/// What a tick does.
///
/// # Safety
/// Called by the handler with what the kernel gave it. It runs on the stack of the interrupted
/// code, or on the alternate one, with the thread block of the interrupted code.
pub(crate) unsafe fn tick(info: *const c_void, context: *mut c_void) {
    // SAFETY: the FS base of a thread.
    if !unsafe { is_block(fs_base()) } {
        return;
    }
    // SAFETY: the kernel's information and context.
    let (code, at) =
        unsafe { ((*info.cast::<libc::siginfo_t>()).si_code, Interrupted::new(context)) };
    if code == QUESTION {
        return answer(at);
    }
    if stay::count() != 0 || section::is_inside() {
        return;
    }
    let Some(task) = current::current().filter(|_| started().is_some()) else { return };
    nudge::strike(task, at);
    if may_be_held_up(task, at) {
        stay::set(1);
        // SAFETY: as was just seen.
        unsafe { at.divert() };
    }
}

/// Notes where the coroutine is.
fn answer(at: Interrupted) {
    if let Some(task) = current::current().filter(|_| started().is_some())
        && let Some(worker) = task.latest_carrier().and_then(|carrier| carrier.worker)
    {
        worker.place.note(at.stack_pointer(), at.instruction());
    }
}

fn may_be_held_up(task: &'static Task, at: Interrupted) -> bool {
    let Some(carrier) = task.latest_carrier().filter(|carrier| carrier.worker.is_some()) else {
        return false;
    };
    let lowest = task.stack.low + PAGE + Interrupted::room_wanted();
    task.native.get() == 0
        && task.handlers.depth.get() == 0
        && carrier.has_mask(blockable(at.mask()))
        && (lowest..task.block.stack_top).contains(&at.stack_pointer())
        && !text::is_unsafe(at.instruction())
        && at.can_be_saved()
}

/// Called in the place of the interrupted code, whose stack pointer was this.
extern "C" fn preempted(stack_pointer: usize) {
    // SAFETY: begun by the tick.
    let stay = unsafe { Stay::begun() };
    let Some(task) = current::current() else { return };
    if is_called_back(task, stack_pointer) {
        return;
    }
    COUNT.fetch_add(1, Ordering::Relaxed);
    task.budget.set(BUDGET);
    // SAFETY: the running coroutine on its carrier; the commit gives it away once it has left.
    unsafe {
        let carrier = task.carrier(&stay);
        if let Some(worker) = carrier.worker {
            worker.coroutine_was_late(clock::now());
        }
        carrier.leave(task, &stay, None, || shared().push_late(task));
    }
}

/// Whether code that must not be held up is among the callers of what runs at `stack_pointer`.
fn is_called_back(task: &Task, stack_pointer: usize) -> bool {
    let words = stack_pointer.next_multiple_of(8)..task.block.stack_top & !7;
    // SAFETY: the coroutine's own stack, from what is in use up.
    let is_it = |place| text::keeps_callers(unsafe { (place as *const usize).read_volatile() });
    if !words.step_by(8).any(is_it) {
        return false;
    }
    let here = &raw const stack_pointer as usize;
    here < task.stack.low + PAGE + FOR_UNWINDER || {
        // The first of ours is what called this.
        let own = Cell::new(0);
        let is_it = |address| {
            own.set(own.get() + u32::from(lisle_fiber::is_own_text(address)));
            own.get() > 1 || text::is_others(address)
        };
        lisle_fiber::walk(&is_it) != Walk::NotFound
    }
}
