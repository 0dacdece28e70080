//! What runs next.
//!
//! A coroutine that suspends asks [`Worker::next_local`] and switches straight to the answer (the
//! *ring* policy: half the switches of going home in between). Every so often the answer is
//! nothing on purpose, so that the worker's home loop looks at what others may have left.

use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

use lisle_core::{Cause, Woken};
use lisle_sys::clock;

use super::{LIFO_STREAK, TICKS, Worker};
use crate::mn::carrier::Carrier;
use crate::mn::late::PATIENCE;
use crate::mn::proactor::Proactor;
use crate::mn::section;
use crate::mn::task::Task;

/// A queue longer than this does not fit into the inner caches with its coroutines.
const LONG_QUEUE: u32 = 120;

/// Nanoseconds after which the poller and the timers want a look even if there is work.
const LOOK_AFTER: u64 = 200_000;

impl Worker {
    /// The coroutine to switch to from one that suspends; none sends it home.
    ///
    /// # Safety
    /// Called on this worker's thread.
    #[inline]
    pub(crate) unsafe fn next_local(&self) -> Option<&'static Task> {
        let own = &self.own;
        let ticks = self.ticks.load(Ordering::Relaxed) + 1;
        self.ticks.store(ticks, Ordering::Relaxed);
        if ticks >= own.look_at.get() {
            return None;
        }
        // SAFETY: the caller's obligation.
        unsafe { self.next_queued() }
    }

    /// Whether the home loop is to have a turn, although nothing is queued here.
    pub(crate) fn wants_look(&self) -> bool {
        self.is_look_due()
            || !self.shared.injector.is_empty()
            || !self.shared.late.is_empty()
            || self.proactor().is_some_and(Proactor::has_answers)
    }

    fn is_look_due(&self) -> bool {
        self.ticks.load(Ordering::Relaxed) >= self.own.look_at.get()
    }

    /// # Safety
    /// Called on this worker's thread.
    #[inline]
    pub(super) unsafe fn next_queued(&self) -> Option<&'static Task> {
        let own = &self.own;
        if !self.lifo.load(Ordering::Relaxed).is_null() {
            let streak = own.streak.get();
            if streak < LIFO_STREAK || self.ring.is_empty() {
                own.streak.set(streak + 1);
                // SAFETY: the caller's obligation; headers are never freed.
                if let Some(task) = unsafe { self.replace_lifo(ptr::null_mut()).as_ref() } {
                    return Some(task);
                }
            }
        }
        own.streak.set(0);
        // SAFETY: this thread is the ring's owner; headers are never freed.
        unsafe {
            let mut task = self.pop();
            if task.is_none() && !self.aside.is_empty() {
                self.bring_back();
                task = self.pop();
            }
            self.prefetch();
            task.map(|task| task.as_ref())
        }
    }

    /// # Safety
    /// Called on this worker's thread.
    #[inline]
    unsafe fn pop(&self) -> Option<NonNull<Task>> {
        // SAFETY: this thread is the ring's owner; nobody steals while the door is shut.
        unsafe {
            if self.alone
                && let Some(popped) = self.solo.alone(|| self.ring.pop_unshared())
            {
                return popped;
            }
            self.ring.pop()
        }
    }

    /// Fetches what those next in a long queue will want: with many coroutines, none of it is in
    /// the caches.
    ///
    /// # Safety
    /// Called on this worker's thread.
    #[inline]
    unsafe fn prefetch(&self) {
        // SAFETY: this thread is the ring's owner; headers are never freed.
        unsafe {
            if self.ring.peek(LONG_QUEUE).is_some()
                && let (Some(next), Some(later)) = (self.ring.peek(1), self.ring.peek(4))
            {
                next.as_ref().prefetch_stack();
                Task::prefetch_header(later);
            }
        }
    }

    pub(super) fn take_lifo(&self) -> Option<&'static Task> {
        let task = NonNull::new(self.lifo.swap(ptr::null_mut(), Ordering::AcqRel))?;
        // SAFETY: headers are never freed.
        Some(unsafe { task.as_ref() })
    }

    /// The home loop: runs coroutines for as long as the process lasts.
    ///
    /// # Safety
    /// Called on the worker's own thread, whose carrier is `carrier`.
    pub(crate) unsafe fn run(&'static self, carrier: &Carrier) -> ! {
        self.carrier.store(ptr::from_ref(carrier).cast_mut(), Ordering::Release);
        // A substitute is activated as one that searches, perhaps before its thread comes here.
        let mut searching = self.is_substitute();
        if searching {
            // SAFETY: at home.
            unsafe { self.rest() };
        }
        loop {
            // SAFETY: this is the worker's thread, at home; what is found is ours.
            unsafe {
                let task = if std::mem::take(&mut searching) {
                    self.search_or_sleep(true)
                } else {
                    self.find()
                };
                carrier.run(task);
            }
        }
    }

    /// The next coroutine to run, however long it takes.
    ///
    /// # Safety
    /// Called at home.
    unsafe fn find(&'static self) -> &'static Task {
        // SAFETY: at home, so on this worker's thread, in all calls below.
        unsafe {
            if self.is_surplus() && self.retire(false) {
                return self.search_or_sleep(true);
            }
            if self.is_look_due()
                && let Some(task) = self.look()
            {
                return task;
            }
            self.take_answers();
            if let Some(task) = self.next_queued() {
                return task;
            }
            if let Some(task) = self.take_injected() {
                return task;
            }
            self.fire_alarms(clock::now());
            if let Some(task) = self.next_queued().or_else(|| self.shared.take_late()) {
                return task;
            }
            self.search_or_sleep(self.shared.idle.start_search())
        }
    }

    /// Looks at what others may have left: the injector, timers and, if that was not done for a
    /// while, the poller. Returns a coroutine from the injector, or one that was preempted if it is
    /// the turn of those.
    ///
    /// The injector comes first: it holds what overflowed from the ring, which the poller would
    /// otherwise fill again and again.
    ///
    /// # Safety
    /// Called at home.
    unsafe fn look(&self) -> Option<&'static Task> {
        let own = &self.own;
        let now = clock::now();
        let elapsed = now.saturating_sub(own.last_look.get());
        own.last_look.set(now);
        // Long-running coroutines make looks rare: halve the distance until it is right.
        let interval = own.interval.get();
        own.interval.set(if elapsed > LOOK_AFTER {
            // Never 1: between two looks, which prefer the injector, the ring gets a turn.
            (interval / 2).max(2)
        } else {
            (interval * 2).min(TICKS)
        });
        let ticks = self.ticks.load(Ordering::Relaxed);
        own.look_at.set(ticks + u64::from(own.interval.get()));
        self.shut_the_door();
        // SAFETY: the caller's obligation.
        unsafe {
            // Also while the ring never gets empty.
            self.bring_back();
            let late = now.saturating_sub(own.last_late.get()) > PATIENCE;
            let late = late.then(|| self.shared.take_late()).flatten();
            let injected = late.or_else(|| self.take_injected());
            self.fire_alarms(now);
            if let Some(proactor) = self.proactor() {
                if proactor.wants_enter() {
                    proactor.submit();
                }
                self.take_answers();
            } else if self.shared.poller.stale_since(now, LOOK_AFTER) {
                self.poll(Some(std::time::Duration::ZERO));
            }
            injected
        }
    }

    /// Wakes the coroutines whose alarms are due.
    ///
    /// # Safety
    /// Called at home.
    pub(super) unsafe fn fire_alarms(&self, now: u64) {
        while let Some(alarm) = self.due(now) {
            // SAFETY: the caller's obligation.
            unsafe { self.fire(alarm) };
        }
    }

    /// # Safety
    /// Called at home.
    unsafe fn fire(&self, alarm: super::Alarm) {
        if alarm.task.wait.wake(alarm.ticket, Cause::TIMEOUT) == Woken::Owner {
            // It asked for this moment: the first of those that are due does not wait for what the
            // ring is full of.
            // SAFETY: the winner of the wait owns the coroutine.
            unsafe { self.ready_soon(alarm.task) };
        }
    }

    /// Takes a batch from the injector: one to run, the rest for the ring.
    ///
    /// # Safety
    /// Called at home.
    pub(super) unsafe fn take_injected(&self) -> Option<&'static Task> {
        let len = self.shared.injector.len();
        if len == 0 {
            return None;
        }
        let share = (len / self.shared.substitutes.regular + 1).min(lisle_core::CAPACITY / 2);
        // Where coroutines run for long the ring is kept short: who is woken goes behind them.
        let share = share.min(2 * self.own.interval.get() as usize);
        // SAFETY: this thread is the ring's owner; headers are never freed.
        unsafe {
            let task = section::within(|| self.shared.injector.pop_into(share, &self.ring));
            task.map(|task| task.as_ref())
        }
    }

    /// Takes work from another worker, starting anywhere.
    ///
    /// # Safety
    /// Called at home, with an empty ring.
    pub(super) unsafe fn steal(&self) -> Option<&'static Task> {
        let workers = self.shared.workers();
        let start = self.random() as usize % workers.len();
        for offset in 0..workers.len() {
            let victim = &workers[(start + offset) % workers.len()];
            if victim.index == self.index {
                continue;
            }
            // SAFETY: this thread owns the ring that is filled.
            if let Some((task, _)) = unsafe { victim.ring.steal_into(&self.ring) } {
                // SAFETY: headers are never freed.
                return Some(unsafe { task.as_ref() });
            }
        }
        // What was woken last is about to run where its data is warm, so it is taken last.
        for victim in workers.iter().filter(|v| v.index != self.index) {
            if !victim.lifo.load(Ordering::Relaxed).is_null()
                && let Some(task) = victim.take_lifo()
            {
                return Some(task);
            }
        }
        None
    }

    /// Alarms of workers that are busy with something else, if due.
    ///
    /// # Safety
    /// Called at home.
    pub(super) unsafe fn fire_alarms_of_others(&self, now: u64) {
        for other in self.shared.workers().iter().filter(|w| w.index != self.index) {
            while let Some(alarm) = other.due(now) {
                // SAFETY: the caller's obligation.
                unsafe { self.fire(alarm) };
            }
        }
    }

    /// Xorshift: good enough to spread thieves.
    fn random(&self) -> u64 {
        let mut x = self.own.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.own.random.set(x);
        x
    }
}
