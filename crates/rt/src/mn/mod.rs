//! M:N mode; see the crate.

mod alternate;
pub mod cancel;
mod carrier;
mod current;
pub mod descriptor;
mod directed;
mod fork;
mod hop;
mod idle;
mod label;
mod late;
mod lend;
mod line;
pub mod lot;
mod maker;
mod mask;
mod memory;
mod monitor;
mod nudge;
mod overflow;
mod parker;
mod poller;
mod preempt;
mod proactor;
pub mod request;
mod rest;
mod section;
mod setxid;
mod shared;
pub mod signals;
mod slice;
mod spare;
mod spawn;
mod stack;
mod start;
pub(crate) mod stay;
mod substitute;
pub(crate) mod suspension;
mod task;
mod text;
pub mod thread;
mod trace;
mod turn;
mod wait;
mod warn;
mod worker;

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lisle_sys::clock;

use crate::config::{AlreadyStarted, Config, PollerKind};
use crate::extent;
use crate::metrics::Metrics;
use task::Task;

pub use descriptor::{closed, closing};
pub use hop::{blocking, blocking_stoppably, pin, unpin};
pub use lend::as_carrier;
pub use lisle_fiber::thread_id;
pub use preempt::without_ticks;
pub use signals::{Inherited, as_bystander, is_main_thread, main_begins};
pub use stay::Stay;
pub use text::{is_all_of_its_object, learn as learn_objects};
pub use turn::{begin_io, yield_now};

/// The running M:N runtime.
#[derive(Clone, Copy)]
pub struct Runtime(&'static shared::Shared);

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("workers", &self.workers()).finish_non_exhaustive()
    }
}

impl Runtime {
    /// The runtime, started if it was not; none if OS threads were asked for.
    ///
    /// # Errors
    /// Why coroutines are not to be had here.
    pub fn get_or_start() -> Result<Option<Self>, &'static str> {
        Ok(start::get_or_start()?.map(Runtime))
    }

    /// Starts a coroutine.
    ///
    /// # Errors
    /// No stack can be had.
    ///
    /// # Safety
    /// What `body` captures may be used on other threads, for as long as the coroutine runs. It
    /// must not unwind.
    pub unsafe fn spawn<F: FnOnce()>(
        self,
        name: Option<Arc<str>>,
        stack_size: Option<usize>,
        body: F,
    ) -> io::Result<TaskRef> {
        // SAFETY: the caller's obligation.
        let (task, id) = unsafe { spawn::spawn(self.0, name, stack_size, body)? };
        Ok(TaskRef { task, id })
    }

    /// Starts a coroutine that is a thread to the C library. `publish` is called with its
    /// `pthread_t` before it runs.
    ///
    /// # Errors
    /// No stack can be had.
    ///
    /// # Safety
    /// As for `pthread_create`.
    pub unsafe fn create_thread(
        self,
        attributes: &thread::Attributes,
        affinity: Option<libc::cpu_set_t>,
        routine: thread::Routine,
        argument: *mut c_void,
        publish: impl FnOnce(libc::pthread_t),
    ) -> io::Result<()> {
        let prepare = |thread: thread::Thread| {
            if let Some(set) = affinity {
                thread.set_affinity(set);
            }
            publish(thread.handle());
        };
        // SAFETY: the caller's obligation.
        unsafe { thread::create(self.0, attributes, routine, argument, prepare) }
    }

    /// How coroutines wait for descriptors, and why not by io_uring if they could not.
    pub fn poller(self) -> (PollerKind, Option<&'static str>) {
        match &self.0.backend {
            shared::Backend::Uring => (PollerKind::Uring, None),
            shared::Backend::Epoll => (PollerKind::Epoll, None),
            shared::Backend::EpollBecause(reason) => (PollerKind::Epoll, Some(reason)),
        }
    }

    /// What was counted so far.
    pub fn metrics(self) -> Metrics {
        let shared = self.0;
        let mut started = shared.started.load(Ordering::Relaxed);
        let mut ended = shared.ended.load(Ordering::Relaxed);
        let mut suspensions = 0;
        for worker in shared.workers() {
            let (started_here, ended_here) = worker.lives();
            started += started_here;
            ended += ended_here;
            suspensions += worker.suspensions();
        }
        let (hops, carriers) = shared.spares.totals();
        let (substitutions, stuck) = shared.substitutes.totals();
        let (held, blocked) = shared.warnings.counts();
        Metrics {
            started,
            live: started.saturating_sub(ended),
            suspensions,
            preemptions: preempt::preemptions(),
            hops,
            carriers,
            substitutions,
            stuck,
            held,
            blocked,
        }
    }

    /// The number of workers.
    pub fn workers(self) -> usize {
        self.0.substitutes.regular
    }
}

