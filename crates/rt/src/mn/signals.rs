//! Signals on coroutines, for the hooks: handlers, masks, alternate stacks.
//!
//! Every handler that the program installs runs through a wrapper, which asks here. On a coroutine
//! it counts as a native section: no hooked call suspends in it, so each is the plain call and as
//! fit for handlers as the original.
//!
//! A handler may leave by `siglongjmp` or an exception. So it is noted where it runs. If that is
//! below the stack pointer, or on an alternate stack that is not in use any more, the next call
//! that would suspend notices and strikes it off (`left`); the hooks of `longjmp` and its kin,
//! which know where to, do so at once.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::Ordering;

use lisle_sys::Errno;
use lisle_sys::signal::{self, Change};

use super::alternate;
use super::cancel;
use super::carrier;
use super::current;
use super::directed;
use super::mask::ALL;
use super::preempt::TICK;
use super::rest;
use super::section;
use super::shared::started;
use super::stay::{self, Stay};
use super::task::{Alternate, Ran, Task};
use crate::extent;

pub use super::directed::Kick;
pub use super::section::RawSpin;

/// Whether what is interrupted here must not run a handler; then the signal is put off, unless it
/// is the fault of the running instruction.
///
/// # Safety
/// The arguments are those of the handler that the kernel called.
pub unsafe fn put_off(number: i32, info: *const libc::siginfo_t, context: *mut c_void) -> bool {
    // SAFETY: the caller's obligation.
    if !section::is_inside() || unsafe { is_fault(number, info) } {
        return false;
    }
    // SAFETY: as above.
    if unsafe { signal::queue(lisle_sys::thread::id(), number, info) }.is_err() {
        // Too many are queued in the system. A signal lost is worse than one that comes early.
        return false;
    }
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel restores the mask from there; its own set is the first word.
    unsafe { *(&raw mut (*context).uc_sigmask).cast::<u64>() |= signal::set_of(number) };
    section::defer(number);
    true
}

/// Whether the running instruction is to blame, which would run again.
///
/// # Safety
/// `info` is that of the signal.
unsafe fn is_fault(number: i32, info: *const libc::siginfo_t) -> bool {
    let faults =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
    // SAFETY: the caller's obligation.
    faults.contains(&number) && unsafe { (*info).si_code } > 0
}

/// What the handlers of the program block besides, if they run on an alternate stack: the ticks of
/// preemption, which would run there too. Alternate stacks are small, and the kernel's frames are
/// not.
pub const HIDDEN: u64 = signal::set_of(TICK);

/// Runs a handler, which `restarts` calls that it interrupts if they can be, and is to run on an
/// alternate stack if there is one.
///
/// # Safety
/// Called by the wrapper with the context that the kernel gave it; see [`put_off`].
pub unsafe fn handle(context: *mut c_void, restarts: bool, on_stack: bool, handler: impl FnOnce()) {
    /// Strikes the record off also when the handler unwinds.
    struct Running {
        task: &'static Task,
        depth: u32,
        native: u32,
        stays: u32,
    }
    impl Drop for Running {
        fn drop(&mut self) {
            self.task.handlers.depth.set(self.depth);
            self.task.native.set(self.native);
            // Those of handlers that were left by a jump end nowhere.
            stay::set(self.stays);
        }
    }
    let Some(task) = current::current() else { return handler() };
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel restores the mask from there; its own set is the first word.
    let mask = || unsafe { *(&raw const (*context).uc_sigmask).cast::<u64>() };
    let before = mask();
    let (depth, native) = (task.handlers.depth.get(), task.native.get());
    let running = Running { task, depth, native, stays: stay::count() };
    if let Some(record) = task.handlers.outermost.get(running.depth as usize) {
        record.set((&raw const running as usize, running.native));
    }
    task.handlers.depth.set(running.depth + 1);
    task.native.set(running.native + 1);
    if on_stack {
        let stay = Stay::begin();
        // SAFETY: it runs, here, and stays while a handler runs.
        unsafe { alternate::run(task, task.carrier(&stay), handler) };
    } else {
        handler();
    }
    drop(running);
    if !restarts || task.ran.get() == Ran::Nothing {
        task.ran.set(if restarts { Ran::Restarting } else { Ran::Interrupting });
    }
    let after = mask();
    if after != before && task.handlers.depth.get() == 0 {
        // What it wrote there is what the coroutine blocks from now on.
        note(task, after);
    }
}

