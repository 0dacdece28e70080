//! Spare carriers: OS threads for what blocks and cannot be made to suspend.
//!
//! Carriers are made when wanted, at most [`MOST`]; coroutines beyond that queue up. A carrier
//! that found nothing to do for [`IDLE`] ends.
//!
//! All decisions are taken under one lock, which is held for a few instructions; this is a slow
//! path, whose cost is waking an OS thread. What holds whenever the lock is free:
//!
//! - a carrier that counts is idle and listed, or runs a coroutine, or has one in its inbox or on
//!   the way there;
//! - if coroutines are queued, no carrier is idle, and some carrier counts, which looks into the
//!   queue before it becomes idle or ends.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use lisle_core::List;
use lisle_sys::{Errno, clock, futex};

use super::carrier::Carrier;
use super::current::Native;
use super::rest;
use super::section::SpinLock;
use super::shared::shared;
use super::task::Task;

/// Carriers at most.
const MOST: usize = 512;
/// Nanoseconds of idleness after which a carrier ends.
const IDLE: u64 = 5_000_000_000;
const STACK: usize = 256 << 10;

/// All spare carriers.
pub(crate) struct Spares {
    state: SpinLock<State>,
    /// The one made last, or null: the head of the list of all.
    newest: AtomicPtr<Spare>,
}

struct State {
    /// Those without work; room for `MOST` is reserved, so that it never allocates later.
    idle: Vec<&'static Spare>,
    /// Those that exist, and those about to.
    count: usize,
    /// Left by carriers that ended. Kept, because one who filled an inbox may still be about to
    /// wake its thread; room for `MOST` is reserved.
    unused: Vec<&'static Spare>,
    /// Coroutines that wait for a carrier.
    queue: List<Task>,
}

/// One of them, or what is left of one.
pub(crate) struct Spare {
    carrier: Carrier,
    /// What to run next.
    inbox: AtomicPtr<Task>,
    /// 0 while the inbox is empty, 1 when it was filled.
    filled: AtomicU32,
    /// The one made before it, or null. Constant once it is in that list.
    older: AtomicPtr<Spare>,
}

/// Where a coroutine that hops is to go.
pub(crate) enum Seat {
    /// A carrier that is the coroutine's alone.
    Carrier(&'static Spare),
    /// All carriers that there may be are busy.
    Queue,
}

impl Spares {
    pub(crate) fn new() -> Self {
        let (idle, unused) = (Vec::with_capacity(MOST), Vec::with_capacity(MOST));
        let state = SpinLock::new(State { idle, count: 0, unused, queue: List::new() });
        Spares { state, newest: AtomicPtr::new(ptr::null_mut()) }
    }

    /// An idle carrier, a new one, or a place in the queue. `None` if no carrier can be made and
    /// there is none.
    pub(crate) fn seat(&'static self) -> Option<Seat> {
        {
            let mut state = self.state.lock();
            if let Some(spare) = state.idle.pop() {
                return Some(Seat::Carrier(spare));
            }
            if state.count == MOST {
                return Some(Seat::Queue);
            }
            state.count += 1;
        }
        if let Some(spare) = self.start() {
            return Some(Seat::Carrier(spare));
        }
        let mut state = self.state.lock();
        state.count -= 1;
        (state.count > 0).then_some(Seat::Queue)
    }

    /// Hands `task` over. Part of a commit: the coroutine's stack has been left.
    pub(crate) fn place(&self, seat: Seat, task: &'static Task) {
        let spare = match seat {
            Seat::Carrier(spare) => spare,
            Seat::Queue => {
                let mut state = self.state.lock();
                match state.idle.pop() {
                    Some(spare) => spare,
                    None if state.count > 0 => {
                        // SAFETY: the coroutine that hops gave itself away.
                        unsafe { state.queue.push(NonNull::from(task)) };
                        return;
                    }
                    None => {
                        drop(state);
                        // The last carrier has ended meanwhile: the call blocks a worker instead.
                        // SAFETY: as above.
                        unsafe { shared().inject(task) };
                        return;
                    }
                }
            }
        };
        spare.fill(task);
    }

