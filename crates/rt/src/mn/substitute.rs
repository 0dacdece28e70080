//! Substitutes: workers for as long as others are stuck in the kernel.
//!
//! A coroutine may wait in the kernel where no hook sees it: a system call made by an instruction
//! of its own, a page that must come from a disk. Its carrier waits with it, and so does everything
//! that is that worker's. Worker and OS thread belong together here (who submits to a ring, what
//! the owner alone touches), so the worker stays where it is, and another takes its place.
//!
//! The monitor looks at each worker that is awake:
//!
//! ```text
//!   look      the count of suspensions is another          it makes progress; begin anew
//!   look      the same as at the last look                 note the OS thread's processor time
//!   look      the same, 1 ms later, hardly any time taken,
//!             and the kernel says that the thread waits    STUCK
//!   look      another count, or time taken                 not stuck any more
//! ```
//!
//! From a worker that is stuck it takes what waits there - ring, LIFO slot, those set aside, alarms
//! that are due, the answers in its ring - to the injector, and goes on doing so. If nobody sleeps
//! who could take it from there, and fewer substitutes are active than workers are stuck, it
//! activates one.
//!
//! | `Worker::duty` | meaning | set by |
//! |---|---|---|
//! | REGULAR | one of those that were asked for | for good |
//! | DORMANT | runs no coroutines; nobody counts on it | itself, from ACTIVE; at first |
//! | ACTIVE | a worker as any other | the monitor, from DORMANT |
//!
//! | `counts` | meaning | changed by |
//! |---|---|---|
//! | active | substitutes that are | the monitor: up; a substitute that retires: down |
//! | stuck | workers that are, of either kind | the monitor |
//!
//! A substitute is one too many when there are more active ones than workers stuck. It notices when
//! it is at home, after 61 switches at the latest, or is woken for it, and *retires*: takes itself
//! off the active, then off the account of who is awake, hands what it has to the injector, and
//! waits, dormant. It goes on minding what it alone can: the answers in its ring, the alarms that
//! were set on it. What becomes ready by these goes to the injector. So several may see that one is
//! too many, and the exchange of the counts lets one of them go.
//!
//! That a worker seems stuck and is not, or comes back at any moment, does no harm: its queues can
//! be stolen from at any time. Where there is one worker its ring has a door (`lisle_core::Solo`):
//! it is opened before anything is taken from there, after the counts say so, and stays open for as
//! long as a substitute is active or a worker stuck. Only the monitor takes from a worker while no
//! substitute is active, and it is the one that ends its being stuck.
//!
//! Substitutes are made by the maker when the monitor first misses one, and never end: the kernel
//! would cancel what they submitted. There are as many as workers, and four at least.
//!
//! # Rejected
//!
//! 1. *Move the worker to another OS thread*, as Go does with its P. What the owner alone touches
//!    would need an owner that can change in the middle of anything, at each switch; and a ring's
//!    answers are brought by the thread that submitted.
//! 2. *Spare carriers that take a worker's place.* They end, and have neither ring nor queue.
//! 3. *As many substitutes as are wanted.* A program that waits by itself in a thousand coroutines
//!    would have a thousand workers; `lisle::blocking` is made for that.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use lisle_core::Ring;
use lisle_sys::thread;

use super::maker;
use super::preempt;
use super::proactor::Proactor;
use super::shared::Shared;
use super::task::Task;
use super::trace::Trace;
use super::worker::Worker;

/// Nanoseconds without progress after which a worker is stuck.
const STUCK_AFTER: u64 = 1_000_000;
/// The same where the kernel does not say whether a thread waits: it may want a processor.
const STUCK_UNSEEN: u64 = 10_000_000;
/// Nanoseconds between two looks at those that stand still: at first, and later.
const SOON: u64 = 500_000;
const NOW_AND_THEN: u64 = 2_000_000;
/// Nanoseconds after which one that is stuck may be for long.
const LONG: u64 = 1_000_000_000;
const STACK: usize = 2 << 20;

/// The account of substitutes.
pub(crate) struct Substitutes {
    /// Workers that were asked for; they come first among all.
    pub(crate) regular: usize,
    /// How many were made so far. Release by the maker: who counts on one finds it whole.
    made: AtomicUsize,
    /// Whether the monitor wants one more made.
    wanted: AtomicBool,
    /// See the module.
    counts: AtomicU64,
    /// How often one was activated.
    activated: AtomicU64,
}

/// `counts` taken apart: active 32 bits, stuck 32 bits.
#[derive(Clone, Copy)]
struct Counts(u64);

