//! Which coroutine has run for long enough: the monitor's part of preemption.
//!
//! While coroutines switch nobody reads the clock. A carrier counts the stretches for which it runs
//! a coroutine; if the monitor sees the same number at two looks, the same coroutine has run all
//! the time between. So it knows a lower bound of how long, and sends a tick (`preempt`) to
//!
//! - a worker on which others wait, an alarm is due or answers have come, when its coroutine has
//!   run for [`BOUND`];
//! - the worker whose coroutine has run longest, and at least that long, if somebody waits in the
//!   injector, or whom the poller found just now, and no worker is idle;
//! - any worker whose coroutine has run for a slice, if others were preempted before and wait.
//!
//! So nobody who was woken waits much longer than a look's distance, and those that compute
//! exchange places once a slice. A worker whose coroutine has run for [`BOUND`] does not look at
//! the poller or its ring by itself; that is done here. The last step of most requests is done by
//! the thread that submitted them: any system call, and a tick makes it enter the kernel.
//!
//! How far looks are apart:
//!
//! | from | to | while |
//! |---|---|---|
//! | [`RETRY`] | [`BOUND`], doubling | a tick struck where it had no effect |
//! | [`BOUND`] | [`RARELY`], doubling | coroutines run for long, and only such wait |
//! | [`BOUND`] | | others were preempted of late, or ran for long |
//! | [`BOUND`] | [`SELDOM`], doubling | all coroutines run for short |
//! | [`SELDOM`] | | no coroutine runs, and none was preempted of late |
//!
//! and not farther than to the next alarm, or to the end of a slice that others wait for.
//!
//! No tick is sent to an OS thread that has not computed since the last look, which is waiting in
//! the kernel or for a processor: it would end the wait in vain, and some calls return `EINTR` even
//! so.

use std::sync::atomic::{Ordering, fence};

use lisle_core::List;
use lisle_sys::{Errno, thread};

use super::preempt;
use super::proactor::Proactor;
use super::section;
use super::shared::Shared;
use super::task::Task;
use super::worker::Worker;

/// Nanoseconds for which a coroutine may run at least, whoever waits; but not longer than a slice.
pub(crate) const BOUND: u64 = 500_000;
/// Nanoseconds after which a tick that had no effect is sent again.
const RETRY: u64 = 50_000;
/// Ticks that had no effect, after which looks are [`BOUND`] apart.
const NO_HURRY: u32 = 10;
const RARELY: u64 = 2_000_000;
const SELDOM: u64 = 10_000_000;
/// Nanoseconds for which a preemption is of late.
const OF_LATE: u64 = 50_000_000;
/// Nanoseconds that an OS thread must have computed since the last look.
const PROGRESS: u64 = 5_000;

/// What is known of a worker.
#[derive(Clone, Copy, Default)]
struct Seen {
    stretch: u32,
    /// When this stretch was first seen. What its OS thread had computed then, and a look ago.
    since: u64,
    before: u64,
    computed: u64,
    /// Ticks that were sent in this stretch.
    ticks: u32,
}

/// What a look found.
#[derive(Default)]
struct Found {
    /// Whether a coroutine runs, whether one does that did at the last look, and whether one does
    /// that did not.
    runs: bool,
    long: bool,
    changed: bool,
    /// Stretches since the last look.
    stretches: u32,
    /// The most ticks that were sent in one stretch, once one was wanted now.
    wanted: Option<u32>,
    /// The worker whose coroutine has run for longest, of those that may be ticked, and since when.
    longest: Option<(usize, u64)>,
    asleep: bool,
}

/// See the module.
pub(crate) struct Slices {
    slice: u64,
    bound: u64,
    seen: Vec<Seen>,
    last: u64,
    apart: u64,
    ticked: u64,
    /// When to look next.
    pub(crate) next: u64,
}

impl Slices {
    /// `slice` is 0 if nobody is to be preempted.
    pub(crate) fn new(workers: usize, slice: u64) -> Self {
        Slices {
            slice,
            bound: slice.min(BOUND),
            seen: vec![Seen::default(); workers],
            last: 0,
            apart: BOUND,
            ticked: 0,
            next: if slice == 0 { u64::MAX } else { 0 },
        }
    }

    /// Looks, and preempts whoever is to be.
    pub(crate) fn look(&mut self, shared: &'static Shared, now: u64) {
        if self.slice == 0 {
            return;
        }
        let mut found = Found::default();
        for (index, worker) in shared.workers().iter().enumerate() {
            self.look_at(shared, worker, index, now, &mut found);
        }
        let injected = self.look_elsewhere(shared, &found, now);
        if let Some((index, _)) = found.longest
            && injected
            && found.wanted.is_none()
            && !found.asleep
        {
            let worker = &shared.workers()[index];
            found.wanted = Some(self.tick(worker, index));
        }
        if found.wanted.is_some() {
            self.ticked = now;
        }
        self.next = now + self.distance(shared, &found, now);
        self.last = now;
    }

