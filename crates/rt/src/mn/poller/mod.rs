//! Readiness of descriptors, and the coroutines that wait for it.
//!
//! Each descriptor that a coroutine ever waited for is registered once with the process's epoll
//! instance, edge-triggered, for everything. Its [`Slot`](slot::Slot) counts the events per
//! direction (its *ticks*) and holds the waiters. An operation that would block:
//!
//! ```text
//!   1. read the direction's ticks
//!   2. try the operation without blocking                 done unless EAGAIN
//!   3. under the slot's lock: ticks changed? back to 1    an event came in between
//!      else queue a waiter
//!   4. suspend; an event increments the ticks and wakes the waiters; back to 1
//! ```
//!
//! [`Poller::poll`] *returns* the coroutines to run and knows nothing of the scheduler. One worker
//! at a time calls it, the holder.
//!
//! # A descriptor that is closed
//!
//! The hooks for `close` and its kin call [`Poller::closing`], which gives the slot a new
//! generation, so that late events of the old file are told apart, and hands coroutines that still
//! wait a duplicate to wait on: as with threads, closing does not end a wait.
//!
//! # Rejected
//!
//! 1. Registering for each wait (one-shot): a system call more for every wait.
//! 2. `O_NONBLOCK` on the user's descriptors: the flag belongs to the open file, which other
//!    processes share.

mod slot;
mod table;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lisle_core::{Cause, List, Woken};
use lisle_sys::epoll::{Epoll, Event};
use lisle_sys::eventfd::EventFd;
use lisle_sys::{Errno, clock};

use super::task::Task;
use slot::{Seen, Waiters};
use table::Table;

pub use slot::{Direction, Ended, Moved};
pub(crate) use slot::{Slot, Waiter};