/// Whether handlers run on the coroutine, once those that were left are struck off.
fn in_handler(task: &'static Task) -> bool {
    task.handlers.depth.get() != 0 && {
        left(task);
        task.handlers.depth.get() != 0
    }
}

/// Strikes off the handlers that were left without returning, and learns what the coroutine blocks
/// now. Called in one section. Returns whether nothing keeps the coroutine from suspending any
/// more.
#[cold]
pub(crate) fn left(task: &'static Task) -> bool {
    let place = 0_u8;
    // The caller's section goes on.
    let here = ((&raw const place) as usize, 1);
    strike_off(task, here, None);
    task.native.get() == 0
}

/// Strikes off the handlers that cannot be running when code at `here` does, which has so many
/// sections open in which it stays. `mask` is what the coroutine blocks if all were left, else it
/// is asked for.
fn strike_off(task: &'static Task, (here, stays): (usize, u32), mask: Option<u64>) {
    let stack = task.stack.low..task.block.stack_top;
    let depth = task.handlers.depth.get();
    let mut records = task.handlers.outermost.iter().take(depth as usize).map(Cell::get);
    // With a handler all those are over that interrupted it.
    let over = records.position(|(place, _)| is_left(place, here, &stack));
    if let Some(over) = over {
        task.handlers.depth.set(over as u32);
        task.native.set(task.handlers.outermost[over].get().1);
        if over == 0 {
            stay::set(stays);
            // See `HIDDEN`.
            signal::change_mask(Change::Unblock, signal::set_of(TICK));
            note(task, mask.unwrap_or_else(signal::mask));
        }
    } else if depth == 0
        && let Some(mask) = mask
    {
        note(task, mask);
    }
}

/// Whether code at `here` shows that the handler whose record is at `record` is over. On one stack
/// code that it calls runs below its record. A handler on an alternate stack is over once code on
/// the coroutine's own stack runs, and one on the coroutine's goes on while code on the alternate
/// stack runs.
fn is_left(record: usize, here: usize, stack: &std::ops::Range<usize>) -> bool {
    match (stack.contains(&record), stack.contains(&here)) {
        (true, true) | (false, false) => record < here,
        (false, true) => true,
        (true, false) => false,
    }
}

/// Notes what a coroutine that runs blocks from now on, and so does its OS thread.
fn note(task: &'static Task, set: u64) {
    let stay = Stay::begin();
    task.mask.block(set);
    // SAFETY: it runs, here.
    unsafe { task.carrier(&stay) }.note_mask(set);
    if let Some(shared) = started() {
        rest::follow(shared, task.id(), set);
    }
}

/// The running coroutine, if what happens to the OS thread's signals now is the coroutine's: not in
/// a handler, at whose end the kernel undoes it, nor in the child of a fork.
fn owner() -> Option<&'static Task> {
    let _stay = Stay::begin();
    current::current().filter(|task| started().is_some() && !in_handler(task))
}

/// To be called after the caller has changed which signals its OS thread blocks. `alone`: there are
/// no threads but the main one, and there were others.
pub fn mask_changed(alone: bool) {
    if let Some(task) = owner() {
        note(task, signal::mask());
        if directed::has_any(task) {
            directed::deliver(task);
        }
    } else if let Some(shared) = started()
        && current::current().is_none()
    {
        rest::follow_thread(shared, signal::mask(), alone);
    }
}

/// Whether a wait that can be stopped and was interrupted is over, and by which error. If not, it
/// goes on.
pub fn interrupts(always: bool) -> Option<Errno> {
    let handled = handled(always);
    match extent::stopped() {
        // Whose code is to end at this very call does so, stopped or not.
        Some(stop) if !cancel::is_cancelled() => Some(Errno(stop.errno())),
        _ => handled.then_some(Errno::INTR),
    }
}

