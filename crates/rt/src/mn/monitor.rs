//! The thread without a worker, which looks after what workers cannot see while they run.
//!
//! Workers notify nobody of a coroutine that they will run themselves in a moment, look at alarms
//! and at the poller between coroutines, and sleep when there is nothing to do. If the coroutine
//! that runs goes on for long, all of that waits, though another worker may be idle. The monitor
//! wakes that worker when
//!
//! - the same coroutine has been next on a busy worker at two looks in a row, or others wait
//!   behind it,
//! - an alarm of a busy worker is overdue, or
//! - nobody asks the poller.
//!
//! It preempts coroutines that have run for long while others wait: see `slice`.
//! It looks after workers that are stuck in the kernel: see `substitute`.
//!
//! It also submits the requests of a worker that has been too busy to do so since the last look,
//! and takes the answers that such a worker left.
//!
//! It looks every [`SHORTEST`] while it finds something, up to every [`LONGEST`] while it does not,
//! and sleeps for as long as no worker is awake.
//!
//! | `Monitor::state` | meaning | set by |
//! |---|---|---|
//! | WATCHING | looks from time to time | a worker that wakes, from ASLEEP, by swap |
//! | ASLEEP | sleeps until a worker wakes | the monitor, before it looks at the workers once more |
//!
//! | `asked`, `answered` | meaning |
//! |---|---|
//! | equal | nobody waits for a submission |
//! | `asked` ahead | so many threads wait in [`Monitor::submit_all`](Monitor::submit_all) |
//!
//! `asked` is counted up by those threads, `answered` set to what `asked` was before a submission,
//! by the monitor alone.
//!
//! A worker that wakes marks itself awake and then reads the state; the monitor writes the state
//! and then looks whether a worker is awake. Both fence in between (SeqCst), so one of the two sees
//! the other.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use lisle_sys::{Errno, clock, futex, signal};

use super::mask::ALL;
use super::proactor::Proactor;
use super::section;
use super::shared::Shared;
use super::slice::Slices;
use super::substitute::Watch;
use super::task::Task;

/// Nanoseconds between two looks.
const SHORTEST: u64 = 500_000;
const LONGEST: u64 = 10_000_000;
/// Looks in a row that find no worker awake before it sleeps.
const QUIET_LOOKS: u32 = 20;

const WATCHING: u32 = 0;
const ASLEEP: u32 = 1;

/// What the last look saw of a worker.
#[derive(Clone, Copy)]
struct Seen {
    next: *const Task,
    progress: (u32, u32),
}

/// See the module.
pub(crate) struct Monitor {
    state: AtomicU32,
    /// How often somebody asked for everything to be submitted. The monitor naps on it.
    asked: AtomicU32,
    /// Up to which of these requests that has been done. Release after the submission, read with
    /// Acquire by whoever asked.
    answered: AtomicU32,
}

