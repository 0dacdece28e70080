//! A worker: the right to run coroutines, and what goes with it.
//!
//! ```text
//!   ready ──> lifo slot (the one woken last, runs next)
//!        ──> ring (FIFO, others steal half of it) ── full ──> injector, which all share
//! ```
//!
//! What has used up its turn (see `turn`) waits in a list of its own until the ring is empty.
//!
//! One OS thread, its carrier, holds it for good. `find` decides what runs next, `sleep` what
//! happens when nothing does.

mod extra;
mod find;
mod sleep;

use std::cell::{Cell, UnsafeCell};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use lisle_core::{Injector, List, Ring, Solo, Ticket, TimerKey, Timers};

use super::carrier::Carrier;
use super::memory::{Pages, out_of_memory};
use super::proactor::Proactor;
use super::section::{self, SpinLock};
use super::shared::Shared;
use super::stack::{Cache, StackError};
use super::task::Task;
use super::trace::Place;

/// Resumptions between two looks at what others may have left: the injector, timers, the poller.
const TICKS: u32 = 61;
/// Times in a row that the LIFO slot goes before the ring, so that a pair which keeps waking each
/// other shares the worker with the rest.
const LIFO_STREAK: u32 = 16;

/// Nanoseconds that a far deadline may be missed by: the kernel's default timer slack.
const GRAIN: u64 = 50_000;
/// Nanoseconds from which on a deadline is far.
const FAR: u64 = 5_000_000;

/// Coroutines that come back at once to the ring after they gave way: what an event makes runnable
/// waits for so many turns.
const BROUGHT_BACK: u32 = 4;

/// See the module.
pub(crate) struct Worker {
    pub(crate) index: u32,
    pub(crate) shared: &'static Shared,
    /// Whether it is the only worker that was asked for, so that nobody steals but for a while,
    /// when it is stuck: then its door is open.
    alone: bool,
    solo: Solo,
    ring: Ring<Task>,
    /// The coroutine woken last, or null. Anyone whom the door lets in may take it (by swap); the
    /// owner puts.
    lifo: AtomicPtr<Task>,
    timers: SpinLock<Timers<Alarm, Pages>>,
    /// The earliest deadline in `timers`, or `u64::MAX`; written under its lock, read without.
    deadline: AtomicU64,
    /// Why its thread does not run: see `sleep`.
    sleeping: AtomicU32,
    /// Whether it looks for work or runs it, as opposed to sleeping.
    awake: AtomicBool,
    /// That of its thread, once that runs.
    carrier: AtomicPtr<Carrier>,
    /// Where its coroutine was when the monitor asked.
    pub(crate) place: Place,
    /// Coroutines that gave way to those in the ring; the oldest first. The owner puts; anybody may
    /// take.
    aside: Injector<Task>,
    /// How often it was asked what to run next, by coroutines that leave it. Written by the owner;
    /// the monitor compares.
    ticks: AtomicU64,
    /// Coroutines that were started here, and that ended here. Written by the owner.
    started: AtomicU64,
    ended: AtomicU64,
    /// Whether it is a substitute, and active: see `substitute`.
    duty: AtomicU32,
    /// Its ring, if coroutines wait for completion. Set before its thread runs.
    proactor: OnceLock<Proactor>,
    own: Own,
}

/// What the worker's own thread alone touches.
struct Own {
    /// `Worker::ticks` at which the next look is due.
    look_at: Cell<u64>,
    /// Ticks between two looks, adapted to how long coroutines run.
    interval: Cell<u32>,
    streak: Cell<u32>,
    last_look: Cell<u64>,
    /// When a coroutine was last preempted here.
    last_late: Cell<u64>,
    random: Cell<u64>,
    ids: Cell<(u64, u64)>,
    cache: UnsafeCell<Cache>,
}

/// A wait that ends by itself.
#[derive(Clone, Copy)]
pub(crate) struct Alarm {
    pub(crate) task: &'static Task,
    pub(crate) ticket: Ticket,
}

