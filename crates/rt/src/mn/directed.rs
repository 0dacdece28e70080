//! Signals sent to one coroutine: `pthread_kill`, `pthread_sigqueue`, `raise`.
//!
//! The kernel does not know coroutines, so these wait in queues of ours until their coroutine takes
//! them. It does so as soon as it runs and does not block them: it sends itself a signal of the
//! kernel's that bears its name (a *kick*), and the wrapper of handlers takes from the queue what
//! the kick stands for. So handlers, default effects and ignored signals are the kernel's business,
//! and handlers run on the coroutine that is meant.
//!
//! ```text
//!   sender    queue; LOOK in the coroutine's word; barrier;
//!             it waits: end the wait (INTERRUPT); else: kick the carrier that it last ran on
//!   target    about to wait, resumed, or unblocks: LOOK? clear it, kick oneself
//!   wrapper   a kick: for the coroutine that runs here, and still queued? its handler
//! ```
//!
//! A kick that comes too late, or to the wrong OS thread, finds another coroutine running, or
//! nothing queued, and does nothing; the signal stays queued and `LOOK` set.
//!
//! The target arms its wait word, or notes its carrier, and then reads `LOOK`; the sender sets
//! `LOOK` and then reads those. The barrier in between is the kernel's (`membarrier`), so that the
//! target's side, which every wait and every switch takes, needs none. What is left is a window of
//! a few instructions in which a carrier has looked at the word of a coroutine and not yet switched
//! to it: a kick that comes just then does nothing, and the signal is taken at the next wait.
//!
//! # Rejected
//!
//! 1. *`tgkill` at once, to whatever OS thread runs the coroutine.* It may run elsewhere by then.
//! 2. *Run the handler by ourselves, without the kernel.* Mask, alternate stack and registers would
//!    have to be made as the kernel makes them, and default effects too.

use std::sync::atomic::Ordering;

use lisle_core::Cause;
use lisle_sys::signal::{self, set_of};
use lisle_sys::{Errno, thread};

use super::cancel;
use super::current;
use super::mask::LOOK;
use super::section::SpinLock;
use super::shared::started;
use super::task::{Ran, Task};
use super::worker::Alarm;

/// The end of a wait by a signal; see `Wait::suspend`.
pub(crate) const INTERRUPT: Cause = Cause::new(5);

/// Signals that wait at the same time, in the whole process.
const MOST: usize = 256;
/// Whence a kick comes, among the codes of signals: one that nobody else uses. The kernel lets a
/// thread send another one those below zero alone, and not that of `tgkill`.
const KICK: i32 = -77;
/// The first real-time signal: from there on each one sent counts.
const FIRST_QUEUED: i32 = 32;

/// What waits. Fields of `Task` that belong to it are touched under the lock.
static QUEUE: SpinLock<Queue> = SpinLock::new(Queue::EMPTY);

/// Empties the queue, in the child of a fork: whom it is for does not exist there, nor does whoever
/// held it.
pub(crate) fn forget_after_fork() {
    // SAFETY: the child has this one thread.
    unsafe { QUEUE.renew(Queue::EMPTY) };
}

struct Queue {
    places: [Option<Entry>; MOST],
    /// Number of the next one.
    next: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    number: u64,
    task: *const Task,
    signal: i32,
    info: libc::siginfo_t,
}

// SAFETY: the pointer is compared and not followed.
unsafe impl Send for Entry {}

impl Queue {
    const EMPTY: Queue = Queue { places: [const { None }; MOST], next: 0 };

    /// Makes the coroutine's set that of what is queued for it.
    fn renew(&self, task: &Task) {
        let of_it = self.places.iter().flatten().filter(|e| std::ptr::eq(e.task, task));
        let set = of_it.fold(0, |set, entry| set | set_of(entry.signal));
        task.pending.store(set, Ordering::Relaxed);
    }

    fn put(&mut self, task: &Task, signal: i32, info: libc::siginfo_t) -> Result<(), Errno> {
        if signal < FIRST_QUEUED && task.pending.load(Ordering::Relaxed) & set_of(signal) != 0 {
            return Ok(());
        }
        let place = self.places.iter_mut().find(|place| place.is_none()).ok_or(Errno::AGAIN)?;
        *place = Some(Entry { number: self.next, task, signal, info });
        self.next += 1;
        self.renew(task);
        Ok(())
    }

    /// Takes the first of a signal.
    fn take(&mut self, task: &Task, signal: i32) -> Option<libc::siginfo_t> {
        let of_it = self.places.iter_mut().filter(|place| {
            place.is_some_and(|e| std::ptr::eq(e.task, task) && e.signal == signal)
        });
        let first = of_it.min_by_key(|place| place.map(|entry| entry.number))?.take()?;
        self.renew(task);
        Some(first.info)
    }
}

/// Sends a signal to the coroutine, or to whichever lives on its stack by now.
pub(crate) fn send(task: &'static Task, signal: i32, info: libc::siginfo_t) -> Result<(), Errno> {
    if task.id() == 0 {
        // As with a thread that has ended and was not joined.
        return Ok(());
    }
    QUEUE.lock().put(task, signal, info)?;
    task.mask.set(LOOK);
    let is_own = current::current().is_some_and(|own| std::ptr::eq(own, task));
    if task.mask.blocked() & set_of(signal) != 0 {
        // Taken when it is unblocked, or by who waits for it just now.
        if task.awaited.load(Ordering::SeqCst) & set_of(signal) != 0 {
            kick(task, signal, thread_of(task));
        }
        return Ok(());
    }
    if is_own {
        kick(task, signal, thread::id());
        return Ok(());
    }
    thread::barrier();
    let ticket = task.wait.ticket();
    if !(Alarm { task, ticket }).wake(INTERRUPT) {
        kick(task, signal, thread_of(task));
    }
    Ok(())
}

