//! Requests to the kernel, and the coroutines that wait for the answers.
//!
//! Each worker has a ring of its own. A coroutine that would block writes a request to the ring of
//! the worker it runs on and suspends; the request refers to a record on its stack, the
//! [`Op`](op::Op). The worker submits what has gathered when it runs out of coroutines, in the same
//! system call in which it then waits for answers, or after a bounded number of switches.
//!
//! ```text
//!   coroutine        push ──> ring's requests ── enter ──> kernel
//!   coroutine <── run queue <── take <── ring's answers <────'
//! ```
//!
//! # Nobody's answers are held hostage
//!
//! Requests are pushed by the worker's own thread alone. Everything else may be done by other
//! threads of the runtime that never end: the monitor submits and takes for a worker that is busy
//! with one coroutine for long, and a coroutine whose time is over cancels its request wherever it
//! was submitted.
//!
//! An answer that needs work by the thread that submitted (most do) waits for that thread's next
//! system call or the next tick of its clock, so a thread that computes delays it by milliseconds
//! at most. One that blocks is woken for it, if its call can be interrupted; one that waits for a
//! disk keeps its answers for as long as that takes.
//!
//! | `kept`, `watched` | meaning | set by |
//! |---|---|---|
//! | kept | the worker sleeps or is about to; it alone takes | the worker, under `taking` |
//! | not kept | others may take answers under `taking` | the worker, when awake |
//! | watched | the kernel answers when the eventfd is written | the worker, when it keeps |
//! | not watched | it is to be asked again | whoever takes the last answer, under `taking` |
//!
//! What wakes a worker is an answer, so nobody else may take that: the worker keeps its answers
//! from before a waker can see it asleep until it is awake.
//!
//! # Rejected
//!
//! 1. *One ring for all workers.* Its lock would be taken twice for each request.
//! 2. *Rings that one thread alone may touch* (`IORING_SETUP_DEFER_TASKRUN`). A hand-written echo
//!    server is no faster with it (5.6 to 6.3 us a request either way), and a worker that is stuck
//!    would keep its answers.
//! 3. *A kernel thread that polls for submissions.* It takes a CPU.

mod op;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use lisle_core::List;
use lisle_sys::Errno;
use lisle_sys::eventfd::EventFd;
use lisle_sys::uring::{AHEAD, Answer, Entry, Unavailable, Uring, Wait};

use super::section::RawSpin;
use super::task::Task;

pub(crate) use op::Op;

/// Places for requests: two looks' worth of coroutines that each make one.
const REQUESTS: u32 = 128;
/// Places for answers; more than that the kernel keeps until there is room.
const ANSWERS: u32 = 1024;
/// The word of the request that watches the eventfd. No record has this address.
const INTERRUPT: u64 = 1;

/// The word of an answer that was taken out of its turn.
const GONE: u64 = 2;
/// Among so many of the newest answers one is looked for.
const NEWEST: u32 = 64;

/// How far ahead records are fetched; what they refer to is fetched when those are there.
const FAR: u32 = AHEAD[0];

/// A worker's ring.
pub(crate) struct Proactor {
    uring: Uring,
    /// Held by whoever takes answers.
    taking: RawSpin,
    /// Whether answers are left to the worker, which sleeps or is about to: one of them may be what
    /// wakes it, or the end of the watch on the eventfd. Written under the lock, or to false.
    kept: AtomicBool,
    interrupt: EventFd,
    /// Whether the kernel watches the eventfd. Written by whoever takes answers, and by the worker
    /// when nobody else does.
    watched: AtomicBool,
    /// How often the kernel was entered to submit. An estimate where others help.
    entered: AtomicU32,
}

impl Proactor {
    pub(crate) fn new() -> Result<Self, Unavailable> {
        Ok(Proactor {
            uring: Uring::new(REQUESTS, ANSWERS)?,
            taking: RawSpin::new(),
            kept: AtomicBool::new(false),
            interrupt: EventFd::new().map_err(Unavailable::Refused)?,
            watched: AtomicBool::new(false),
            entered: AtomicU32::new(0),
        })
    }

    /// Whether there is room for `count` more requests. Asked by the worker's thread, there stays.
    #[inline]
    pub(crate) fn has_room(&self, count: u32) -> bool {
        REQUESTS - self.uring.unsubmitted() >= count
    }

    /// Writes the request of `op`.
    ///
    /// # Safety
    /// Called on the worker's thread, and there is room. The memory that the entry names is the
    /// kernel's until `op` is done, and so is `op`, which stays in place.
    #[inline]
    pub(crate) unsafe fn push(&self, mut entry: Entry, op: &Op) {
        entry.data = op.address();
        op.set_pushed(self.entered.load(Ordering::Relaxed));
        // SAFETY: the caller's obligation.
        let pushed = unsafe { self.uring.push(&entry) };
        debug_assert!(pushed, "there is room");
    }

    /// Whether requests wait for being submitted.
    pub(crate) fn has_unsubmitted(&self) -> bool {
        self.uring.unsubmitted() != 0
    }

    /// Whether requests wait for being submitted, or answers for a system call.
    #[inline]
    pub(crate) fn wants_enter(&self) -> bool {
        self.uring.unsubmitted() != 0 || self.uring.wants_enter()
    }

    /// Whether there are answers to take.
    #[inline]
    pub(crate) fn has_answers(&self) -> bool {
        self.uring.has_answers()
    }

    /// Submits what was pushed, from any thread that never ends: with its end the kernel cancels
    /// what it submitted. False if the kernel does not take all of it now, for lack of memory or
    /// because too many answers wait; that stays for the next time.
    pub(crate) fn submit(&self) -> bool {
        self.enter(Wait::No);
        self.uring.unsubmitted() == 0
    }