    fn look_at(
        &mut self,
        shared: &Shared,
        worker: &'static Worker,
        index: usize,
        now: u64,
        found: &mut Found,
    ) {
        if worker.is_dormant() {
            return;
        }
        let Some((stretch, number)) = worker.stretch() else { return };
        let awake = worker.is_awake();
        found.asleep |= !awake;
        let seen = &mut self.seen[index];
        let stretches = stretch.wrapping_sub(seen.stretch).div_ceil(2);
        found.stretches = found.stretches.saturating_add(stretches);
        if stretches != 0 {
            *seen = Seen { stretch, since: now, ..Seen::default() };
        }
        if !awake || stretch & 1 == 0 {
            return;
        }
        found.runs = true;
        found.changed |= stretches != 0;
        let computed = thread::processor_time(number).unwrap_or(0);
        let before = std::mem::replace(&mut seen.computed, computed);
        if stretches != 0 {
            seen.before = seen.computed;
            return;
        }
        found.long = true;
        let ran = seen.computed.saturating_sub(seen.before).min(now - seen.since);
        let computes = seen.computed.saturating_sub(before) >= PROGRESS;
        if ran < self.bound {
            return;
        }
        if let Some(proactor) = worker.proactor() {
            take_answers(shared, proactor);
        }
        let waits = worker.has_waiting()
            || worker.is_late(now)
            || worker.proactor().is_some_and(Proactor::wants_enter);
        if waits || ran >= self.slice && !shared.late.is_empty() {
            // One that has no processor is not asked more often for that.
            let ticks = if computes { self.tick(worker, index) } else { NO_HURRY };
            found.wanted = Some(found.wanted.unwrap_or(0).max(ticks));
        } else if computes && found.longest.is_none_or(|(_, longest)| ran > longest) {
            found.longest = Some((index, ran));
        }
    }

    /// Whether somebody waits in the injector, once what the poller has is there.
    fn look_elsewhere(&self, shared: &'static Shared, found: &Found, now: u64) -> bool {
        if found.long
            && !found.asleep
            && !shared.completes()
            && shared.poller.stale_since(now, self.bound)
            && shared.poller.try_hold()
        {
            let ready = shared.poller.poll(Some(std::time::Duration::ZERO), lisle_core::CAPACITY);
            shared.poller.release();
            inject(shared, ready);
            // Who went to sleep meanwhile could not hold the poller, and nobody else does now. It
            // marked itself asleep, fenced, before it tried.
            fence(Ordering::SeqCst);
            if let Some(worker) = shared.workers().iter().find(|worker| !worker.is_awake()) {
                worker.unpark();
            }
        }
        !shared.injector.is_empty()
    }

    /// Sends a tick; returns how many were sent in this stretch before.
    fn tick(&mut self, worker: &Worker, index: usize) -> u32 {
        let seen = &mut self.seen[index];
        if let Some((stretch, thread)) = worker.stretch()
            && stretch == seen.stretch
            && let Err(Errno(libc::EPERM | libc::ENOSYS)) = preempt::send_tick(thread)
        {
            // A filter of the program's; there is no other way.
            self.slice = 0;
        }
        let seen = &mut self.seen[index];
        seen.ticks += 1;
        seen.ticks - 1
    }

    /// Nanoseconds to the next look.
    fn distance(&mut self, shared: &Shared, found: &Found, now: u64) -> u64 {
        if let Some(ticks) = found.wanted {
            self.apart = self.bound;
            return (RETRY.min(self.bound) << ticks.min(NO_HURRY)).min(self.bound);
        }
        let of_late = !shared.late.is_empty() || now - self.ticked < OF_LATE;
        if !found.runs && !of_late {
            self.apart = self.bound;
            return SELDOM;
        }
        let elapsed = now - self.last;
        let long = u64::from(found.stretches) * self.bound / 4 < elapsed;
        let rotated = !shared.late.is_empty() && found.stretches as usize <= shared.workers().len();
        self.apart = match () {
            () if found.long && !found.changed => (self.apart * 2).min(RARELY),
            // Those that compute have exchanged places, and nobody came in between.
            () if rotated => self.apart.min(RARELY),
            () if of_late || long => self.bound,
            () => (self.apart * 2).min(SELDOM),
        };
        let mut next = now + self.apart;
        if found.long {
            let alarms = shared.workers().iter().map(Worker::next_deadline);
            next = alarms.filter(|alarm| *alarm > now).fold(next, u64::min);
            if !shared.late.is_empty() {
                let ends = self.seen.iter().map(|seen| seen.since + self.slice);
                next = ends.filter(|end| *end > now).fold(next, u64::min);
            }
        }
        (next - now).max(RETRY.min(self.bound))
    }
}

/// Submits and takes for a worker whose coroutine runs for long.
fn take_answers(shared: &Shared, proactor: &Proactor) {
    if proactor.has_unsubmitted() {
        proactor.submit();
    }
    if proactor.has_answers() {
        inject(shared, proactor.take_for_worker());
    }
}

fn inject(shared: &Shared, mut ready: List<Task>) {
    if !ready.is_empty() {
        section::within(|| shared.injector.push_list(&mut ready));
        // Whoever seemed awake may have gone to sleep since.
        shared.notify();
    }
}