/// Ends the wait of a coroutine, or its next one, so that it looks what is wanted of it.
pub(crate) fn look(task: &'static Task) {
    look_all(std::iter::once(task));
}

/// As [`look`], of many.
pub(crate) fn look_all(tasks: impl Iterator<Item = &'static Task> + Clone) {
    tasks.clone().for_each(|task| task.mask.set(LOOK));
    thread::barrier();
    for task in tasks {
        let ticket = task.wait.ticket();
        (Alarm { task, ticket }).wake(INTERRUPT);
    }
}

/// The OS thread that the coroutine last ran on.
fn thread_of(task: &Task) -> i32 {
    task.latest_carrier().map_or(0, |carrier| carrier.thread())
}

/// Has the wrapper look, on this OS thread. Nothing if that does not exist any more.
fn kick(task: &Task, signal: i32, thread: i32) {
    let info = information(signal, KICK, name(task));
    // SAFETY: as for `tgkill`.
    let _ = unsafe { signal::queue(thread, signal, &raw const info) };
}

/// By what a kick names the coroutine.
fn name(task: &Task) -> usize {
    std::ptr::from_ref(task) as usize
}

/// `siginfo_t` as the kernel fills it in for a signal from this process.
pub(crate) fn information(signal: i32, code: i32, value: usize) -> libc::siginfo_t {
    // SAFETY: all-zero is a valid value to fill in; the calls have no arguments.
    let (mut info, process, user) = unsafe {
        let info: libc::siginfo_t = std::mem::zeroed();
        let process = lisle_sys::syscall(libc::SYS_getpid, [0; 6]).unwrap_or(0);
        (info, process, lisle_sys::syscall(libc::SYS_getuid, [0; 6]).unwrap_or(0))
    };
    info.si_signo = signal;
    info.si_code = code;
    // SAFETY: process, user and value lie at these places on x86-64; the value's is unused in the
    // information of `tgkill`.
    unsafe {
        let words = (&raw mut info).cast::<i32>();
        words.add(4).write(process as i32);
        words.add(5).write(user as i32);
        words.add(6).cast::<usize>().write(value);
    }
    info
}

/// What the information of a kick turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kick {
    /// It is none: a signal of the kernel's.
    No,
    /// It stands for nothing any more, or is not for whoever runs here.
    Void,
    /// It has become the information of what was sent.
    Real,
}

/// Takes from the queue what a kick stands for.
///
/// # Safety
/// `info` is the information of a signal that was received here.
pub(crate) unsafe fn resolve(info: *mut libc::siginfo_t) -> Kick {
    // SAFETY: the caller's obligation; see `information` for the places.
    let (code, signal, value) = unsafe {
        let value = info.cast::<i32>().add(6).cast::<usize>().read();
        ((*info).si_code, (*info).si_signo, value)
    };
    if code != KICK {
        return Kick::No;
    }
    let Some(task) = current::current().filter(|task| name(task) == value) else {
        return Kick::Void;
    };
    match QUEUE.lock().take(task, signal) {
        Some(sent) => {
            // SAFETY: the caller's obligation.
            unsafe { *info = sent };
            Kick::Real
        }
        None => Kick::Void,
    }
}

/// What is queued for the coroutine.
pub(crate) fn pending(task: &Task) -> u64 {
    let _queue = QUEUE.lock();
    task.pending.load(Ordering::Relaxed)
}

/// Takes one of a set, the lowest first.
pub(crate) fn take(task: &Task, set: u64) -> Option<libc::siginfo_t> {
    let mut queue = QUEUE.lock();
    let wanted = task.pending.load(Ordering::Relaxed) & set;
    let signal = (wanted != 0).then(|| wanted.trailing_zeros() as i32 + 1)?;
    queue.take(task, signal)
}

/// Lets what is queued and not blocked strike. Called by the coroutine, when its word says `LOOK`
/// or it has unblocked signals. Not in handlers: what the kernel blocks meanwhile is not known.
#[cold]
pub(crate) fn deliver(task: &'static Task) {
    task.mask.clear(LOOK);
    if started().is_none() {
        return;
    }
    if cancel::wants_end(task) {
        task.ran.set(Ran::Interrupting);
    }
    let mut left = pending(task) & !task.mask.blocked();
    while left != 0 {
        let signal = left.trailing_zeros() as i32 + 1;
        let count = {
            let queue = QUEUE.lock();
            let of_it = queue.places.iter().flatten();
            of_it.filter(|e| std::ptr::eq(e.task, task) && e.signal == signal).count()
        };
        for _ in 0..count {
            kick(task, signal, thread::id());
        }
        left &= left - 1;
    }
}

/// Kicks the calling OS thread for each of these signals, which it is about to unblock.
pub(crate) fn kick_self(task: &Task, mut signals: u64) {
    while signals != 0 {
        kick(task, signals.trailing_zeros() as i32 + 1, thread::id());
        signals &= signals - 1;
    }
}

/// Forgets what was sent to a coroutine that ends. Called by itself.
pub(crate) fn forget(task: &Task) {
    let mut queue = QUEUE.lock();
    if task.pending.load(Ordering::Relaxed) != 0 {
        for place in &mut queue.places {
            if place.is_some_and(|entry| std::ptr::eq(entry.task, task)) {
                *place = None;
            }
        }
        queue.renew(task);
    }
    task.mask.clear(LOOK);
}

/// Whether anything is queued for the coroutine, without the lock: for its own use, at its end.
pub(crate) fn has_any(task: &Task) -> bool {
    task.mask.word() & LOOK != 0 || task.pending.load(Ordering::Relaxed) != 0
}