    /// A new carrier that waits for its inbox. It counts already.
    fn start(&'static self) -> Option<&'static Spare> {
        let _native = Native::enter();
        let unused = self.state.lock().unused.pop();
        let spare = unused.unwrap_or_else(|| self.make());
        let builder = std::thread::Builder::new().name("lisle-spare".to_owned()).stack_size(STACK);
        let made = rest::making_threads(|| builder.spawn(move || self.serve(spare)));
        if made.is_err() {
            self.state.lock().unused.push(spare);
            return None;
        }
        Some(spare)
    }

    /// Wakes carriers until none is at home with another mask than it is to have there.
    pub(crate) fn rouse(&self) {
        let outdated = |spare: &&Spare| spare.carrier.note.is_outdated();
        while let Some(spare) = self.all().find(outdated) {
            futex::wake(&spare.filled, 1);
            lisle_sys::thread::yield_now();
        }
    }

    /// All that were ever made.
    fn all(&self) -> impl Iterator<Item = &'static Spare> {
        // SAFETY: null or leaked, in both places.
        let first = unsafe { self.newest.load(Ordering::Acquire).as_ref() };
        // SAFETY: as above.
        std::iter::successors(first, |spare| unsafe {
            spare.older.load(Ordering::Relaxed).as_ref()
        })
    }

    fn make(&self) -> &'static Spare {
        let spare: &'static Spare = Box::leak(Box::new(Spare {
            carrier: Carrier::new(None),
            inbox: AtomicPtr::new(ptr::null_mut()),
            filled: AtomicU32::new(0),
            older: AtomicPtr::new(ptr::null_mut()),
        }));
        let place = ptr::from_ref(spare).cast_mut();
        let link = |newest| {
            spare.older.store(newest, Ordering::Relaxed);
            Some(place)
        };
        // Never fails: the closure always has a value. Release: who finds it finds it whole.
        let _ = self.newest.fetch_update(Ordering::Release, Ordering::Relaxed, link);
        spare
    }

    /// The life of a carrier.
    fn serve(&'static self, spare: &'static Spare) {
        // SAFETY: first of all on this thread.
        unsafe { spare.carrier.adopt_thread() };
        let mut next = spare.receive(None);
        while let Some(task) = next {
            // SAFETY: at home; whoever filled the inbox or the queue gave the task away.
            unsafe { spare.carrier.run(task) };
            if spare.carrier.is_spoilt() {
                spare.carrier.retire();
                return self.replace(spare);
            }
            next = self.next(spare);
        }
    }

    /// What an idle carrier runs next; `None` if it is to end, and does not count any more.
    fn next(&self, spare: &'static Spare) -> Option<&'static Task> {
        {
            let mut state = self.state.lock();
            if let Some(task) = state.queue.pop() {
                // SAFETY: headers are never freed.
                return Some(unsafe { task.as_ref() });
            }
            state.idle.push(spare);
        }
        if let Some(task) = spare.receive(Some(clock::now() + IDLE)) {
            return Some(task);
        }
        {
            let mut state = self.state.lock();
            let place = state.idle.iter().position(|other| ptr::eq(*other, spare));
            if let Some(place) = place {
                state.idle.swap_remove(place);
                state.count -= 1;
                // Before another thread may adopt it.
                spare.carrier.retire();
                state.unused.push(spare);
                return None;
            }
        }
        // Taken off the list at this moment, by somebody who will fill the inbox.
        spare.receive(None)
    }

    /// A carrier ends although there may be work: another takes its place if coroutines wait.
    fn replace(&'static self, spare: &'static Spare) {
        let task = {
            let mut state = self.state.lock();
            state.unused.push(spare);
            match state.queue.pop() {
                Some(task) => task,
                None => {
                    state.count -= 1;
                    return;
                }
            }
        };
        // SAFETY: headers are never freed.
        let task = unsafe { task.as_ref() };
        match self.start() {
            Some(spare) => spare.fill(task),
            None => {
                self.state.lock().count -= 1;
                self.place(Seat::Queue, task);
            }
        }
    }
}

impl Spare {
    fn fill(&self, task: &'static Task) {
        self.inbox.store(ptr::from_ref(task).cast_mut(), Ordering::Relaxed);
        self.filled.store(1, Ordering::Release);
        futex::wake(&self.filled, 1);
    }

    /// Waits for the inbox, at most until the deadline.
    fn receive(&self, deadline: Option<u64>) -> Option<&'static Task> {
        while self.filled.load(Ordering::Acquire) == 0 {
            self.carrier.stay_home();
            let ended = futex::wait(&self.filled, 0, deadline);
            self.carrier.stay_home();
            if ended == Err(Errno::TIMEDOUT) && self.filled.load(Ordering::Acquire) == 0 {
                return None;
            }
        }
        self.filled.store(0, Ordering::Relaxed);
        // SAFETY: stored before the flag; headers are never freed.
        Some(unsafe { &*self.inbox.load(Ordering::Relaxed) })
    }
}
