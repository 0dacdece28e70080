//! What is known of one descriptor: events seen, coroutines that wait.

use std::cell::{Cell, UnsafeCell};
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use lisle_sys::{Errno, fd};

use crate::mn::section::RawSpin;
use crate::mn::shared::shared;
use crate::mn::worker::Alarm;

/// What a coroutine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Something to read, to accept, or an end or error.
    Read,
    /// Room to write, a connection made, or an end or error.
    Write,
}

/// How a wait for a descriptor ended.
#[derive(Debug)]
pub enum Ended {
    /// There was an event, or there may have been: try again.
    Ready,
    /// The deadline passed.
    TimedOut,
    /// A signal came; see [`signals::interrupts`](crate::signals).
    Interrupted,
    /// Such files cannot be waited for; most are always ready. The error of the registration.
    Unpollable(Errno),
    /// The descriptor was closed meanwhile. The open file goes on under another number, unless
    /// descriptors are exhausted.
    Closed(Option<Moved>),
}

/// An open file kept for those who waited for a descriptor that was closed. The last one closes
/// it. How many there are is counted in the slot of its new number, so that keeping it, which is
/// done under the lock of the old one, takes no memory.
#[derive(Debug)]
pub struct Moved {
    fd: i32,
    slot: &'static Slot,
}

impl Moved {
    /// A duplicate of `fd`; none if descriptors are exhausted.
    pub fn of(fd: i32) -> Option<Self> {
        let fd = fd::duplicate(fd).ok()?;
        let Some(slot) = shared().poller.slot(fd) else {
            fd::close(fd);
            return None;
        };
        slot.sharers.store(1, Ordering::Relaxed);
        Some(Moved { fd, slot })
    }

    pub(crate) fn share(&self) -> Self {
        // As with `Arc`: who has one passes it on by something that orders.
        self.slot.sharers.fetch_add(1, Ordering::Relaxed);
        Moved { fd: self.fd, slot: self.slot }
    }

    /// The number it goes on under.
    pub fn fd(&self) -> i32 {
        self.fd
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        if self.slot.sharers.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        // Whatever waited for it is gone, but the slot must not be taken for the next file's.
        let woken = shared().poller.closing(self.fd);
        debug_assert!(woken.is_empty(), "nobody waits for a descriptor that nobody holds");
        fd::close(self.fd);
    }
}

/// See the module. All-zero memory is a valid slot of a descriptor nobody has waited for.
#[repr(C, align(64))]
pub(crate) struct Slot {
    lock: RawSpin,
    /// Events seen, for reading and for writing. Changes under the lock, read without: a
    /// reader that sees the old value of an event that comes at this moment queues itself under
    /// the lock, where it sees the new one.
    ticks: [AtomicU32; 2],
    /// Ticks at which everything was read, plus one; 0 when unknown, `NEVER` when such knowledge
    /// is not to be had.
    drained: AtomicU32,
    /// How many files the descriptor has been so far. Changes under the lock, read without.
    generation: AtomicU32,
    /// What is to be expected of the next read, where coroutines wait for completion.
    pub(crate) expected: AtomicU8,
    /// Those who hold the file by a duplicate of this number; see [`Moved`].
    sharers: AtomicU32,
    /// The hooks' knowledge of the open file; 0 for none.
    pub(crate) facts: AtomicU64,
    state: UnsafeCell<State>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

const _: () = assert!(size_of::<Slot>() == 64, "a line of the caches");

/// Under the lock.
struct State {
    registered: bool,
    heads: [*mut Waiter; 2],
}

/// After an end or an error there are no more events, and urgent data makes reads short although
/// there is more to read.
const NEVER: u32 = u32::MAX;

// SAFETY: `state` is touched under the lock alone.
unsafe impl Sync for Slot {}

/// A coroutine in a slot's list; lies on its stack.
pub(crate) struct Waiter {
    alarm: Option<Alarm>,
    queued: bool,
    next: *mut Waiter,
    prev: *mut Waiter,
    /// Where to go on, if the descriptor was closed.
    moved: Cell<Option<Moved>>,
}

impl Waiter {
    pub(crate) fn new() -> Self {
        Waiter {
            alarm: None,
            queued: false,
            next: ptr::null_mut(),
            prev: ptr::null_mut(),
            moved: Cell::new(None),
        }
    }
}

/// What the kernel reported of a descriptor.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    /// The generation that was registered.
    pub(crate) generation: u32,
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// Whether a short read ceases to mean that everything was read.
    pub(crate) last: bool,
}

/// A locked slot.
pub(crate) struct Waiters<'a>(&'a Slot);

impl Drop for Waiters<'_> {
    fn drop(&mut self) {
        // SAFETY: locked when this was made.
        unsafe { self.0.lock.unlock() };
    }
}

