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

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lisle_core::{Cause, List, Woken};
use lisle_sys::Errno;
use lisle_sys::clock;
use lisle_sys::epoll::{Epoll, Event};
use lisle_sys::eventfd::EventFd;

use super::task::Task;
use super::wait::{Wait, make_ready};
use super::{current, runtime};
use slot::{Slot, Waiter, Waiters};
use table::Table;

pub use slot::{Direction, Ended, Moved};

/// Events taken from the kernel at once.
const BATCH: usize = 256;
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
    epoll: Epoll,
    interrupt: EventFd,
    table: Table,
    /// Whether some worker is, or is about to be, in the kernel's wait.
    held: AtomicBool,
    /// When the kernel was last asked.
    last: AtomicU64,
}

impl Poller {
    pub(crate) fn new() -> Result<Self, Errno> {
        let poller = Poller {
            epoll: Epoll::new()?,
            interrupt: EventFd::new()?,
            table: Table::new(),
            held: AtomicBool::new(false),
            last: AtomicU64::new(0),
        };
        // Level-triggered: it is cleared when seen.
        poller.epoll.add(poller.interrupt.fd(), libc::EPOLLIN as u32, INTERRUPT)?;
        Ok(poller)
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
        self.interrupt.signal();
    }

    /// Whether nobody polls and the kernel was last asked longer than `span` before `now`.
    pub(crate) fn stale_since(&self, now: u64, span: u64) -> bool {
        !self.held.load(Ordering::Relaxed)
            && now.saturating_sub(self.last.load(Ordering::Relaxed)) > span
    }

    /// Waits for up to `most` events until the timeout and returns the coroutines that are to run,
    /// which are the caller's. To be called by the holder.
    pub(crate) fn poll(&self, timeout: Option<Duration>, most: usize) -> List<Task> {
        let mut events = [Event { events: 0, u64: 0 }; BATCH];
        let mut ready = List::new();
        // A signal ends the wait early, which is as good as a timeout.
        let count = self.epoll.wait(&mut events[..most.min(BATCH)], timeout).unwrap_or(0);
        self.last.store(clock::now(), Ordering::Relaxed);
        for event in &events[..count] {
            if event.u64 == INTERRUPT {
                self.interrupt.clear();
                continue;
            }
            let (fd, generation) = (event.u64 as u32 as i32, (event.u64 >> 32) as u32);
            let Some(slot) = self.table.get(fd) else { continue };
            self.deliver(slot, generation, event.events, &mut ready);
        }
        ready
    }

    fn deliver(&self, slot: &Slot, generation: u32, events: u32, ready: &mut List<Task>) {
        if events & LAST_EVENTS != 0 {
            slot.never_drained();
        }
        for (direction, mask) in [(Direction::Read, READ_EVENTS), (Direction::Write, WRITE_EVENTS)]
        {
            if events & mask == 0 {
                continue;
            }
            while let Some(alarm) = slot.next_waiter(generation, direction) {
                if alarm.task.wait.wake(alarm.ticket, Cause::WAKE) == Woken::Owner {
                    // SAFETY: the winner of the wait owns the coroutine.
                    unsafe { ready.push(alarm.task.into()) };
                }
            }
        }
    }

    /// Registers the slot's descriptor if it is not. To be called with the slot locked.
    fn register(&self, fd: i32, slot: &Waiters<'_>) -> Result<(), Errno> {
        if slot.is_registered() {
            return Ok(());
        }
        let data = u64::from(fd as u32) | u64::from(slot.generation()) << 32;
        match self.epoll.add(fd, EVERYTHING, data) {
            // The same open file was registered under this number before, and lives on through a
            // duplicate.
            Err(Errno(libc::EEXIST)) => self.epoll.modify(fd, EVERYTHING, data)?,
            result => result?,
        }
        slot.set_registered();
        Ok(())
    }

    /// To be called before `fd` ceases to be what it is.
    pub(crate) fn closing(&self, fd: i32) {
        let Some(slot) = self.table.get(fd) else { return };
        let mut moved = None;
        let mut woken = List::new();
        {
            let waiters = slot.lock();
            if waiters.has_any() {
                // EMFILE: then there is nothing to wait on, and the operation fails with EBADF.
                moved = Moved::new(fd);
            }
            waiters.renew(|alarm, place| {
                place.set(moved.as_ref().map(Moved::share));
                if alarm.task.wait.wake(alarm.ticket, Cause::CLOSED) == Woken::Owner {
                    // SAFETY: the winner of the wait owns the coroutine.
                    unsafe { woken.push(alarm.task.into()) };
                }
            });
        }
        while let Some(task) = woken.pop() {
            // SAFETY: headers are never freed.
            make_ready(unsafe { task.as_ref() });
        }
    }
}

