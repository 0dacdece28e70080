//! Waiting for descriptors: the coroutine's side of the poller.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use lisle_core::{Cause, List};
use lisle_sys::Errno;
use lisle_sys::uring::Entry;

use super::cancel;
use super::current;
use super::directed::INTERRUPT;
use super::poller::{Slot, Waiter};
use super::request::{self, Performed, Polled};
use super::shared::{Shared, shared, started};
use super::task::Task;
use super::wait::{self, Wait};

pub use super::poller::{Direction, Ended, Moved};

/// The slot of `fd`, made on first use; none for numbers beyond the table, or before the start.
#[inline]
fn slot_of(fd: i32) -> Option<&'static Slot> {
    started()?.poller.slot(fd)
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
        let Interest { descriptor, direction, ticks, events } = self;
        write!(f, "{descriptor:?} {direction:?} after {ticks}, {events:#x}")
    }
}

impl Descriptor {
    /// The descriptor `fd`, open or not. None if the number is beyond what can be waited for, or
    /// while there is no runtime.
    #[inline]
    pub fn new(fd: i32) -> Option<Self> {
        Some(Descriptor { fd, slot: slot_of(fd)? })
    }

    /// A word for the caller's own knowledge of the open file; zero when it is closed.
    #[inline]
    pub fn facts(&self) -> &AtomicU64 {
        &self.slot.facts
    }

    /// How many files the descriptor has been so far, as far as [`closing`] was told.
    #[inline]
    pub fn generation(&self) -> u32 {
        self.slot.generation()
    }

    /// The number of events seen in a direction. To be read before an attempt.
    #[inline]
    pub fn ticks(&self, direction: Direction) -> u32 {
        self.slot.ticks(direction)
    }

    /// Notes that everything readable was read by an attempt that began at `ticks`.
    pub fn drained(&self, ticks: u32) {
        self.slot.set_drained(ticks);
    }

    /// Where coroutines wait for completion: what is to be expected of the next read.
    #[inline]
    pub fn expected(&self) -> Expected {
        match self.slot.expected.load(Ordering::Relaxed) {
            0 => Expected::Data,
            1 => Expected::DataSoon,
            _ => Expected::Nothing,
        }
    }

    /// See [`expected`](Self::expected).
    #[inline]
    pub fn expect(&self, expected: Expected) {
        self.slot.expected.store(expected as u8, Ordering::Relaxed);
    }

    /// Whether nothing became readable since [`drained`](Self::drained).
    #[inline]
    pub fn is_drained(&self, ticks: u32) -> bool {
        self.slot.is_drained(ticks)
    }

    /// Suspends until an event after `ticks`, at most until the deadline.
    ///
    /// Must be called where [`can_suspend`](crate::can_suspend) says so.
    pub fn wait(&self, direction: Direction, ticks: u32, deadline: Option<u64>) -> Ended {
        let events = match direction {
            Direction::Read => libc::POLLIN,
            Direction::Write => libc::POLLOUT,
        };
        if request::available() {
            let entry = || Entry::poll(self.fd, events as u32);
            // SAFETY: a poll names no memory.
            return match unsafe { request::perform(entry, deadline) } {
                Some(Performed::TimedOut) => Ended::TimedOut,
                Some(Performed::Interrupted) => Ended::Interrupted,
                Some(Performed::Done(Err(Errno(libc::EBADF)))) => {
                    Ended::Unpollable(Errno(libc::EBADF))
                }
                Some(Performed::Done(Err(_))) => Ended::Unpollable(Errno::PERM),
                Some(Performed::Done(Ok(_))) | None => Ended::Ready,
            };
        }
        let interest = Interest { descriptor: *self, direction, ticks, events: events as u32 };
        wait_with(&[interest], &mut [Waiter::new()], deadline)
    }
}

/// What the last read of a stream lets one expect of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Expected {
    /// The last one filled its buffer, or nothing is known: there is something to read.
    Data = 0,
    /// The last one left nothing, but did not have to wait either: there will be something by the
    /// time that requests are submitted.
    DataSoon = 1,
    /// The last one left nothing, and had to wait.
    Nothing = 2,
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
    /// What `poll` is to look for, among what belongs to the direction.
    pub events: u32,
}

/// Events for a poll by io_uring that is to learn of `events`. It does not listen for urgent data
/// alone (`IO_ASYNC_POLL_COMMON` in the kernel's `io_uring/poll.c`): what announces that also
/// announces data of a priority band, which no such socket has.
fn heard(events: u32) -> u32 {
    let urgent = events & libc::POLLPRI as u32 != 0;
    if urgent { events | libc::POLLRDBAND as u32 } else { events }
}

/// Suspends until any of the descriptors has an event, at most until the deadline in nanoseconds of
/// the monotonic clock. No descriptors at all: until the deadline. More than can be waited for at
/// once: [`Ended::Unpollable`].
pub fn wait_any(interests: &mut [Interest], deadline: Option<u64>) -> Ended {
    const INLINE: usize = 8;
    if request::available() {
        if interests.len() > request::MOST {
            return Ended::Unpollable(Errno(libc::E2BIG));
        }
        let polls = interests.iter().map(|i| Entry::poll(i.descriptor.fd, heard(i.events)));
        return match request::poll_any(polls, deadline) {
            Some(Polled::TimedOut) => Ended::TimedOut,
            Some(Polled::Interrupted) => Ended::Interrupted,
            Some(Polled::Never) => Ended::Unpollable(Errno::PERM),
            Some(Polled::Ready) | None => Ended::Ready,
        };
    }
    if interests.len() <= INLINE {
        let mut nodes: [Waiter; INLINE] = std::array::from_fn(|_| Waiter::new());
        return wait_with(interests, &mut nodes[..interests.len()], deadline);
    }
    let mut nodes: Vec<Waiter> = interests.iter().map(|_| Waiter::new()).collect();
    wait_with(interests, &mut nodes, deadline)
}

fn wait_with(interests: &[Interest], nodes: &mut [Waiter], deadline: Option<u64>) -> Ended {
    let Some(here) = current::suspendable() else { return Ended::Ready };
    let poller = &shared().poller;
    let wait = Wait::arm(here);
    let nodes = nodes.as_mut_ptr();
    let mut queued = 0;
    let mut early = None;
    for (index, interest) in interests.iter().enumerate() {
        let Interest { descriptor: Descriptor { fd, slot }, direction, ticks, .. } = *interest;
        let waiters = slot.lock();
        if let Err(errno) = poller.register(fd, slot, &waiters) {
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
        None if cancel::forestalls(wait.alarm().task) => wait.disarm().err().unwrap_or(INTERRUPT),
        None => wait.suspend_stoppably(deadline),
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
        (None, INTERRUPT) => Ended::Interrupted,
        (None, _) => Ended::Ready,
    }
}

/// To be called before `fd` ceases to be what it is: closed, or replaced by `dup2`.
pub fn closing(fd: i32) {
    if let Some(shared) = started() {
        submit_all(shared);
        run(shared.poller.closing(fd));
    }
}

/// To be called after that.
pub fn closed(fd: i32) {
    if let Some(shared) = started() {
        run(shared.poller.closed(fd));
    }
}

/// Requests that were pushed are for the file that a number stands for now.
fn submit_all(shared: &Shared) {
    if shared.has_unsubmitted() {
        if current::is_on_worker() {
            shared.submit_all();
        } else {
            shared.monitor.submit_all();
        }
    }
}

fn run(mut woken: List<Task>) {
    while let Some(task) = woken.pop() {
        // SAFETY: headers are never freed.
        wait::make_ready(unsafe { task.as_ref() });
    }
}
