//! Stopping calls that wait in the kernel on a spare carrier.
//!
//! Nothing but a signal ends such a wait. It is sent by a timer of the kernel's, made for the call:
//! the runtime's own signal (see `preempt`), at the nearest deadline, or now if a token is
//! cancelled, and again each [`AGAIN`] until the call is over.
//!
//! ```text
//!   call      timer made, noted in the header; is a stop due? ... the call ... note, timer gone
//!   cancel    flag; barrier; the timer of the note strikes now
//!   handler   a stop is due, and the next instruction enters the kernel: skipped, EINTR
//! ```
//!
//! The handler has `SA_RESTART`, so a call that it interrupts is begun again: the kernel has set
//! the registers back, and the next instruction is `syscall`. It is also that just before the call
//! begins, and then not to begin it is as right. Where the kernel does not begin it again, it
//! fails with `EINTR` by itself. A signal that strikes at any other instruction does nothing, and
//! the next one follows. Only calls that wait are skipped ([`WAITING`]), since a function of the C
//! library may make others, which nobody expects to fail so.
//!
//! | `Task::nudge` | meaning |
//! |---|---|
//! | 0 | no such call |
//! | n + 1 | timer n is the call's |
//!
//! The coroutine stores it (sequentially consistent) and then asks whether a stop is due; whoever
//! cancels sets the flag, makes a barrier and then reads it. It is cleared, and the timer armed,
//! under [`NOTES`], so that nobody arms a timer that is another's by now.
//!
//! # Rejected
//!
//! 1. *One signal, when the stop is due.* It may strike just before the instruction that enters the
//!    kernel, and the call would wait for ever.
//! 2. *A thread that sends signals.* It would have to know all such calls and their deadlines; the
//!    kernel's timers do, and cost nothing until then.
//! 3. *A handler without `SA_RESTART`.* Ticks of preemption would interrupt calls of programs.

use std::sync::atomic::{AtomicBool, Ordering};

use lisle_fiber::Interrupted;
use lisle_sys::{clock, syscall, thread};

use super::current;
use super::preempt::TICK;
use super::section::SpinLock;
use super::task::Task;
use crate::extent;

/// Nanoseconds until the next signal, if the one before did not end the call.
const AGAIN: u64 = 1_000_000;
/// What the timers pass with their signal.
const MAGIC: usize = 0x6c69_736c_6500_6e75;

/// Calls that wait, and have done nothing when they fail with `EINTR`.
const WAITING: [i64; 34] = [
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_creat,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_flock,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_vmsplice,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
];

/// Whether the signal has its handler: false until it was installed, for good. Relaxed, because the
/// handler is the kernel's to know.
static READY: AtomicBool = AtomicBool::new(false);

/// To be called once the handler is installed.
pub(crate) fn prepare() {
    READY.store(true, Ordering::Relaxed);
}

/// Held while a note is used or taken back.
static NOTES: SpinLock<()> = SpinLock::new(());

/// Makes a call on this OS thread, which the coroutine does not leave meanwhile, so that it fails
/// with `EINTR` when a stop is due.
pub(crate) fn stoppable<R>(call: impl FnOnce() -> R) -> R {
    let task = current::current().filter(|_| !current::is_on_worker());
    let _timer = task.and_then(Timer::begin);
    call()
}

/// The timer of a call, noted.
struct Timer {
    task: &'static Task,
    id: i32,
}

impl Timer {
    /// None if there is none to be had: then the call is not stopped.
    fn begin(task: &'static Task) -> Option<Self> {
        if !READY.load(Ordering::Relaxed) || task.nudge.load(Ordering::Relaxed) != 0 {
            return None;
        }
        let id = make()?;
        let timer = Timer { task, id };
        task.nudge.store(id + 1, Ordering::SeqCst);
        match extent::limit() {
            _ if extent::stopped().is_some() => set(id, 1),
            extent::NEVER => {}
            // 0 would disarm it.
            limit => set(id, limit.max(1)),
        }
        Some(timer)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        {
            let _notes = NOTES.lock();
            self.task.nudge.store(0, Ordering::Relaxed);
        }
        // SAFETY: no pointers. What it has sent is not sent any more.
        let _ = unsafe { syscall(libc::SYS_timer_delete, [self.id as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Has a call of the coroutine's look whether it is to stop. Whoever calls this has made a barrier
/// since there is something to be seen.
pub(crate) fn rouse(task: &Task) {
    if task.nudge.load(Ordering::Relaxed) != 0 {
        let _notes = NOTES.lock();
        match task.nudge.load(Ordering::Relaxed) {
            0 => {}
            note => set(note - 1, 1),
        }
    }
}

/// The kernel's `struct sigevent` for a signal to one thread.
#[repr(C)]
struct Event {
    value: usize,
    signal: i32,
    notify: i32,
    thread: i32,
    rest: [i32; 11],
}

/// A timer for this OS thread.
fn make() -> Option<i32> {
    let event = Event {
        value: MAGIC,
        signal: TICK,
        notify: libc::SIGEV_THREAD_ID,
        thread: thread::id(),
        rest: [0; 11],
    };
    let mut id = 0_i32;
    let places = [(&raw const event) as usize, (&raw mut id) as usize];
    let args = [libc::CLOCK_MONOTONIC as usize, places[0], places[1], 0, 0, 0];
    // SAFETY: live places, of the kernel's forms.
    unsafe { syscall(libc::SYS_timer_create, args) }.ok().map(|_| id)
}

/// Has the timer strike at a moment, and again.
fn set(id: i32, moment: u64) {
    let setting =
        libc::itimerspec { it_interval: clock::timespec(AGAIN), it_value: clock::timespec(moment) };
    let at = libc::TIMER_ABSTIME as usize;
    // SAFETY: a live setting. Without a timer of that number it fails.
    let _ = unsafe {
        let place = (&raw const setting) as usize;
        syscall(libc::SYS_timer_settime, [id as usize, at, place, 0, 0, 0])
    };
}

/// Whether the information of a signal is that of such a timer.
///
/// # Safety
/// It is what a handler was called with.
#[inline(always)]
pub(crate) unsafe fn is_nudge(info: *const libc::siginfo_t) -> bool {
    // SAFETY: the caller's obligation; the value's place is that of all queued signals.
    unsafe { (*info).si_code == libc::SI_TIMER && info.cast::<usize>().add(3).read() == MAGIC }
}

/// Ends the call that the coroutine is about to make, or to begin again, if it is to stop. Called
/// by the handler.
pub(crate) fn strike(task: &Task, at: Interrupted) {
    if task.nudge.load(Ordering::Relaxed) == 0 || extent::stopped().is_none() {
        return;
    }
    let Some([number, _, command]) = at.system_call() else { return };
    let locks = [libc::F_SETLKW, libc::F_OFD_SETLKW];
    let waits = match number as i64 {
        libc::SYS_fcntl => locks.contains(&(command as i32)),
        number => WAITING.contains(&number),
    };
    if waits {
        at.skip_system_call(libc::EINTR);
    }
}
