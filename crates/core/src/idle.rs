//! Which workers search for work and which sleep, so that pushing work wakes somebody exactly when
//! somebody is needed.
//!
//! The idea is Go's spinning Ms and the form is tokio's `runtime/scheduler/multi_thread/idle.rs`: a
//! worker that runs out of work *searches* the other queues for a while before it sleeps, and
//! whoever pushes work wakes a sleeper only if nobody searches. Under load no push wakes anybody;
//! after a lull one push wakes one worker, which finds work, stops searching and wakes the next.
//!
//! ```text
//!                 start_search                      stop_search (found work)
//!    running ---------------------> searching --------------------------------> running
//!      ^  |                          |     ^
//!      |  | sleep(w, false)          |     |  wake_one, wake_specific (by others)
//!      |  v                          v     |
//!      |  sleeping <--- sleep(w, true)     |
//!      |   |  '----------------------------'
//!      '---'  leave(w) = true (by itself: a timer, I/O, a second look)
//! ```
//!
//! # The race
//!
//! The danger is that work is pushed while the last worker falls asleep: each looks before the
//! other has written. Both sides therefore write, fence, look:
//!
//! ```text
//!    pusher                                 worker
//!    1  put the work into a queue           1  sleep(): out of `awake`, out of `searching`, listed
//!    2  SeqCst fence (in wake_one)          2  SeqCst fence (in sleep)
//!    3  look: anybody searching, asleep?    3  sleep() was true: look into all queues once more
//! ```
//!
//! Invariant: **one of the two sees the other.** The two fences are ordered, whichever way. If the
//! pusher's is first, the worker's look sees the work. If the worker's is first, the pusher's look
//! sees it asleep and not searching, and wakes it or another.
//!
//! When the pusher sees a searcher it wakes nobody and relies on the last searcher to look again.
//! So the counter reaching zero always comes with a fence and a duty: `stop_search() = true` means
//! look for more work and wake another for it; `sleep() = true` means look once more. `sleep` is
//! true whenever nobody searches any more, even if the worker itself did not: it may have been
//! refused by `start_search` because of a searcher that has stopped since, and between that and its
//! listing a pusher finds neither searchers nor sleepers. (Go closes the same gap with
//! `needspinning`.)
//!
//! Rejected: waking on every push (a system call per spawn), a list of sleepers only (every push
//! during a search wakes one more), one bit per worker (1024 bits are sixteen words and not one
//! moment).

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::primitive::{AtomicU64, fence};
use crate::spin::SpinLock;

/// The most workers an [`Idle`] can keep account of.
pub const MAX_WORKERS: u32 = 1024;

/// The three counters taken apart, so that shifts stay here: 16 bits each.
#[derive(Clone, Copy)]
struct Counts(u64);

impl Counts {
    const SEARCHING: u64 = 1;
    const AWAKE: u64 = 1 << 16;
    const ASLEEP: u64 = 1 << 32;

    fn searching(self) -> u32 {
        u32::from(self.0 as u16)
    }

    fn awake(self) -> u32 {
        u32::from((self.0 >> 16) as u16)
    }

    fn asleep(self) -> u32 {
        u32::from((self.0 >> 32) as u16)
    }
}

/// What is added for a worker that was asleep and is awake.
const AWAKENED: u64 = Counts::AWAKE.wrapping_sub(Counts::ASLEEP);

/// The account of searching and sleeping workers.
///
/// # Memory order
///
/// Every change of `counts` is a SeqCst read-modify-write, and the argument above needs no more
/// than the SeqCst fences next to them. The counters change rarely, a few times per lull, so
/// nothing weaker is worth an argument. What is hot is the look in [`wake_one`](Self::wake_one):
/// one fence and one Relaxed load.
pub struct Idle {
    /// | asleep | searching | meaning                                                     |
    /// |--------|-----------|-------------------------------------------------------------|
    /// | 0      | 0         | all run coroutines; pushing wakes nobody                    |
    /// | any    | n > 0     | n workers look into all queues; pushing wakes nobody        |
    /// | s > 0  | 0         | s sleep and nobody searches: pushing wakes one              |
    ///
    /// Always searching <= awake. Those that are neither awake nor asleep are in *reserve*: nobody
    /// counts on them. `asleep` changes only under the lock of `sleepers`, whose length it is.
    counts: AtomicU64,
    /// Who sleeps, the latest last: it is woken first, its caches are the warmest.
    sleepers: SpinLock<Vec<u32>>,
}

impl Idle {
    /// The account of `workers` workers, all awake and none searching.
    ///
    /// # Panics
    ///
    /// If there are more than [`MAX_WORKERS`].
    pub fn new(workers: u32) -> Self {
        Self::with_reserve(workers, 0)
    }

    /// The account of `workers` workers, all awake and none searching, and of `reserve` more, which
    /// [`join`](Self::join) later.
    ///
    /// # Panics
    ///
    /// If there are more than [`MAX_WORKERS`] of either.
    pub fn with_reserve(workers: u32, reserve: u32) -> Self {
        let most = workers.max(reserve);
        assert!(most <= MAX_WORKERS, "at most {MAX_WORKERS} workers");
        Self {
            counts: AtomicU64::new(u64::from(workers) * Counts::AWAKE),
            // All of it now: a push under a spin lock must not allocate.
            sleepers: SpinLock::new(Vec::with_capacity((workers + reserve) as usize)),
        }
    }

    /// Takes a worker out of the reserve: it is awake and searching from now on. The caller wakes
    /// it.
    pub fn join(&self) {
        self.counts.fetch_add(Counts::AWAKE + Counts::SEARCHING, SeqCst);
    }