    fn enter(&self, wait: Wait) {
        self.entered.store(self.entered.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        match self.uring.enter(self.uring.unsubmitted(), wait) {
            // A signal or the end of the time is as good as an answer.
            Ok(_) | Err(Errno::INTR | Errno::AGAIN | Errno(libc::ETIME | libc::EBUSY)) => {}
            Err(errno) => lost(errno),
        }
    }

    /// To be called by the worker before others may see it sleep and [`interrupt`](Self::interrupt)
    /// it: from now on it alone takes answers, until [`share`](Self::share).
    pub(crate) fn keep(&self) {
        self.taking.lock();
        self.kept.store(true, Ordering::Relaxed);
        // SAFETY: locked above.
        unsafe { self.taking.unlock() };
    }

    /// Lets others take answers again.
    pub(crate) fn share(&self) {
        // Whoever sees it late leaves the answers to the worker once more.
        self.kept.store(false, Ordering::Release);
    }

    /// Submits what was pushed, and waits for an answer or [`interrupt`](Self::interrupt).
    ///
    /// # Safety
    /// Called on the worker's thread.
    pub(crate) unsafe fn wait(&self, timeout: Option<Duration>) {
        if !self.watched.load(Ordering::Relaxed) {
            let mut entry = Entry::poll_on(self.interrupt.fd(), libc::POLLIN as u32);
            entry.data = INTERRUPT;
            // SAFETY: on the worker's thread; no memory is named.
            if !unsafe { self.uring.push(&entry) } {
                // No room: submit first and come back.
                return self.enter(Wait::No);
            }
            self.watched.store(true, Ordering::Relaxed);
        }
        self.enter(Wait::Until(timeout));
    }

    /// Makes the worker's [`wait`](Self::wait) return, that which goes on or the next.
    pub(crate) fn interrupt(&self) {
        self.interrupt.signal();
    }

    /// Takes all answers in the worker's place, unless it keeps them; see [`take`](Self::take).
    pub(crate) fn take_for_worker(&self) -> List<Task> {
        self.taking.lock();
        if self.kept.load(Ordering::Relaxed) {
            // SAFETY: locked above.
            unsafe { self.taking.unlock() };
            return List::new();
        }
        // SAFETY: locked above.
        unsafe { self.take_locked(usize::MAX) }
    }

    /// Takes up to `most` answers and returns the coroutines that are to run, which are the
    /// caller's. Called on the worker's thread.
    pub(crate) fn take(&self, most: usize) -> List<Task> {
        self.taking.lock();
        // SAFETY: locked above.
        unsafe { self.take_locked(most) }
    }

    /// Takes the answer to `op` out of its turn, if it is there: others that came before may wait
    /// for room in the run queue. Called on the worker's thread, by the coroutine that waits for
    /// it.
    pub(crate) fn take_early(&self, op: &Op) {
        self.taking.lock();
        // SAFETY: the lock is held.
        let answer = unsafe { self.uring.take_early(op.address(), GONE, NEWEST) };
        if let Some(answer) = answer {
            let entered = self.entered.load(Ordering::Relaxed);
            // SAFETY: its request was pushed and is answered here, once.
            let parked = unsafe { Op::complete(op.address(), answer.result(), entered) };
            debug_assert!(parked.is_none(), "it is running");
        }
        // SAFETY: locked above.
        unsafe { self.taking.unlock() };
    }

    /// Takes answers and unlocks.
    ///
    /// # Safety
    /// The lock is held by the caller.
    unsafe fn take_locked(&self, most: usize) -> List<Task> {
        let mut ready = List::new();
        let entered = self.entered.load(Ordering::Relaxed);
        // SAFETY: the lock is held; completing comes back to nothing here.
        unsafe {
            let each = |answer: Answer| match answer.data {
                INTERRUPT if answer.has_more() => {}
                INTERRUPT => self.watched.store(false, Ordering::Relaxed),
                GONE => {}
                address => {
                    if let Some(task) = Op::complete(address, answer.result(), entered) {
                        // It runs within microseconds, after as many others.
                        task.prefetch_returns();
                        ready.push(task.into());
                    }
                }
            };
            self.uring.take(most, each, |address, distance| match distance {
                _ if address == INTERRUPT || address == GONE => {}
                FAR => Op::prefetch(address),
                _ => Op::prefetch_task(address),
            });
            self.taking.unlock();
        }
        ready
    }

    /// Asks the kernel to give `op` up, on any worker's thread; its answer still comes.
    pub(crate) fn cancel(&self, op: &Op) {
        if self.uring.unsubmitted() != 0 {
            self.submit();
        }
        // Not found: it is answered. Too late: it will be.
        let _ = self.uring.cancel(op.address());
    }

    /// How far requests and answers have come, for the monitor to compare.
    pub(crate) fn progress(&self) -> (u32, u32) {
        self.uring.progress()
    }

    /// The descriptors, to be closed in the child of a fork.
    pub(crate) fn descriptors(&self) -> [i32; 2] {
        [self.uring.fd(), self.interrupt.fd()]
    }
}

/// Without its rings the runtime can neither wait nor finish what is under way.
#[cold]
fn lost(errno: Errno) -> ! {
    eprintln!(
        "lisle: io_uring does not work any more ({errno}): were all descriptors closed, or a \
         seccomp filter installed after the first coroutine? LISLE_POLLER=epoll does without it"
    );
    std::process::abort();
}