/// Events taken from the kernel at once.
const BATCH: usize = 256;
/// Waiters of one descriptor that are woken at once.
const AT_ONCE: usize = 4;
/// The word that marks the eventfd: no descriptor has this number.
const INTERRUPT: u64 = u64::MAX;
/// Every kind of event, edge-triggered.
const EVERYTHING: u32 =
    (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
const READ_EVENTS: u32 =
    (libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32;
/// After these a short read does not mean that there is nothing more to read.
const LAST_EVENTS: u32 =
    (libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32;
const WRITE_EVENTS: u32 = (libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR) as u32;

/// See the module.
pub(crate) struct Poller {
    /// None where coroutines wait for completion; then there are facts in the slots, no waiters.
    source: Option<Source>,
    table: Table,
    /// Whether some worker is, or is about to be, in the kernel's wait on behalf of all.
    held: AtomicBool,
    /// When the kernel was last asked.
    last: AtomicU64,
}

/// Where events come from.
struct Source {
    epoll: Epoll,
    interrupt: EventFd,
}

impl Poller {
    pub(crate) fn new() -> Result<Self, Errno> {
        let source = Source { epoll: Epoll::new()?, interrupt: EventFd::new()? };
        // Level-triggered: it is cleared when seen.
        source.epoll.add(source.interrupt.fd(), libc::EPOLLIN as u32, INTERRUPT)?;
        Ok(Poller { source: Some(source), ..Poller::without_events() })
    }

    /// For runtimes that wait for completion: it never has an event.
    pub(crate) fn without_events() -> Self {
        Poller {
            source: None,
            table: Table::new(),
            held: AtomicBool::new(false),
            last: AtomicU64::new(0),
        }
    }

    /// The descriptors, to be closed in the child of a fork.
    pub(crate) fn descriptors(&self) -> Option<[i32; 2]> {
        self.source.as_ref().map(|source| [source.epoll.fd(), source.interrupt.fd()])
    }

    /// Claims the right to poll.
    pub(crate) fn try_hold(&self) -> bool {
        !self.held.load(Ordering::Relaxed) && !self.held.swap(true, Ordering::Acquire)
    }

    /// Gives the right to poll back.
    pub(crate) fn release(&self) {
        self.held.store(false, Ordering::Release);
    }

    /// Makes the holder's wait return.
    pub(crate) fn interrupt(&self) {
        if let Some(source) = &self.source {
            source.interrupt.signal();
        }
    }

    /// Whether nobody polls and the kernel was last asked longer than `span` before `now`.
    pub(crate) fn stale_since(&self, now: u64, span: u64) -> bool {
        self.source.is_some()
            && !self.held.load(Ordering::Relaxed)
            && now.saturating_sub(self.last.load(Ordering::Relaxed)) > span
    }

    /// Waits for up to `most` events until the timeout and returns the coroutines that are to run,
    /// which are the caller's. To be called by the holder.
    pub(crate) fn poll(&self, timeout: Option<Duration>, most: usize) -> List<Task> {
        let mut events = [Event { events: 0, u64: 0 }; BATCH];
        let mut ready = List::new();
        let Some(source) = &self.source else { return ready };
        // A signal ends the wait early, which is as good as a timeout.
        let count = source.epoll.wait(&mut events[..most.min(BATCH)], timeout).unwrap_or(0);
        self.last.store(clock::now(), Ordering::Relaxed);
        for event in &events[..count] {
            if event.u64 == INTERRUPT {
                source.interrupt.clear();
                continue;
            }
            let (fd, generation) = (event.u64 as u32 as i32, (event.u64 >> 32) as u32);
            let Some(slot) = self.table.get(fd) else { continue };
            self.deliver(slot, generation, event.events, &mut ready);
        }
        ready
    }

    fn deliver(&self, slot: &Slot, generation: u32, events: u32, ready: &mut List<Task>) {
        let event = Seen {
            generation,
            read: events & READ_EVENTS != 0,
            write: events & WRITE_EVENTS != 0,
            last: events & LAST_EVENTS != 0,
        };
        // Alarms are taken under the slot's lock and gone through without it.
        let mut alarms = [None; AT_ONCE];
        loop {
            let taken = slot.take_waiters(event, &mut alarms);
            for alarm in alarms[..taken].iter().flatten() {
                if alarm.task.wait.wake(alarm.ticket, Cause::WAKE) == Woken::Owner {
                    // SAFETY: the winner of the wait owns the coroutine.
                    unsafe { ready.push(alarm.task.into()) };
                }
            }
            if taken < AT_ONCE {
                return;
            }
        }
    }

    /// Registers the slot's descriptor if it is not. To be called with the slot locked.
    pub(crate) fn register(
        &self,
        fd: i32,
        slot: &Slot,
        waiters: &Waiters<'_>,
    ) -> Result<(), Errno> {
        if waiters.is_registered() {
            return Ok(());
        }
        let Some(Source { epoll, .. }) = &self.source else { return Err(Errno::PERM) };
        let data = u64::from(fd as u32) | u64::from(slot.generation()) << 32;
        match epoll.add(fd, EVERYTHING, data) {
            // The same open file was registered under this number before, and lives on through a
            // duplicate.
            Err(Errno(libc::EEXIST)) => epoll.modify(fd, EVERYTHING, data)?,
            result => result?,
        }
        waiters.set_registered();
        Ok(())
    }

    /// To be called before `fd` ceases to be what it is. Returns the coroutines that are to run,
    /// which are the caller's.
    #[must_use]
    pub(crate) fn closing(&self, fd: i32) -> List<Task> {
        let mut woken = List::new();
        let Some(slot) = self.table.get(fd) else { return woken };
        let mut moved = None;
        {
            let waiters = slot.lock();
            if waiters.has_any() {
                // EMFILE: then there is nothing to wait on, and the operation fails with EBADF.
                moved = Moved::of(fd);
            }
            waiters.renew(|alarm, place| {
                place.set(moved.as_ref().map(Moved::share));
                if alarm.task.wait.wake(alarm.ticket, Cause::CLOSED) == Woken::Owner {
                    // SAFETY: the winner of the wait owns the coroutine.
                    unsafe { woken.push(alarm.task.into()) };
                }
            });
        }
        woken
    }

    /// To be called after `fd` has ceased to be what it was: whoever began to wait since
    /// [`closing`](Self::closing) may have registered the old file, and is to look again. Returns
    /// the coroutines that are to run, which are the caller's.
    #[must_use]
    pub(crate) fn closed(&self, fd: i32) -> List<Task> {
        let mut woken = List::new();
        if let Some(slot) = self.table.get(fd) {
            slot.lock().distrust(|alarm| {
                if alarm.task.wait.wake(alarm.ticket, Cause::WAKE) == Woken::Owner {
                    // SAFETY: the winner of the wait owns the coroutine.
                    unsafe { woken.push(alarm.task.into()) };
                }
            });
        }
        woken
    }

    /// The slot of `fd`, made on first use; none for numbers beyond the table.
    #[inline]
    pub(crate) fn slot(&self, fd: i32) -> Option<&'static Slot> {
        self.table.get_or_make(fd)
    }
}