/// Whether a wait that ended because a signal came is over: a handler has run since, and it was not
/// said of all of them that calls are restarted, or it `always` is. Else it goes on.
pub(crate) fn handled(always: bool) -> bool {
    let Some(task) = current::current() else { return false };
    match task.ran.replace(Ran::Nothing) {
        Ran::Nothing => false,
        Ran::Restarting => always,
        Ran::Interrupting => true,
    }
}

/// The coroutine whose thread this is to the C library; none if it is an OS thread.
///
/// # Safety
/// The thread exists, or did and was not joined.
pub(crate) unsafe fn coroutine_of(thread: libc::pthread_t) -> Option<&'static Task> {
    started()?;
    // SAFETY: the caller's obligation.
    if !unsafe { lisle_fiber::is_block(thread as usize) } {
        return None;
    }
    Some(Task::of_block(thread as usize))
}

/// Sends a signal to the coroutine whose thread this is to the C library: as `pthread_kill` does,
/// or with a value. None if it is an OS thread.
///
/// # Safety
/// The thread exists, or did and was not joined. The signal is one.
pub unsafe fn send(
    thread: libc::pthread_t,
    number: i32,
    value: Option<usize>,
) -> Option<Result<(), Errno>> {
    // SAFETY: the caller's obligation.
    let task = unsafe { coroutine_of(thread) }?;
    if number == 0 {
        return Some(Ok(()));
    }
    let info = match value {
        Some(value) => directed::information(number, libc::SI_QUEUE, value),
        None => directed::information(number, libc::SI_TKILL, 0),
    };
    Some(directed::send(task, number, info))
}

/// Whether the running coroutine blocks the signal: then it may not be left to the OS thread.
pub fn is_blocked(number: i32) -> bool {
    current::current().is_some_and(|task| {
        started().is_some() && task.mask.blocked() & signal::set_of(number) != 0
    })
}

/// Makes the information that a handler was called with that of what was sent, if something was
/// sent to a coroutine. [`Kick::Void`]: to another one, or it was taken already.
///
/// # Safety
/// `info` is the kernel's, and `put_off` was asked before.
pub unsafe fn resolve(info: *mut libc::siginfo_t) -> Kick {
    // SAFETY: the caller's obligation.
    unsafe { directed::resolve(info) }
}

/// Whether this is a coroutine, on whatever carrier, and not in a handler.
pub fn on_coroutine() -> bool {
    owner().is_some()
}

/// Passes a signal for the process on to the main coroutine, which the kernel would have given it
/// to, were it the main thread, if that does not block it. Whether it did.
///
/// # Safety
/// `info` is the kernel's; [`put_off`] was asked before, and [`resolve`], which said that it is.
pub unsafe fn pass_on(number: i32, info: *const libc::siginfo_t) -> bool {
    // These are raised by what the running thread does.
    let own = [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGTTIN, libc::SIGTTOU, libc::SIGXCPU];
    let Some(main) = rest::main().filter(|_| started().is_some() && !own.contains(&number)) else {
        return false;
    };
    // SAFETY: the caller's obligation.
    let (info, is_fault) = unsafe { (*info, is_fault(number, info)) };
    // Timers may be a thread's, and the others are sent to one.
    let is_own = is_fault || matches!(info.si_code, libc::SI_TKILL | libc::SI_TIMER);
    // Threads of the program's own keep what they got.
    let is_other = match current::current() {
        Some(task) => !std::ptr::eq(task, main),
        None => carrier::is_home(),
    };
    let blocks = main.mask.blocked() & signal::set_of(number) != 0;
    is_other && !(is_own || blocks) && directed::send(main, number, info).is_ok()
}

/// What was sent to the running coroutine alone and waits.
pub fn pending() -> u64 {
    current::current().map_or(0, directed::pending)
}

/// Runs `call`, which waits with another mask than the coroutine has, on a spare carrier.
pub fn waiting_with<R>(mask: u64, call: impl FnOnce() -> R) -> R {
    let Some(task) = owner() else { return call() };
    task.awaited.store(!mask, Ordering::SeqCst);
    // What came before is with the OS thread then, which takes it in the call.
    let waiting = directed::pending(task) & task.mask.blocked() & !mask;
    if waiting != 0 {
        directed::kick_self(task, waiting);
    }
    let result = call();
    task.awaited.store(0, Ordering::SeqCst);
    result
}