impl Monitor {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU32::new(0);
        Monitor { state: AtomicU32::new(WATCHING), asked: zero(), answered: zero() }
    }

    /// Has all workers' requests submitted, from a thread that must not do so itself: the kernel
    /// cancels what a thread submitted when that thread ends.
    pub(crate) fn submit_all(&self) {
        let number = self.asked.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        futex::wake(&self.asked, 1);
        // As in `worker_woke`: either the monitor, going to sleep, sees the request, or this sees
        // it asleep.
        fence(Ordering::SeqCst);
        self.wake();
        loop {
            let answered = self.answered.load(Ordering::Acquire);
            if (answered.wrapping_sub(number) as i32) >= 0 {
                return;
            }
            // An early return leads to another look.
            let _ = futex::wait(&self.answered, answered, None);
        }
    }

    /// Sleeps until then, and does what is asked for meanwhile.
    fn nap(&self, shared: &Shared, until: u64) {
        loop {
            let asked = self.asked.load(Ordering::Acquire);
            if asked != self.answered.load(Ordering::Relaxed) {
                shared.submit_all();
                self.answered.store(asked, Ordering::Release);
                futex::wake(&self.answered, u32::MAX);
            }
            if futex::wait(&self.asked, asked, Some(until)) == Err(Errno::TIMEDOUT) {
                return;
            }
        }
    }

    /// To be called by a worker that wakes, after it has marked itself awake.
    #[inline]
    pub(crate) fn worker_woke(&self) {
        fence(Ordering::SeqCst);
        if self.state.load(Ordering::Relaxed) == ASLEEP {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if self.state.swap(WATCHING, Ordering::AcqRel) == ASLEEP {
            futex::wake(&self.state, 1);
        }
    }

    /// The life of the monitor's thread.
    pub(crate) fn run(&self, shared: &'static Shared) -> ! {
        // Handlers may wait for what it does.
        signal::change_mask(signal::Change::Set, ALL);
        lisle_sys::thread::precise_timers();
        let most = shared.all_workers().len();
        let mut seen = vec![Seen { next: ptr::null(), progress: (0, 0) }; most];
        let mut watch = Watch::new(most, shared.warnings.after != u64::MAX);
        let (mut interval, mut quiet) = (SHORTEST, 0);
        let mut slices = Slices::new(seen.len(), shared.slice);
        let mut next = clock::now() + interval;
        loop {
            self.nap(shared, next.min(slices.next));
            let now = clock::now();
            slices.look(shared, now);
            // It is awake: what would wake it soon is done now.
            if now + interval / 2 < next {
                continue;
            }
            let awake = shared.workers().iter().filter(|worker| worker.is_awake()).count();
            quiet = if awake > 0 { 0 } else { quiet + 1 };
            // Where all are awake there is nobody to wake, and a single worker wakes by itself.
            let several = shared.workers().len() > 1;
            if look(shared, &mut seen) && shared.idle.sleepers() > 0 && several {
                shared.notify();
                interval = SHORTEST;
            } else {
                interval = (interval * 2).min(LONGEST);
            }
            interval = interval.min(watch.look(shared, clock::now()));
            if quiet >= QUIET_LOOKS {
                self.sleep_until_needed(shared);
                (interval, quiet) = (SHORTEST, 0);
            }
            next = clock::now() + interval;
        }
    }

    fn sleep_until_needed(&self, shared: &Shared) {
        self.state.store(ASLEEP, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if shared.workers().iter().any(|worker| worker.is_awake())
            || self.asked.load(Ordering::Relaxed) != self.answered.load(Ordering::Relaxed)
        {
            self.state.store(WATCHING, Ordering::Relaxed);
            return;
        }
        while self.state.load(Ordering::Acquire) == ASLEEP {
            // An early return leads to another look at the state.
            let _ = futex::wait(&self.state, ASLEEP, None);
        }
    }
}

/// Whether an idle worker is wanted.
fn look(shared: &Shared, seen: &mut [Seen]) -> bool {
    let now = clock::now();
    let mut wanted = false;
    for (worker, seen) in shared.workers().iter().zip(seen) {
        let next = worker.next_up();
        // What a yield or a single event queued was told to nobody.
        wanted |= !next.is_null() && next == seen.next || worker.has_queued();
        wanted |= worker.is_awake() && worker.is_late(now.saturating_sub(SHORTEST));
        seen.next = next;
        if let Some(proactor) = worker.proactor() {
            relieve(shared, proactor, &mut seen.progress);
        }
    }
    // While all are asleep one of them holds the poller.
    wanted || !shared.late.is_empty() || shared.poller.stale_since(now, LONGEST)
}

/// Submits and takes for a worker that has done neither since the last look although there is
/// something.
fn relieve(shared: &Shared, proactor: &Proactor, seen: &mut (u32, u32)) {
    let progress = proactor.progress();
    let stands = progress == std::mem::replace(seen, progress);
    if !stands || !(proactor.wants_enter() || proactor.has_answers()) {
        return;
    }
    proactor.submit();
    let mut ready = proactor.take_for_worker();
    if !ready.is_empty() {
        section::within(|| shared.injector.push_list(&mut ready));
        // Whoever seemed awake may have gone to sleep since.
        shared.notify();
    }
}
