//! Waiting for what others do, for channels and all that is made like them: by coroutines, and by
//! OS threads too.
//!
//! ```text
//!   begin   a wait is armed                          not preempted from here on
//!   waker   given to whom it may concern             under their locks
//!   wait    suspended, until one of them wakes       or the deadline, a signal, a stop
//! ```
//!
//! A waker that comes too late does nothing, however late: it refers to memory that is never freed,
//! and names the wait that it was made for. So nobody needs to count references, and whoever wakes
//! may do so after the lock was given back under which the waker was found.
//!
//! A coroutine waits with the word in its header. An OS thread has a [`Seat`] with such a word,
//! which it takes when it first waits and leaves to others when it ends.

use std::cell::Cell;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicPtr;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use lisle_core::{Cause, Linked, List, Ticket, WaitWord, Woken};

use crate::platform::{Alarm, Suspension};
use crate::short::ShortLock;
use crate::stop::Ended;

/// A wait that has begun. Between [`begin`](Self::begin) and its end the caller must not wait for
/// anything else.
pub struct Waiting(Kind);

enum Kind {
    Coroutine(Suspension),
    Thread(&'static Seat, Ticket),
}

impl Waiting {
    /// Begins a wait of the calling coroutine or OS thread.
    #[inline]
    pub fn begin() -> Self {
        Waiting(match Suspension::begin() {
            Some(suspension) => Kind::Coroutine(suspension),
            None => {
                let seat = Seat::own();
                Kind::Thread(seat, seat.word.arm())
            }
        })
    }

    /// Who ends it.
    #[allow(unreachable_code, reason = "there are platforms without coroutines")]
    #[inline]
    pub fn waker(&self) -> Waker {
        Waker(match &self.0 {
            Kind::Coroutine(suspension) => Whom::Coroutine(suspension.alarm()),
            Kind::Thread(seat, ticket) => Whom::Thread(seat, *ticket),
        })
    }

    /// Waits until the waker is used, at most until the deadline.
    #[inline]
    pub fn wait(self, deadline: Option<Instant>) -> Ended {
        match self.0 {
            Kind::Coroutine(suspension) => suspension.suspend(deadline),
            Kind::Thread(seat, _) => seat.sleep(deadline),
        }
    }

    /// Ends it without waiting: what was waited for is there.
    #[inline]
    pub fn forgo(self) {
        match self.0 {
            Kind::Coroutine(suspension) => suspension.forgo(),
            Kind::Thread(seat, _) => drop(seat.word.disarm()),
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

/// Ends the wait that it was made for, from anywhere, once.
#[derive(Clone, Copy)]
pub struct Waker(Whom);

#[derive(Clone, Copy)]
enum Whom {
    Coroutine(Alarm),
    Thread(&'static Seat, Ticket),
}

impl Waker {
    /// Ends the wait; returns whether it was still going on. Everything done before is visible to
    /// who waited.
    #[inline]
    pub fn wake(self) -> bool {
        match self.0 {
            Whom::Coroutine(alarm) => alarm.wake(Cause::WAKE),
            Whom::Thread(seat, ticket) => seat.wake(ticket),
        }
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

/// Where an OS thread waits. Never freed.
struct Seat {
    /// Never PARKED: the thread itself notices the end of its wait.
    word: WaitWord,
    /// Whose it is; woken for nothing by who comes late, which `park` allows.
    thread: ShortLock<Option<Thread>>,
    /// Among those that are free.
    link: AtomicPtr<Seat>,
}

/// Seats of threads that have ended.
static FREE: ShortLock<List<Seat>> = ShortLock::new(List::new());

// SAFETY: the field is used by the list alone, and seats are made for sharing.
unsafe impl Linked for Seat {
    unsafe fn link(item: NonNull<Self>) -> NonNull<AtomicPtr<Self>> {
        // SAFETY: seats are never freed.
        NonNull::from(unsafe { &item.as_ref().link })
    }
}

/// The seat of a thread, which is left to others at its end.
struct Taken(Cell<Option<&'static Seat>>);

thread_local! {
    static OWN: Taken = const { Taken(Cell::new(None)) };
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(seat) = self.0.take() {
            let thread = seat.thread.lock().take();
            drop(thread);
            // SAFETY: it was this thread's alone, and is in no list.
            unsafe { FREE.lock().push(NonNull::from(seat)) };
        }
    }
}

impl Seat {
    /// That of the calling thread. One whose thread-locals are gone gets one for good.
    fn own() -> &'static Seat {
        OWN.try_with(|own| match own.0.get() {
            Some(seat) => seat,
            None => {
                let seat = Seat::take();
                own.0.set(Some(seat));
                seat
            }
        })
        .unwrap_or_else(|_| Seat::take())
    }

    fn take() -> &'static Seat {
        let thread = thread::current();
        let free = FREE.lock().pop();
        // SAFETY: seats are never freed.
        let seat = free.map_or_else(Seat::make, |seat| unsafe { seat.as_ref() });
        *seat.thread.lock() = Some(thread);
        seat
    }

    fn make() -> &'static Seat {
        Box::leak(Box::new(Seat {
            word: WaitWord::new(),
            thread: ShortLock::new(None),
            link: AtomicPtr::new(ptr::null_mut()),
        }))
    }

    fn sleep(&self, deadline: Option<Instant>) -> Ended {
        while !self.word.is_woken() {
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(Duration::ZERO) => {
                    let Err(_) = self.word.disarm() else { return Ended::TimedOut };
                    return Ended::Woken;
                }
                Some(left) => thread::park_timeout(left),
            }
        }
        self.word.finish();
        Ended::Woken
    }

    fn wake(&self, ticket: Ticket) -> bool {
        let woken = self.word.wake(ticket, Cause::WAKE) != Woken::Lost;
        if woken {
            let thread = self.thread.lock().clone();
            if let Some(thread) = thread {
                thread.unpark();
            }
        }
        woken
    }
}