const ACTIVE: u64 = 1;
const STUCK: u64 = 1 << 32;

impl Counts {
    fn active(self) -> u32 {
        self.0 as u32
    }

    fn stuck(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// The most that there may be beside so many workers.
pub(crate) fn most(workers: u32) -> u32 {
    workers.max(4)
}

impl Substitutes {
    pub(crate) fn new(regular: usize) -> Self {
        Substitutes {
            regular,
            made: AtomicUsize::new(0),
            wanted: AtomicBool::new(false),
            counts: AtomicU64::new(0),
            activated: AtomicU64::new(0),
        }
    }

    /// How many were made so far.
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Acquire)
    }

    /// Whether somebody may steal from a single worker: a substitute that is active, or the
    /// monitor, which takes from one that is stuck.
    pub(crate) fn any_thief(&self) -> bool {
        let counts = self.counts();
        counts.active() != 0 || counts.stuck() != 0
    }

    /// How often one was activated, and how many workers are stuck.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.activated.load(Ordering::Relaxed), u64::from(self.counts().stuck()))
    }

    fn counts(&self) -> Counts {
        // Acquire and Release: who sees that none is active sees what they did as such.
        Counts(self.counts.load(Ordering::Acquire))
    }

    /// Whether more are active than workers are stuck.
    #[inline]
    pub(crate) fn is_one_too_many(&self) -> bool {
        let counts = self.counts();
        counts.active() > counts.stuck()
    }

    /// Takes one off the active, if there is one too many. Called by that substitute, which steals
    /// no more.
    pub(crate) fn retire(&self) -> bool {
        let mut now = self.counts();
        while now.active() > now.stuck() {
            let (less, order) = (now.0 - ACTIVE, Ordering::AcqRel);
            match self.counts.compare_exchange(now.0, less, order, Ordering::Acquire) {
                Ok(_) => return true,
                Err(other) => now = Counts(other),
            }
        }
        false
    }

    /// Makes one more, if it is wanted. Called by the maker.
    pub(crate) fn make_wanted(&self, shared: &'static Shared) {
        if !self.wanted.swap(false, Ordering::AcqRel) {
            return;
        }
        let made = self.made.load(Ordering::Relaxed);
        let Some(worker) = shared.all_workers().get(self.regular + made) else { return };
        if shared.completes() && worker.proactor().is_none() {
            // Without memory or descriptors for a ring there is none; the monitor will ask again.
            let Ok(proactor) = Proactor::new() else { return };
            worker.set_proactor(proactor);
        }
        if maker::make(worker, STACK, shared.blocks.size()) {
            self.made.store(made + 1, Ordering::Release);
        }
    }

    /// Activates one, or has one made. Called by the monitor.
    fn activate(&self, shared: &Shared) {
        let dormant = shared.workers().iter().find(|worker| worker.is_dormant());
        let Some(worker) = dormant else {
            if self.regular + self.made() < shared.all_workers().len() {
                self.wanted.store(true, Ordering::Release);
                shared.maker.ask();
            }
            return;
        };
        // Counted before the door is opened; see `Solo`.
        self.counts.fetch_add(ACTIVE, Ordering::AcqRel);
        if !shared.workers()[0].let_thieves_in() {
            self.counts.fetch_sub(ACTIVE, Ordering::AcqRel);
            return;
        }
        self.activated.fetch_add(1, Ordering::Relaxed);
        shared.idle.join();
        worker.activate();
    }
}

impl maker::Body for Worker {
    const NAME: &'static CStr = c"lisle-extra";

    fn live(&'static self) {
        self.serve();
    }
}

/// Looks after which a thread that is asked where it is will not answer.
const PATIENCE: u32 = 20;

/// What the monitor knows of workers that stand still.
pub(crate) struct Watch {
    seen: Box<[Seen]>,
    /// What was taken from one that is stuck passes through here.
    taken: Ring<Task>,
    /// There if warnings are wanted.
    trace: Option<Box<Trace>>,
}

/// What the last looks saw of a worker.
#[derive(Clone, Copy, Default)]
struct Seen {
    suspensions: u64,
    /// When that was first seen.
    since: u64,
    /// When its OS thread had had how much time; none before the second look.
    time: Option<(u64, u64)>,
    is_stuck: bool,
    /// Looks since its OS thread was asked where it is, and whether it was warned of.
    asked: u32,
    is_told: bool,
}