/// An alarm that was set, to be cancelled.
pub(crate) struct AlarmKey {
    worker: &'static Worker,
    key: TimerKey,
}

// SAFETY: `own` is touched by the worker's thread alone, the rest is made for sharing.
unsafe impl Sync for Worker {}
// SAFETY: as above; built before its thread runs.
unsafe impl Send for Worker {}

impl Worker {
    /// One of `regular` workers, or a substitute that is dormant.
    pub(crate) fn new(index: u32, regular: u32, shared: &'static Shared, barriers: bool) -> Self {
        let is_regular = index < regular;
        Worker {
            index,
            shared,
            alone: is_regular && regular == 1,
            solo: Solo::new(!barriers),
            ring: Ring::new(),
            lifo: AtomicPtr::new(ptr::null_mut()),
            timers: SpinLock::new(Timers::with_memory(Pages)),
            deadline: AtomicU64::new(u64::MAX),
            sleeping: AtomicU32::new(sleep::AWAKE),
            awake: AtomicBool::new(is_regular),
            carrier: AtomicPtr::new(ptr::null_mut()),
            place: Place::default(),
            aside: Injector::new(),
            ticks: AtomicU64::new(0),
            started: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            duty: AtomicU32::new(if is_regular { extra::REGULAR } else { extra::DORMANT }),
            proactor: OnceLock::new(),
            own: Own {
                look_at: Cell::new(u64::from(TICKS)),
                interval: Cell::new(TICKS),
                streak: Cell::new(0),
                last_look: Cell::new(0),
                last_late: Cell::new(0),
                random: Cell::new(0x9e37_79b9_7f4a_7c15 ^ u64::from(index)),
                ids: Cell::new((0, 0)),
                cache: UnsafeCell::new(Cache::new(shared.stack_class)),
            },
        }
    }

    /// Makes a coroutine runnable that was woken by what runs here: it runs next.
    ///
    /// Nobody is notified of it: as soon as what runs here suspends, it runs, and if that takes
    /// long the monitor finds it in the slot. What it displaces may go elsewhere at once.
    ///
    /// # Safety
    /// Called on this worker's thread; the caller owns the task.
    pub(crate) unsafe fn ready(&self, task: &'static Task) {
        // SAFETY: the caller's obligation.
        let displaced = unsafe { self.replace_lifo(ptr::from_ref(task).cast_mut()) };
        if let Some(displaced) = NonNull::new(displaced) {
            // SAFETY: taken out of the slot, so ours.
            unsafe { self.push(displaced) };
            self.notify();
        }
    }

    /// Puts `new` into the LIFO slot, which may be null; returns what was there, which is the
    /// caller's now.
    ///
    /// # Safety
    /// Called on this worker's thread.
    #[inline]
    unsafe fn replace_lifo(&self, new: *mut Task) -> *mut Task {
        let replace = || {
            let old = self.lifo.load(Ordering::Relaxed);
            self.lifo.store(new, Ordering::Release);
            old
        };
        // While the door is shut nobody else takes what is there, and whoever opens it waits until
        // this is over. Release: a thief that is let in later reads this store by its swap.
        if self.alone
            && let Some(old) = self.solo.alone(replace)
        {
            return old;
        }
        self.lifo.swap(new, Ordering::AcqRel)
    }

    /// Makes a coroutine runnable that is new, or whose moment has come: next, unless another one
    /// is to be, else after the others.
    ///
    /// Of many that are started one after the other the first goes first. One that is started and
    /// waited for does not wait for hundreds that compute.
    ///
    /// # Safety
    /// As [`ready`](Self::ready).
    pub(crate) unsafe fn ready_soon(&self, task: &'static Task) {
        // SAFETY: the caller's obligation.
        unsafe {
            if self.lifo.load(Ordering::Relaxed).is_null() {
                self.ready(task);
            } else {
                self.ready_last(task);
            }
        }
    }

