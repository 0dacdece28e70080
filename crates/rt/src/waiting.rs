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
//!
//! A wait ends when its caller is to stop ([`crate::stopped`]). That is asked after the wait was
//! armed; whoever cancels sets a flag and then ends the wait that is armed: one of the two sees the
//! other. What was woken before it was stopped counts as woken.

use std::cell::Cell;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering, fence};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use lisle_core::{Cause, Linked, List, Ticket, WaitWord, Woken};

use crate::extent;
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
    /// Begins a wait of the calling coroutine or OS thread. Not under a [`ShortLock`]: a thread's
    /// first wait allocates.
    #[inline]
    pub fn begin() -> Self {
        Self::begin_suspension().unwrap_or_else(|| {
            let seat = Seat::own();
            Waiting(Kind::Thread(seat, seat.word.arm()))
        })
    }

    /// Begins a wait of the calling coroutine; none where it cannot be suspended. Allowed under a
    /// [`ShortLock`], which is to be given back before anything else.
    #[inline]
    pub fn begin_suspension() -> Option<Self> {
        Suspension::begin().map(|suspension| Waiting(Kind::Coroutine(suspension)))
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

    /// Waits until the waker is used, at most until the deadline, or until the caller is to stop,
    /// which may be before it has waited.
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
pub(crate) struct Seat {
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
    /// The seat, or null, for those who have the place of this word. Without a destructor, so that
    /// it is there for as long as the thread.
    static SEATED: AtomicPtr<Seat> = const { AtomicPtr::new(ptr::null_mut()) };
}

/// Where a thread notes its seat, for others who would end its waits.
#[derive(Clone, Copy)]
pub(crate) struct Seated(*const AtomicPtr<Seat>);

impl Seated {
    /// That of the caller.
    pub(crate) fn own() -> Self {
        Seated(SEATED.with(ptr::from_ref))
    }

    /// The seat, if it has one. Whoever has set a flag that the thread looks at before it waits
    /// has made a barrier since.
    ///
    /// # Safety
    /// The thread has not ended.
    pub(crate) unsafe fn seat(self) -> Option<&'static Seat> {
        // SAFETY: the caller's obligation; seats are never freed.
        unsafe { (*self.0).load(Ordering::Relaxed).as_ref() }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(seat) = self.0.take() {
            SEATED.with(|place| place.store(ptr::null_mut(), Ordering::Relaxed));
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
        SEATED.with(|place| place.store(ptr::from_ref(seat).cast_mut(), Ordering::Relaxed));
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
        if extent::is_stoppable() {
            // Between arming and looking whether to stop; see the module.
            fence(Ordering::SeqCst);
        }
        while !self.word.is_woken() {
            if let Some(stop) = extent::stopped() {
                return self.give_up(Ended::Stopped(stop));
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return self.give_up(Ended::TimedOut),
                left => park(left),
            }
        }
        self.over(self.word.finish())
    }

    /// Ends the wait, unless it was ended just now.
    fn give_up(&self, ended: Ended) -> Ended {
        self.word.disarm().map_or_else(|cause| self.over(cause), |()| ended)
    }

    fn over(&self, cause: Cause) -> Ended {
        match cause {
            Cause::CANCEL => extent::stopped().map_or(Ended::Interrupted, Ended::Stopped),
            _ => Ended::Woken,
        }
    }

    fn wake(&self, ticket: Ticket) -> bool {
        self.end(ticket, Cause::WAKE)
    }

    /// Has the thread look whether it is to stop, if it waits.
    pub(crate) fn interrupt(&self) {
        self.end(self.word.ticket(), Cause::CANCEL);
    }

    fn end(&self, ticket: Ticket, cause: Cause) -> bool {
        let ended = self.word.wake(ticket, cause) != Woken::Lost;
        if ended {
            let thread = self.thread.lock().clone();
            if let Some(thread) = thread {
                thread.unpark();
            }
        }
        ended
    }
}

/// Parks the OS thread for so long, at most until the deadline of what it is under.
fn park(time: Option<Duration>) {
    match time.into_iter().chain(extent::left()).min() {
        Some(time) => thread::park_timeout(time),
        None => thread::park(),
    }
}

/// As [`thread::park`], for at most so long, on an OS thread; and until it is to stop.
pub fn park_thread(time: Option<Duration>) {
    let seat = Seat::own();
    seat.word.arm();
    fence(Ordering::SeqCst);
    if extent::stopped().is_none() {
        park(time);
    }
    // Whether it was interrupted does not matter: it returns in any case.
    let _ = seat.word.disarm();
}