/// Takes one of a set of signals that was sent to the running coroutine, or runs `call`, which
/// takes one from the kernel: the information, or none if that failed. On a spare carrier.
pub fn take_one_of(
    set: u64,
    mut call: impl FnMut() -> Option<libc::siginfo_t>,
) -> Option<libc::siginfo_t> {
    let Some(task) = owner() else { return call() };
    task.awaited.store(set, Ordering::SeqCst);
    let result = loop {
        if let Some(info) = directed::take(task, set) {
            break Some(info);
        }
        let Some(mut info) = call() else { break None };
        // SAFETY: the kernel's.
        if !matches!(unsafe { directed::resolve(&raw mut info) }, Kick::Void) {
            break Some(info);
        }
    };
    task.awaited.store(0, Ordering::SeqCst);
    result
}

/// To be called before the caller jumps to where the stack pointer is `target`, and this mask, if
/// any, is restored.
pub fn jumps(target: usize, mask: Option<u64>) {
    if let Some(task) = current::current()
        && started().is_some()
    {
        strike_off(task, (target, 0), mask);
    }
}

/// The alternate stack that the running coroutine has: none but what it was given. None on OS
/// threads and in handlers, where the kernel is right.
pub fn alternate() -> Option<libc::stack_t> {
    let Alternate { low, size, flags } = owner()?.alternate.get();
    Some(libc::stack_t { ss_sp: low as *mut c_void, ss_flags: flags, ss_size: size })
}

/// To be called after the caller gave its OS thread this alternate stack.
pub fn alternate_changed(stack: &libc::stack_t) {
    let Some(task) = owner() else { return };
    let (low, size) = (stack.ss_sp as usize, stack.ss_size);
    let given = Alternate { low, size, flags: stack.ss_flags };
    task.alternate.set(if alternate::is_there(given) { given } else { Alternate::NONE });
    // The kernel has looked whether it will do; it is the carrier's own that is to be installed.
    let stay = Stay::begin();
    // SAFETY: it runs, here.
    unsafe { task.carrier(&stay) }.take_alternate_back();
}

/// Takes back what of signals a coroutine leaves behind. Called by itself, at its end.
pub(crate) fn end(task: &'static Task) {
    if directed::has_any(task) {
        directed::forget(task);
    }
    task.alternate.set(Alternate::NONE);
}

/// What an OS thread blocked that stands aside; see [`as_bystander`].
#[derive(Clone, Copy, Debug)]
pub struct Inherited(Option<u64>);

/// Runs `f` on an OS thread that stands for nobody: it starts the program's main function as a
/// coroutine and waits for it. Signals for the process are left to others meanwhile, from before
/// the function begins. What it is to block is passed to `f`, for [`main_begins`].
pub fn as_bystander<R>(f: impl FnOnce(Inherited) -> R) -> R {
    /// Restores also when `f` unwinds.
    struct Restore(u64);
    impl Drop for Restore {
        fn drop(&mut self) {
            signal::change_mask(Change::Set, self.0);
        }
    }
    if current::current().is_some() {
        return f(Inherited(None));
    }
    let restore = Restore(signal::change_mask(Change::Set, ALL));
    f(Inherited(Some(restore.0)))
}

/// Whether this is the OS thread that the process began with, and no coroutine.
pub fn is_main_thread() -> bool {
    // SAFETY: no arguments.
    let process = unsafe { lisle_sys::syscall(libc::SYS_getpid, [0; 6]) };
    current::current().is_none() && process == Ok(lisle_sys::thread::id() as usize)
}

/// To be called first by a main function: it blocks what the thread did that it began on. If that
/// was the process's own, it is the program's main thread from now on: what it blocks, idle workers
/// block too.
pub fn main_begins(inherited: Inherited, is_main: bool) {
    if let (Some(task), Some(shared), true) = (current::current(), started(), is_main) {
        rest::set_main(task);
        rest::follow(shared, task.id(), task.mask.blocked());
    }
    if let Inherited(Some(mask)) = inherited {
        signal::change_mask(Change::Set, mask);
        mask_changed(false);
    }
}