    /// Makes a coroutine runnable: it runs after those that are.
    ///
    /// # Safety
    /// As [`ready`](Self::ready).
    pub(crate) unsafe fn ready_last(&self, task: &'static Task) {
        // SAFETY: the caller's obligation.
        unsafe { self.push(NonNull::from(task)) };
        self.notify();
    }

    fn notify(&self) {
        if !self.alone || self.solo.is_open() {
            self.shared.notify();
        }
    }

    /// Puts the coroutine that yields behind the others. Nobody is notified: the worker has one
    /// runnable coroutine fewer than before.
    ///
    /// # Safety
    /// As [`ready`](Self::ready).
    #[inline]
    pub(crate) unsafe fn requeue(&self, task: &'static Task) {
        // SAFETY: the caller's obligation.
        unsafe { self.push(NonNull::from(task)) };
    }

    /// Puts the coroutine whose turn is over behind all others. Nobody is notified, as with
    /// [`requeue`](Self::requeue).
    ///
    /// # Safety
    /// As [`ready`](Self::ready).
    pub(crate) unsafe fn set_aside(&self, task: &'static Task) {
        // SAFETY: the caller's obligation.
        section::within(|| unsafe { self.aside.push(NonNull::from(task)) });
    }

    /// Moves a few of those set aside to the ring, where others can steal them.
    ///
    /// # Safety
    /// Called on this worker's thread.
    unsafe fn bring_back(&self) {
        for _ in 0..BROUGHT_BACK {
            if self.aside.is_empty() {
                return;
            }
            let Some(task) = section::within(|| self.aside.pop()) else { return };
            // SAFETY: the caller's obligation; what was in that queue is in no other.
            unsafe { self.push(task) };
        }
    }

    /// # Safety
    /// As [`ready`](Self::ready).
    #[inline]
    unsafe fn push(&self, task: NonNull<Task>) {
        // SAFETY: this thread is the ring's owner.
        if let Err(task) = unsafe { self.ring.push(task) } {
            // SAFETY: the caller's obligation.
            unsafe { self.overflow(task) };
        }
    }

    /// The ring is full: half of it goes to the injector.
    ///
    /// # Safety
    /// As [`ready`](Self::ready).
    #[cold]
    unsafe fn overflow(&self, task: NonNull<Task>) {
        let mut batch = List::new();
        // SAFETY: this thread is the ring's owner; what is drained is in no other queue.
        unsafe {
            self.ring.drain_half(&mut |task| batch.push(task));
            batch.push(task);
        }
        section::within(|| self.shared.injector.push_list(&mut batch));
    }

    /// Its ring, if coroutines wait for completion.
    #[inline]
    pub(crate) fn proactor(&self) -> Option<&Proactor> {
        self.proactor.get()
    }

    /// Gives it a ring, before its thread runs.
    pub(crate) fn set_proactor(&self, proactor: Proactor) {
        let set = self.proactor.set(proactor);
        debug_assert!(set.is_ok(), "a worker has one ring");
    }

    /// What is in the LIFO slot, for the monitor to compare.
    pub(crate) fn next_up(&self) -> *const Task {
        self.lifo.load(Ordering::Relaxed)
    }

    /// Whether coroutines wait behind the running one.
    pub(crate) fn has_queued(&self) -> bool {
        !self.ring.is_empty()
    }

    /// Whether an alarm is overdue at `now`.
    pub(crate) fn is_late(&self, now: u64) -> bool {
        self.next_deadline() < now
    }

    /// Whether it searches or runs, as opposed to sleeping.
    pub(crate) fn is_awake(&self) -> bool {
        self.awake.load(Ordering::Acquire)
    }

    /// Whether another coroutine is ready to run on this worker.
    pub(crate) fn has_next(&self) -> bool {
        !self.ring.is_empty() || !self.lifo.load(Ordering::Relaxed).is_null()
    }

