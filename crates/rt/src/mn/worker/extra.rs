//! A worker that is a substitute, and one that others take work from because it is stuck. The
//! protocol is in `substitute`.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use lisle_core::{Cause, List, Ring, Woken};
use lisle_sys::{clock, thread};

use super::Worker;
use super::sleep::until;
use crate::mn::carrier::Carrier;
use crate::mn::section;
use crate::mn::task::Task;

/// States of `Worker::duty`; see `substitute`.
pub(super) const REGULAR: u32 = 0;
pub(super) const DORMANT: u32 = 1;
const ACTIVE: u32 = 2;

impl Worker {
    /// The life of a substitute's thread.
    pub(crate) fn serve(&'static self) -> ! {
        let carrier = Carrier::new(Some(self));
        // SAFETY: first of all on this thread; `run` never returns, so the carrier stays.
        unsafe {
            carrier.adopt_thread();
            self.run(&carrier)
        }
    }

    pub(super) fn is_substitute(&self) -> bool {
        self.duty.load(Ordering::Relaxed) != REGULAR
    }

    pub(crate) fn is_dormant(&self) -> bool {
        self.duty.load(Ordering::Acquire) == DORMANT
    }

    pub(crate) fn is_active(&self) -> bool {
        self.duty.load(Ordering::Acquire) == ACTIVE
    }

    /// Wakes a dormant substitute, which counts as active, awake and searching already.
    pub(crate) fn activate(&self) {
        self.duty.store(ACTIVE, Ordering::Release);
        self.unpark();
    }

    /// Whether it is a substitute, and one too many.
    pub(super) fn is_surplus(&self) -> bool {
        self.is_substitute() && self.shared.substitutes.is_one_too_many()
    }

    /// Retires and comes back when it is activated, searching; false if it is not to retire.
    ///
    /// # Safety
    /// Called at home.
    #[cold]
    pub(super) unsafe fn retire(&'static self, searching: bool) -> bool {
        if !self.shared.substitutes.retire() {
            return false;
        }
        self.duty.store(DORMANT, Ordering::Release);
        self.awake.store(false, Ordering::Release);
        // As with one that falls asleep: who pushed before may have counted on this search.
        let nobody_searches = self.shared.idle.retire(searching);
        // SAFETY: the caller's obligation.
        unsafe { self.hand_over() };
        if nobody_searches && self.work_in_sight() {
            self.shared.notify();
        }
        // SAFETY: as above.
        unsafe { self.rest() };
        true
    }

    /// Waits until it is activated, and passes on what becomes ready meanwhile.
    ///
    /// # Safety
    /// Called at home, dormant.
    pub(super) unsafe fn rest(&'static self) {
        // SAFETY: at home, in all calls below.
        unsafe {
            loop {
                self.take_answers();
                self.fire_alarms(clock::now());
                self.hand_over();
                if !self.is_dormant() {
                    break;
                }
                self.stay_home();
                self.doze();
                self.stay_home();
            }
        }
        self.awake.store(true, Ordering::Release);
        self.shared.monitor.worker_woke();
        self.own.last_look.set(clock::now());
    }

    /// Sleeps until it is activated, an answer comes, or an alarm is due.
    ///
    /// # Safety
    /// Called at home.
    unsafe fn doze(&'static self) {
        let Some(proactor) = self.proactor() else { return self.sleep_on_futex() };
        proactor.keep();
        if self.fall_asleep(super::sleep::RING) {
            // SAFETY: the caller's obligation.
            unsafe { proactor.wait(until(self.next_deadline())) };
            self.wake_up();
        }
        proactor.share();
    }

    /// Gives all that is queued here to the injector.
    ///
    /// # Safety
    /// Called at home.
    unsafe fn hand_over(&self) {
        let mut batch = List::new();
        // SAFETY: this thread is the ring's owner; what was in a queue is in no other.
        unsafe {
            if let Some(task) = self.take_lifo() {
                batch.push(NonNull::from(task));
            }
            while let Some(task) = self.ring.pop() {
                batch.push(task);
            }
        }
        self.take_aside(&mut batch);
        self.inject(batch);
    }

    /// Moves those set aside to `batch`. Anybody may.
    fn take_aside(&self, batch: &mut List<Task>) {
        while let Some(task) = section::within(|| self.aside.pop()) {
            // SAFETY: what was in that queue is in no other.
            unsafe { batch.push(task) };
        }
    }

    fn inject(&self, mut batch: List<Task>) {
        if !batch.is_empty() {
            section::within(|| self.shared.injector.push_list(&mut batch));
            self.shared.notify();
        }
    }

    /// Takes all that waits on a worker that is stuck to the injector: what is queued, what is
    /// answered, whose alarm is due. Returns whether there was something. Called by the monitor.
    ///
    /// # Safety
    /// The caller owns the ring `through`, which is empty, and thieves were let in.
    pub(crate) unsafe fn evacuate(&self, through: &Ring<Task>, now: u64) -> bool {
        let mut batch = List::new();
        // SAFETY: the caller owns that ring; what was in a queue is in no other.
        unsafe {
            while let Some((first, _)) = self.ring.steal_into(through) {
                batch.push(first);
                while let Some(task) = through.pop() {
                    batch.push(task);
                }
            }
            if let Some(task) = self.take_lifo() {
                batch.push(NonNull::from(task));
            }
        }
        self.take_aside(&mut batch);
        while let Some(alarm) = self.due(now) {
            if alarm.task.wait.wake(alarm.ticket, Cause::TIMEOUT) == Woken::Owner {
                // SAFETY: the winner of the wait owns the coroutine.
                unsafe { batch.push(NonNull::from(alarm.task)) };
            }
        }
        if let Some(proactor) = self.proactor() {
            if proactor.wants_enter() {
                proactor.submit();
            }
            if proactor.has_answers() {
                batch.append(&mut proactor.take_for_worker());
            }
        }
        let some = !batch.is_empty();
        self.inject(batch);
        some
    }

    /// Lets others steal from here, if they were not allowed to. False if that has to wait.
    pub(crate) fn let_thieves_in(&self) -> bool {
        !self.alone || self.solo.open(thread::barrier)
    }

    /// Pops without exchanges again, if nobody steals any more.
    pub(super) fn shut_the_door(&self) {
        if self.alone {
            self.solo.shut(|| self.shared.substitutes.any_thief());
        }
    }

    /// How often a coroutine has left this worker.
    pub(crate) fn suspensions(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// How many coroutines were started here, and how many ended here.
    pub(crate) fn lives(&self) -> (u64, u64) {
        (self.started.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed))
    }

    /// The coroutine that runs here, or did a moment ago.
    pub(crate) fn running(&self) -> Option<&'static Task> {
        self.carrier()?.running()
    }

    /// The kernel's number of its OS thread, once that runs.
    pub(crate) fn thread(&self) -> Option<i32> {
        self.carrier().map(Carrier::thread)
    }
}