/// A coroutine, running or ended.
#[derive(Clone, Copy)]
pub struct TaskRef {
    task: &'static Task,
    id: u64,
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRef").field("id", &self.id).finish()
    }
}

impl TaskRef {
    /// Its identity, never reused in the process.
    pub fn id(self) -> u64 {
        self.id
    }

    /// Whether it has ended, destructors of its thread-locals included.
    pub fn is_over(self) -> bool {
        self.task.is_over(self.id)
    }

    /// Waits until it has ended.
    pub fn join(self) {
        let life = &self.task.life;
        while !self.is_over() {
            // Bit 0 asks to be woken; see `Task::end_life`.
            let seen = life.fetch_or(1, Ordering::AcqRel) | 1;
            if self.is_over() {
                // The bit may have been set for the next life, which wakes nobody in vain.
                return;
            }
            // Any end of the wait leads to another look.
            let _ = lot::wait(life, seen, lot::ANY, None);
        }
    }

    /// Makes its current or next [`park`] return; nothing if it has ended.
    pub fn unpark(self) {
        if !self.is_over() && shared::is_of_this_process(self.id) {
            parker::unpark(self.task);
        }
    }
}

/// The calling coroutine.
pub fn current() -> Option<TaskRef> {
    current::current().map(|task| TaskRef { task, id: task.id() })
}

/// The name of the calling coroutine.
pub fn current_name() -> Option<Arc<str>> {
    // SAFETY: the coroutine itself asks.
    current::current().and_then(|task| unsafe { task.name() }.clone())
}

/// Whether the caller is a coroutine that can suspend here, rather than code on an OS thread or
/// a coroutine that is pinned to one.
#[inline]
pub fn can_suspend() -> bool {
    current::suspendable().is_some()
}

/// Takes note of the set-up for the start to come.
///
/// # Errors
/// If the runtime has started, or one was installed before.
pub fn install(config: Config) -> Result<(), AlreadyStarted> {
    start::install(config)
}

/// Whether thread blocks can be made here: the self-test of the start, without a start. What it
/// takes is not given back.
///
/// # Errors
/// What is missing.
pub fn self_test() -> Result<(), String> {
    lisle_fiber::Blocks::discover(spawn::landed)
        .map(drop)
        .map_err(|unsupported| unsupported.to_string())
}

/// Suspends the calling coroutine for `duration`, unless it is stopped before.
pub fn sleep(duration: Duration) {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    sleep_until(clock::now().saturating_add(nanos));
}

/// Suspends the calling coroutine until `deadline`, in nanoseconds of the monotonic clock.
pub fn sleep_until(deadline: u64) {
    if can_suspend() {
        while clock::now() < deadline
            && !is_stopped()
            && let Some(here) = current::suspendable()
        {
            wait::Wait::arm(here).suspend_stoppably(Some(deadline));
        }
    } else {
        let word = std::sync::atomic::AtomicU32::new(0);
        while clock::now() < deadline {
            // Nobody wakes this word: the wait ends by its deadline or a signal.
            let _ = lisle_sys::futex::wait(&word, 0, Some(deadline));
        }
    }
}

/// Whether a sleep is over before its time. It cannot say so: who calls it in a loop, to look for
/// something now and then, lets others run.
fn is_stopped() -> bool {
    let stopped = extent::stopped().is_some();
    if stopped {
        yield_now();
    }
    stopped
}

/// As [`sleep_until`], unless a signal's handler runs meanwhile. Whether it slept to the end, or
/// until it was stopped.
pub fn sleep_unless_interrupted(deadline: u64) -> bool {
    while clock::now() < deadline {
        let Some(here) = current::suspendable() else {
            sleep_until(deadline);
            return true;
        };
        if cancel::forestalls(here.task) {
            return is_stopped() && !cancel::is_cancelled();
        }
        let cause = wait::Wait::arm(here).suspend_stoppably(Some(deadline));
        if cause == directed::INTERRUPT && signals::handled(true) {
            return false;
        }
    }
    true
}

/// Waits for the calling coroutine's token; see `lisle::park`.
pub fn park(deadline: Option<Instant>) {
    let Some(task) = current::current() else { return };
    parker::park(task, deadline.map(suspension::nanos));
}

/// For those who spin for what somebody has who may not be running.
pub(crate) fn give_processor_away() {
    lisle_sys::thread::yield_now();
}
