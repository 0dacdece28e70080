//! Searching for work, and sleeping when there is none. The protocol is argued in `sleep.md`
//! beside this file.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lisle_core::List;
use lisle_sys::{clock, futex};

use super::Worker;
use crate::mn::carrier::Carrier;
use crate::mn::proactor::Proactor;
use crate::mn::section;
use crate::mn::task::Task;

/// States of `Worker::sleeping`:
///
/// | state | meaning | set by |
/// |---|---|---|
/// | AWAKE | runs or searches | the worker |
/// | FUTEX | sleeps on this word | the worker, from AWAKE by compare-and-swap |
/// | POLL | sleeps in the poller | the worker, from AWAKE by compare-and-swap |
/// | RING | sleeps in its ring | the worker, from AWAKE by compare-and-swap |
/// | NOTIFIED | is to look again | a waker, by swap, whatever it was |
///
/// The waker's swap tells it how to wake the thread: nothing (AWAKE, NOTIFIED), a futex wake, or
/// the poller's eventfd or the ring's. A NOTIFIED that comes before the sleep makes the
/// compare-and-swap fail, so no wake-up is lost. Release on the swap, Acquire on the worker's way
/// back: it sees the work.
pub(super) const AWAKE: u32 = 0;
const FUTEX: u32 = 1;
const POLL: u32 = 2;
const NOTIFIED: u32 = 3;
pub(super) const RING: u32 = 4;

/// Rounds over all workers that a search takes before it gives up.
const ROUNDS: u32 = 4;