impl Slot {
    pub(crate) fn lock(&self) -> Waiters<'_> {
        self.lock.lock();
        Waiters(self)
    }

    #[inline]
    pub(crate) fn ticks(&self, direction: Direction) -> u32 {
        self.ticks[direction as usize].load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn set_drained(&self, ticks: u32) {
        let old = self.drained.load(Ordering::Relaxed);
        if old != NEVER {
            // Fails if NEVER came in between, which must stay.
            let _ = self.drained.compare_exchange(
                old,
                ticks.wrapping_add(1),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }

    #[inline]
    pub(crate) fn is_drained(&self, ticks: u32) -> bool {
        let drained = self.drained.load(Ordering::Relaxed);
        drained == ticks.wrapping_add(1) && drained != NEVER && drained != 0
    }

    /// Counts an event and unlinks waiters for it, as many as there is room for. To be called again
    /// while there are more; each call counts.
    pub(crate) fn take_waiters(&self, event: Seen, alarms: &mut [Option<Alarm>]) -> usize {
        let waiters = self.lock();
        if self.generation() != event.generation {
            return 0;
        }
        if event.last {
            // Before it is counted, so that whoever sees the count sees this.
            self.drained.store(NEVER, Ordering::Relaxed);
        }
        // SAFETY: the lock is held.
        let state = unsafe { &mut *waiters.state() };
        let mut taken = 0;
        for (direction, seen) in [(Direction::Read, event.read), (Direction::Write, event.write)] {
            if !seen {
                continue;
            }
            let ticks = &self.ticks[direction as usize];
            ticks.store(ticks.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
            while taken < alarms.len() && !state.heads[direction as usize].is_null() {
                let head = state.heads[direction as usize];
                // SAFETY: queued waiters are alive; the lock is held.
                unsafe {
                    state.remove(direction, head);
                    alarms[taken] = (*head).alarm;
                }
                taken += 1;
            }
        }
        taken
    }

    /// Unlinks `waiter` if it still is in the list, and says where to go on.
    ///
    /// # Safety
    /// It was pushed to this slot for this direction.
    pub(crate) unsafe fn unlink(&self, direction: Direction, waiter: *mut Waiter) -> Option<Moved> {
        let waiters = self.lock();
        // SAFETY: the lock is held; the waiter is the caller's.
        unsafe {
            if (*waiter).queued {
                (*waiters.state()).remove(direction, waiter);
            }
            (*waiter).moved.take()
        }
    }
}

impl Waiters<'_> {
    fn state(&self) -> *mut State {
        self.0.state.get()
    }

    pub(crate) fn is_registered(&self) -> bool {
        // SAFETY: the lock is held.
        unsafe { (*self.state()).registered }
    }

    pub(crate) fn set_registered(&self) {
        // SAFETY: the lock is held.
        unsafe { (*self.state()).registered = true };
    }

    pub(crate) fn has_any(&self) -> bool {
        // SAFETY: the lock is held.
        unsafe { (*self.state()).heads.iter().any(|head| !head.is_null()) }
    }

    /// Queues a waiter.
    ///
    /// # Safety
    /// `waiter` is in no list and stays in place until [`Slot::unlink`] was called for it.
    pub(crate) unsafe fn push(&self, direction: Direction, waiter: *mut Waiter, alarm: Alarm) {
        // SAFETY: the lock is held; the head is alive since it is queued.
        unsafe {
            let head = &mut (*self.state()).heads[direction as usize];
            (*waiter).alarm = Some(alarm);
            (*waiter).next = *head;
            (*waiter).prev = ptr::null_mut();
            (*waiter).queued = true;
            if let Some(next) = head.as_mut() {
                next.prev = waiter;
            }
            *head = waiter;
        }
    }

    /// Makes the slot that of a descriptor nobody has waited for, and gives every waiter to `each`
    /// with the place to leave word of where to go on.
    pub(crate) fn renew(&self, mut each: impl FnMut(Alarm, &Cell<Option<Moved>>)) {
        self.0.generation.fetch_add(1, Ordering::Release);
        self.forget(&mut each);
    }

    /// Forgets what is known of the open file and that it is registered, and gives every waiter to
    /// `each`, to look again.
    pub(crate) fn distrust(&self, mut each: impl FnMut(Alarm)) {
        self.forget(&mut |alarm, _| each(alarm));
    }

    fn forget(&self, each: &mut dyn FnMut(Alarm, &Cell<Option<Moved>>)) {
        // SAFETY: the lock is held; queued waiters are alive.
        unsafe {
            let state = &mut *self.state();
            state.registered = false;
            for direction in [Direction::Read, Direction::Write] {
                while let Some(head) = state.heads[direction as usize].as_mut() {
                    state.remove(direction, head);
                    if let Some(alarm) = head.alarm {
                        each(alarm, &head.moved);
                    }
                }
            }
        }
        self.0.drained.store(0, Ordering::Relaxed);
        self.0.expected.store(0, Ordering::Relaxed);
        self.0.facts.store(0, Ordering::Relaxed);
    }
}

impl State {
    /// # Safety
    /// The lock is held; the waiter is in the list of that direction.
    unsafe fn remove(&mut self, direction: Direction, waiter: *mut Waiter) {
        // SAFETY: the caller's obligation; neighbours are alive since they are queued.
        unsafe {
            match (*waiter).prev.as_mut() {
                Some(prev) => prev.next = (*waiter).next,
                None => self.heads[direction as usize] = (*waiter).next,
            }
            if let Some(next) = (*waiter).next.as_mut() {
                next.prev = (*waiter).prev;
            }
            (*waiter).queued = false;
        }
    }
}