/// The slot of `fd`, made on first use; none for numbers beyond the table.
fn slot_of(fd: i32) -> Option<&'static Slot> {
    runtime::shared().poller.table.get_or_make(fd)
}

/// A descriptor that may be waited for.
#[derive(Clone, Copy)]
pub struct Descriptor {
    fd: i32,
    slot: &'static Slot,
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Descriptor").field(&self.fd).finish()
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interest { descriptor, direction, ticks } = self;
        write!(f, "{descriptor:?} {direction:?} after {ticks}")
    }
}

impl Descriptor {
    /// The descriptor `fd`, open or not. None if the number is beyond what can be waited for.
    pub fn new(fd: i32) -> Option<Self> {
        Some(Descriptor { fd, slot: slot_of(fd)? })
    }

    /// A word for the caller's own knowledge of the open file; zero when it is closed.
    pub fn facts(&self) -> &AtomicU64 {
        &self.slot.facts
    }

    /// The number of events seen in a direction. To be read before an attempt.
    pub fn ticks(&self, direction: Direction) -> u32 {
        self.slot.ticks(direction)
    }

    /// Notes that everything readable was read by an attempt that began at `ticks`.
    pub fn drained(&self, ticks: u32) {
        self.slot.set_drained(ticks);
    }

    /// Whether nothing became readable since [`drained`](Self::drained).
    pub fn is_drained(&self, ticks: u32) -> bool {
        self.slot.is_drained(ticks)
    }

    /// Suspends until an event after `ticks`, at most until the deadline.
    ///
    /// Must be called where [`can_suspend`](crate::can_suspend) says so.
    pub fn wait(&self, direction: Direction, ticks: u32, deadline: Option<u64>) -> Ended {
        wait_any(&mut [Interest { descriptor: *self, direction, ticks }], deadline)
    }
}

/// One descriptor and direction among those that a coroutine waits for.
#[derive(Clone, Copy)]
pub struct Interest {
    /// The descriptor.
    pub descriptor: Descriptor,
    /// The direction.
    pub direction: Direction,
    /// Events up to this count have been taken note of.
    pub ticks: u32,
}

/// Suspends until any of the descriptors has an event, at most until the deadline in nanoseconds
/// of the monotonic clock. No descriptors at all: until the deadline.
pub fn wait_any(interests: &mut [Interest], deadline: Option<u64>) -> Ended {
    const INLINE: usize = 8;
    if interests.len() <= INLINE {
        let mut nodes: [Waiter; INLINE] = std::array::from_fn(|_| Waiter::new());
        return wait_with(interests, &mut nodes[..interests.len()], deadline);
    }
    let mut nodes: Vec<Waiter> = interests.iter().map(|_| Waiter::new()).collect();
    wait_with(interests, &mut nodes, deadline)
}

fn wait_with(interests: &[Interest], nodes: &mut [Waiter], deadline: Option<u64>) -> Ended {
    let Some((task, worker)) = current::suspendable() else { return Ended::Ready };
    let poller = &runtime::shared().poller;
    let wait = Wait::arm(task, worker);
    let nodes = nodes.as_mut_ptr();
    let mut queued = 0;
    let mut early = None;
    for (index, interest) in interests.iter().enumerate() {
        let Interest { descriptor: Descriptor { fd, slot }, direction, ticks } = *interest;
        let waiters = slot.lock();
        if let Err(errno) = poller.register(fd, &waiters) {
            early = Some(Ended::Unpollable(errno));
            break;
        }
        if slot.ticks(direction) != ticks {
            early = Some(Ended::Ready);
            break;
        }
        // SAFETY: the array has a node for each interest, and they stay in place until all are
        // unlinked below.
        unsafe { waiters.push(direction, nodes.add(index), wait.alarm()) };
        queued += 1;
    }
    let cause = match early {
        // The cause does not matter: an event that won meanwhile is as good as the early end.
        Some(_) => wait.disarm().err().unwrap_or(Cause::NONE),
        None => wait.suspend(deadline),
    };
    let mut moved = None;
    for (index, interest) in interests[..queued].iter().enumerate() {
        // SAFETY: pushed above, so valid; unlinked under the slot's lock if still linked.
        let place =
            unsafe { interest.descriptor.slot.unlink(interest.direction, nodes.add(index)) };
        moved = moved.or(place);
    }
    match (early, cause) {
        (Some(early), _) => early,
        (None, Cause::TIMEOUT) => Ended::TimedOut,
        (None, Cause::CLOSED) => Ended::Closed(moved),
        (None, _) => Ended::Ready,
    }
}