impl Watch {
    pub(crate) fn new(workers: usize, warns: bool) -> Self {
        // No worker has left so many.
        let unseen = Seen { suspensions: u64::MAX, ..Seen::default() };
        let trace = warns.then(Trace::new);
        Watch { seen: vec![unseen; workers].into(), taken: Ring::new(), trace }
    }

    /// Looks after workers that are stuck. Returns the most nanoseconds until the next look.
    pub(crate) fn look(&mut self, shared: &'static Shared, now: u64) -> u64 {
        let substitutes = &shared.substitutes;
        let (mut pace, mut waits) =
            (u64::MAX, !shared.injector.is_empty() || !shared.late.is_empty());
        for (worker, seen) in shared.workers().iter().zip(&mut self.seen) {
            let was_stuck = seen.is_stuck;
            pace = pace.min(seen.look(worker, now));
            if let Some(trace) = &mut self.trace {
                pace = pace.min(seen.warn(shared, worker, trace, now));
            }
            match (was_stuck, seen.is_stuck) {
                (false, true) => _ = substitutes.counts.fetch_add(STUCK, Ordering::AcqRel),
                (true, false) => _ = substitutes.counts.fetch_sub(STUCK, Ordering::AcqRel),
                _ => {}
            }
            if seen.is_stuck && worker.let_thieves_in() {
                // SAFETY: the ring is the monitor's.
                waits |= unsafe { worker.evacuate(&self.taken, now) };
            }
            waits |= worker.has_queued();
        }
        // Also while all sleep: who wakes next may be stuck at once.
        if !self.seen.iter().any(|seen| seen.is_stuck && now - seen.since > LONG) {
            pace = pace.min(NOW_AND_THEN);
        }
        let counts = substitutes.counts();
        if counts.stuck() > 0 && waits {
            if shared.idle.sleepers() > 0 {
                shared.notify();
            } else if counts.active() < counts.stuck() {
                substitutes.activate(shared);
                pace = SOON;
            }
        }
        if counts.active() > counts.stuck() {
            let mut sleepers = shared.workers().iter().filter(|w| w.is_active() && !w.is_awake());
            if let Some(worker) = sleepers.find(|worker| shared.idle.wake_specific(worker.index)) {
                worker.unpark();
            }
        }
        pace
    }
}

impl Seen {
    /// Warns of a coroutine that has kept the worker for long. Returns the most nanoseconds until
    /// the next look.
    fn warn(&mut self, shared: &Shared, worker: &Worker, trace: &mut Trace, now: u64) -> u64 {
        let kept = now - self.since;
        if kept < shared.warnings.after || self.is_told {
            return u64::MAX;
        }
        let (Some(task), Some(thread)) = (worker.running(), worker.thread()) else {
            return u64::MAX;
        };
        let place = if self.is_stuck {
            thread::place_of_call(thread)
        } else {
            if self.asked == 0 {
                worker.place.take();
                let _ = preempt::ask_place(thread);
            }
            let place = worker.place.take();
            self.asked += 1;
            if place.is_none() && self.asked < PATIENCE {
                // It answers as soon as it has a processor.
                return SOON;
            }
            place
        };
        self.is_told = true;
        if shared.warnings.add(task, kept, self.is_stuck, now)
            && let Some(place) = place.filter(|(stack, _)| task.has_on_stack(*stack))
        {
            trace.tell(place, task.block.stack_top);
        }
        u64::MAX
    }

    /// Whether the worker is stuck is in `is_stuck` afterwards. Returns the most nanoseconds until
    /// the next look.
    fn look(&mut self, worker: &Worker, now: u64) -> u64 {
        let suspensions = worker.suspensions();
        if !worker.is_awake() {
            *self = Seen { suspensions, since: now, ..Seen::default() };
            return u64::MAX;
        }
        if suspensions != self.suspensions {
            *self = Seen { suspensions, since: now, ..Seen::default() };
            return NOW_AND_THEN;
        }
        // A substitute may be active before its thread runs.
        let Some(number) = worker.thread() else { return SOON };
        let Some((then, had)) = self.time else {
            self.time = thread::processor_time(number).map(|had| (now, had));
            return STUCK_AFTER;
        };
        let passed = now - then;
        if passed < STUCK_AFTER {
            return STUCK_AFTER - passed;
        }
        let Some(has) = thread::processor_time(number) else { return NOW_AND_THEN };
        self.time = Some((now, has));
        let stands = has.saturating_sub(had) * 8 < passed;
        self.is_stuck =
            stands && thread::is_blocked(number).unwrap_or(now - self.since >= STUCK_UNSEEN);
        if now - self.since > LONG { u64::MAX } else { NOW_AND_THEN }
    }
}