    /// Puts the calling worker, which is awake, into the reserve; `searching` says whether it was.
    /// True if nobody searches now: the caller then looks into all queues once more, and calls
    /// [`wake_one`](Self::wake_one) if it finds something, as after [`sleep`](Self::sleep).
    #[must_use = "if nobody searches the caller has to look once more"]
    pub fn retire(&self, searching: bool) -> bool {
        let fewer = Counts::AWAKE + if searching { Counts::SEARCHING } else { 0 };
        let before = Counts(self.counts.fetch_sub(fewer, SeqCst));
        // Orders the caller's look behind the change; see the race above.
        fence(SeqCst);
        before.searching() == u32::from(searching)
    }

    /// Begins a search, by an awake worker that has run out of work. False if half of the awake
    /// workers search already: more would only get into each other's way.
    #[must_use = "only a worker that was let in may search"]
    pub fn start_search(&self) -> bool {
        let mut now = self.counts.load(Relaxed);
        loop {
            let counts = Counts(now);
            if counts.searching() > 0 && 2 * counts.searching() >= counts.awake() {
                return false;
            }
            match self.counts.compare_exchange(now, now + Counts::SEARCHING, SeqCst, Relaxed) {
                Ok(_) => return true,
                Err(changed) => now = changed,
            }
        }
    }

    /// Ends a search, by a worker that found work. True if it was the last searcher: the caller
    /// then looks whether there is more work, and calls [`wake_one`](Self::wake_one) if so.
    #[must_use = "the last searcher has to look for more work and wake another"]
    pub fn stop_search(&self) -> bool {
        let before = Counts(self.counts.fetch_sub(Counts::SEARCHING, SeqCst));
        debug_assert!(before.searching() > 0);
        // Orders the caller's look behind the change; see the race above.
        fence(SeqCst);
        before.searching() == 1
    }

    /// Lists an awake worker as sleeping; `searching` says whether it was. True if nobody searches
    /// now: the caller then looks into all queues once more before it sleeps, and
    /// [`leave`](Self::leave)s if it finds something.
    #[must_use = "if nobody searches the caller has to look once more"]
    pub fn sleep(&self, worker: u32, searching: bool) -> bool {
        let fewer = Counts::AWAKE + if searching { Counts::SEARCHING } else { 0 };
        let mut sleepers = self.sleepers.lock();
        debug_assert!(!sleepers.contains(&worker));
        // One addition, so that all counters change at one moment.
        let change = Counts::ASLEEP.wrapping_sub(fewer);
        let before = Counts(self.counts.fetch_add(change, SeqCst));
        sleepers.push(worker);
        drop(sleepers);
        // Orders the caller's look behind the listing; see the race above.
        fence(SeqCst);
        before.searching() == u32::from(searching)
    }

    /// Whom to wake for work that was just pushed, if anybody: the caller wakes that worker, which
    /// is awake and searching from now on.
    #[must_use = "the worker counts as awake and has to be woken"]
    #[inline]
    pub fn wake_one(&self) -> Option<u32> {
        if self.wants_one() { self.wake_one_slow() } else { None }
    }

    /// Whether [`wake_one`](Self::wake_one) may have somebody to wake: the part of it that takes no
    /// lock, for a caller that has to prepare for one.
    #[inline]
    pub fn wants_one(&self) -> bool {
        // Orders this look behind the caller's push; see the race above.
        fence(SeqCst);
        self.wanted()
    }

    /// Wakes this worker and no other: true if it slept, and then the caller wakes it. It is awake
    /// and searching from now on.
    #[must_use = "a worker that slept counts as awake and has to be woken"]
    pub fn wake_specific(&self, worker: u32) -> bool {
        self.remove(worker, AWAKENED.wrapping_add(Counts::SEARCHING))
    }

    /// Called by a worker that stopped sleeping, whatever the reason. True if it was still listed:
    /// it is awake now and not searching. False if a waker had taken it: it is awake and searching,
    /// and a wake-up for it is under way.
    #[must_use = "it says whether the worker counts as searching"]
    pub fn leave(&self, worker: u32) -> bool {
        self.remove(worker, AWAKENED)
    }

    /// How many workers sleep.
    pub fn sleepers(&self) -> u32 {
        self.counts().asleep()
    }

    /// How many workers search.
    pub fn searching(&self) -> u32 {
        self.counts().searching()
    }

    fn counts(&self) -> Counts {
        Counts(self.counts.load(Relaxed))
    }

    /// Whether pushed work needs a wake-up: nobody searches and somebody sleeps, at one moment.
    fn wanted(&self) -> bool {
        let counts = self.counts();
        counts.searching() == 0 && counts.asleep() > 0
    }

    #[cold]
    fn wake_one_slow(&self) -> Option<u32> {
        let mut sleepers = self.sleepers.lock();
        // Of several pushers that saw a need, the first satisfies it for all.
        if !self.wanted() {
            return None;
        }
        let worker = sleepers.pop()?;
        self.counts.fetch_add(AWAKENED.wrapping_add(Counts::SEARCHING), SeqCst);
        Some(worker)
    }

    /// Takes `worker` off the list and adds `more` to the counters; false if it was not listed.
    fn remove(&self, worker: u32, more: u64) -> bool {
        let mut sleepers = self.sleepers.lock();
        let Some(at) = sleepers.iter().rposition(|&listed| listed == worker) else {
            return false;
        };
        sleepers.swap_remove(at);
        self.counts.fetch_add(more, SeqCst);
        true
    }
}