impl Worker {
    /// Searches, sleeps, searches again, until there is work. `searching` says whether the worker
    /// counts as searching already.
    ///
    /// # Safety
    /// Called at home, with nothing queued locally.
    pub(super) unsafe fn search_or_sleep(&'static self, mut searching: bool) -> &'static Task {
        // SAFETY: at home, in all calls below.
        unsafe {
            loop {
                if let Some(task) = self.search(searching) {
                    if let Some(proactor) = self.proactor()
                        && proactor.wants_enter()
                    {
                        proactor.submit();
                    }
                    if searching && self.shared.idle.stop_search() {
                        // The last searcher found something: there may be more.
                        self.shared.notify();
                    }
                    return task;
                }
                searching = self.is_surplus() && self.retire(searching) || self.sleep(searching);
            }
        }
    }

    /// # Safety
    /// Called at home.
    unsafe fn search(&'static self, searching: bool) -> Option<&'static Task> {
        // SAFETY: the caller's obligation.
        unsafe {
            let rounds = if searching { ROUNDS } else { 1 };
            for _ in 0..rounds {
                let own = self.next_queued().or_else(|| self.take_injected());
                if let Some(task) = own.or_else(|| self.shared.take_late()) {
                    return Some(task);
                }
                if searching {
                    if let Some(task) = self.steal() {
                        return Some(task);
                    }
                    std::hint::spin_loop();
                }
            }
            self.take_answers();
            let now = clock::now();
            self.fire_alarms(now);
            if searching {
                self.fire_alarms_of_others(now);
            }
            self.next_queued()
        }
    }

    /// Sleeps until there may be work. Returns whether the worker counts as searching now.
    ///
    /// # Safety
    /// Called at home.
    unsafe fn sleep(&'static self, searching: bool) -> bool {
        let idle = &self.shared.idle;
        self.awake.store(false, Ordering::Release);
        // Whoever makes work after this line sees a sleeper. What was made before is seen by those
        // who still search, or here if nobody does.
        let nobody_searches = idle.sleep(self.index, searching);
        let several = if nobody_searches && self.work_in_sight() {
            false
        } else {
            self.stay_home();
            // SAFETY: the caller's obligation.
            let several = unsafe { self.block() };
            self.stay_home();
            several
        };
        self.awake.store(true, Ordering::Release);
        self.shared.monitor.worker_woke();
        let by_itself = idle.leave(self.index);
        self.own.last_look.set(clock::now());
        if several {
            self.shared.notify();
        }
        if by_itself { idle.start_search() } else { true }
    }

    pub(super) fn work_in_sight(&self) -> bool {
        !self.shared.injector.is_empty()
            || !self.shared.late.is_empty()
            || self.shared.workers().iter().any(|worker| worker.has_next())
    }

    /// Returns whether it found more work than one worker will do at once.
    ///
    /// # Safety
    /// Called at home.
    unsafe fn block(&'static self) -> bool {
        if let Some(proactor) = self.proactor() {
            // SAFETY: the caller's obligation.
            return unsafe { self.block_in_ring(proactor) };
        }
        let mut several = false;
        if self.shared.poller.try_hold() {
            if self.fall_asleep(POLL) {
                let timeout = self.timeout_as_poller();
                // SAFETY: the caller's obligation.
                several = unsafe { self.poll_held(timeout) };
                self.wake_up();
            }
            self.shared.poller.release();
        } else {
            self.sleep_on_futex();
        }
        several
    }

    /// Sleeps until it is woken or an alarm of its own is due.
    pub(super) fn sleep_on_futex(&self) {
        if !self.fall_asleep(FUTEX) {
            return;
        }
        let deadline = self.next_deadline();
        let deadline = (deadline != u64::MAX).then_some(deadline);
        while self.sleeping.load(Ordering::Acquire) == FUTEX {
            // Any end of the wait but "the word changed before" may be a deadline.
            if futex::wait(&self.sleeping, FUTEX, deadline).is_err() {
                break;
            }
        }
        self.wake_up();
    }

    /// As [`block`](Self::block), for a worker with a ring. One of the sleepers minds the alarms of
    /// those that are awake.
    ///
    /// # Safety
    /// Called at home.
    unsafe fn block_in_ring(&'static self, proactor: &Proactor) -> bool {
        let mut several = false;
        let minds_others = self.shared.poller.try_hold();
        // First: who sees RING interrupts, and nobody else is to take the answer to that.
        proactor.keep();
        if self.fall_asleep(RING) {
            let timeout =
                if minds_others { self.timeout_as_poller() } else { until(self.next_deadline()) };
            // SAFETY: the caller's obligation, in both calls.
            unsafe {
                proactor.wait(timeout);
                self.wake_up();
                several = self.take_answers() > 1;
            }
        }
        proactor.share();
        if minds_others {
            self.shared.poller.release();
        }
        several
    }

    /// Queues here what the ring's answers make ready; returns how many there were.
    ///
    /// # Safety
    /// Called on this worker's thread.
    pub(super) unsafe fn take_answers(&self) -> usize {
        let Some(proactor) = self.proactor() else { return 0 };
        if !proactor.has_answers() {
            return 0;
        }
        // SAFETY: the caller's obligation; the proactor gave these away.
        unsafe { self.queue(|most| proactor.take(most)) }
    }

    /// False if somebody wants this worker awake; then the word is AWAKE again.
    pub(super) fn fall_asleep(&self, how: u32) -> bool {
        let slept =
            self.sleeping.compare_exchange(AWAKE, how, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !slept {
            self.wake_up();
        }
        slept
    }

    pub(super) fn wake_up(&self) {
        self.sleeping.swap(AWAKE, Ordering::AcqRel);
    }

    /// How long the worker that holds the poller may sleep: until its own next alarm, or that of a
    /// worker that is busy and may be late for it.
    fn timeout_as_poller(&self) -> Option<Duration> {
        let deadline = self
            .shared
            .workers()
            .iter()
            .filter(|w| w.index == self.index || w.awake.load(Ordering::Acquire))
            .map(Worker::next_deadline)
            .min()
            .unwrap_or(u64::MAX);
        until(deadline)
    }

    /// Has its thread block what it is to block at home, if that has changed.
    pub(super) fn stay_home(&self) {
        if let Some(carrier) = self.carrier() {
            carrier.stay_home();
        }
    }

    /// Wakes its thread until it is not at home, or has the mask that it is to have there.
    pub(crate) fn rouse(&self) {
        while self.carrier().is_some_and(|carrier| carrier.note.is_outdated()) {
            self.unpark();
            lisle_sys::thread::yield_now();
        }
    }

    pub(super) fn carrier(&self) -> Option<&'static Carrier> {
        // SAFETY: null or that of a thread that never ends, set before it runs anything.
        unsafe { self.carrier.load(Ordering::Acquire).as_ref() }
    }

    /// Makes the worker's thread look for work, if it sleeps.
    pub(crate) fn unpark(&self) {
        match self.sleeping.swap(NOTIFIED, Ordering::AcqRel) {
            FUTEX => {
                futex::wake(&self.sleeping, 1);
            }
            POLL => self.shared.poller.interrupt(),
            RING => {
                if let Some(proactor) = self.proactor() {
                    proactor.interrupt();
                }
            }
            _ => {}
        }
    }

    /// Asks the poller unless another worker does; what it found ready is queued here.
    ///
    /// # Safety
    /// Called at home.
    pub(super) unsafe fn poll(&self, timeout: Option<Duration>) {
        if self.shared.poller.try_hold() {
            // SAFETY: the caller's obligation.
            let several = unsafe { self.poll_held(timeout) };
            self.shared.poller.release();
            if several {
                self.shared.notify();
            }
        }
    }

    /// Returns whether there was more than one, which this worker runs itself.
    ///
    /// # Safety
    /// Called at home, holding the poller.
    unsafe fn poll_held(&self, timeout: Option<Duration>) -> bool {
        // SAFETY: the caller's obligation; the poller gave these away.
        unsafe { self.queue(|most| self.shared.poller.poll(timeout, most)) > 1 }
    }

    /// Queues what `take` gives, no more than fits: what is ready already is not pushed out, and
    /// those who wait are served in the order of their events. Where nothing fits a few go to the
    /// injector, so that coroutines that only yield cannot keep them out. Returns how many there
    /// were.
    ///
    /// # Safety
    /// Called on this worker's thread; the caller gets to own what `take` gives.
    unsafe fn queue(&self, take: impl FnOnce(usize) -> List<Task>) -> usize {
        const FEW: usize = 16;
        let room = lisle_core::CAPACITY - self.ring.len();
        if room == 0 {
            let mut batch = take(FEW);
            let count = batch.len();
            section::within(|| self.shared.injector.push_list(&mut batch));
            return count;
        }
        let (mut batch, mut count) = (take(room), 0);
        while let Some(task) = batch.pop() {
            // SAFETY: the caller's obligation; headers are never freed.
            unsafe { self.requeue(task.as_ref()) };
            count += 1;
        }
        count
    }
}

/// The time left until a deadline; `u64::MAX` is none.
pub(super) fn until(deadline: u64) -> Option<Duration> {
    (deadline != u64::MAX).then(|| Duration::from_nanos(deadline.saturating_sub(clock::now())))
}