    /// Whether coroutines are ready that this worker alone will run soon.
    pub(crate) fn has_waiting(&self) -> bool {
        self.has_next() || !self.aside.is_empty()
    }

    /// The stretch for which a coroutine runs on it, and its OS thread; none before that runs.
    pub(crate) fn stretch(&self) -> Option<(u32, i32)> {
        self.carrier().map(|carrier| (carrier.stretch(), carrier.thread()))
    }

    /// Takes note that the running coroutine is preempted: others are to be looked for everywhere.
    ///
    /// # Safety
    /// Called on this worker's thread.
    pub(crate) unsafe fn coroutine_was_late(&self, now: u64) {
        self.own.last_late.set(now);
        let ticks = self.ticks.load(Ordering::Relaxed) + 1;
        self.ticks.store(ticks, Ordering::Relaxed);
        self.own.look_at.set(ticks);
    }

    /// The deadline of the earliest alarm, or `u64::MAX`.
    pub(crate) fn next_deadline(&self) -> u64 {
        self.deadline.load(Ordering::Acquire)
    }

    /// Wakes `alarm.task` at `deadline` with [`Cause::TIMEOUT`](lisle_core::Cause::TIMEOUT).
    ///
    /// Deadlines far away are rounded up to [`GRAIN`], so that one wake-up of the thread does for
    /// many sleepers. A thread's sleeps are that inexact by default.
    pub(crate) fn set_alarm(&'static self, deadline: u64, alarm: Alarm) -> AlarmKey {
        // The last look may be a little while ago; what is near is not taken for far.
        let far = deadline.saturating_sub(self.own.last_look.get()) > FAR;
        let deadline = if far { deadline.div_ceil(GRAIN).saturating_mul(GRAIN) } else { deadline };
        let mut timers = self.timers.lock();
        let Ok(key) = timers.try_insert(deadline, alarm) else { out_of_memory() };
        self.deadline.store(timers.next().unwrap_or(u64::MAX), Ordering::Release);
        AlarmKey { worker: self, key }
    }

    /// The next alarm that is due.
    fn due(&self, now: u64) -> Option<Alarm> {
        if self.next_deadline() > now {
            return None;
        }
        let mut timers = self.timers.lock();
        let alarm = timers.pop_due(now);
        self.deadline.store(timers.next().unwrap_or(u64::MAX), Ordering::Release);
        alarm
    }

    /// A pooled or new header for a stack of `class`. The caller owns it.
    ///
    /// # Safety
    /// Called on this worker's thread.
    pub(crate) unsafe fn take_stack(&self, class: usize) -> Result<&'static Task, StackError> {
        // SAFETY: the caller is the owner, and nothing called in there comes back here.
        let cache = unsafe { &mut *self.own.cache.get() };
        cache.take(class, &self.shared.pool, &self.shared.blocks)
    }

    /// Takes an ended coroutine's header back.
    ///
    /// # Safety
    /// Called on this worker's thread; the caller owns the task, whose stack has been left.
    pub(crate) unsafe fn recycle(&self, task: &'static Task) {
        bump(&self.ended);
        // SAFETY: as `take_stack`.
        unsafe { &mut *self.own.cache.get() }.put(task, &self.shared.pool);
    }

    /// An identity for a coroutine.
    ///
    /// # Safety
    /// Called on this worker's thread.
    pub(crate) unsafe fn next_id(&self) -> u64 {
        let (next, end) = self.own.ids.get();
        let (next, end) = if next == end { self.shared.reserve_ids(1024) } else { (next, end) };
        self.own.ids.set((next + 1, end));
        bump(&self.started);
        next
    }
}

/// Counts in a word that this thread alone writes.
#[inline]
fn bump(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl AlarmKey {
    /// Cancels the alarm, if it has not gone off.
    pub(crate) fn cancel(self) {
        let mut timers = self.worker.timers.lock();
        timers.cancel(self.key);
        self.worker.deadline.store(timers.next().unwrap_or(u64::MAX), Ordering::Release);
    }
}
