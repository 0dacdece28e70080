//! Spare carriers: OS threads for what blocks and cannot be made to suspend.
//!
//! Carriers are made when wanted, up to a bound; coroutines beyond that queue up. A carrier that
//! found nothing to do for [`IDLE`] ends. They are made by a thread of the runtime's (`maker`): the
//! coroutine that wants one waits in the queue meanwhile, and takes up no worker.
//!
//! All decisions are taken under one lock, which is held for a few instructions; this is a slow
//! path, whose cost is waking an OS thread. What holds whenever the lock is free:
//!
//! - a carrier that counts is idle and listed, or runs a coroutine, or has one in its inbox or on
//!   the way there;
//! - if coroutines are queued, no carrier is idle, and some carrier counts, which looks into the
//!   queue before it becomes idle or ends;
//! - `wanted` carriers count that are still to be made.
//!
//! If none can be made and none counts, the queue goes back to the workers: those calls block
//! there.

use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use lisle_core::List;
use lisle_sys::{Errno, clock, futex, mmap};

use super::carrier::Carrier;
use super::maker;
use super::section::{self, SpinLock};
use super::shared::{Shared, shared};
use super::task::Task;

/// Nanoseconds of idleness after which a carrier ends.
const IDLE: u64 = 5_000_000_000;
const STACK: usize = 256 << 10;

/// All spare carriers.
pub(crate) struct Spares {
    state: SpinLock<State>,
    /// How many there may be at the same time.
    most: usize,
    /// Room for so many.
    records: NonNull<Spare>,
    /// How many of these were ever made. Written by the maker alone, with Release: who finds one
    /// finds it whole.
    made: AtomicUsize,
    /// How many coroutines went on here.
    hops: AtomicU64,
}

struct State {
    /// Those without work; room for all is reserved, so that it never allocates later.
    idle: Vec<&'static Spare>,
    /// Those that exist, and those about to.
    count: usize,
    /// Those that are to be made; they count.
    wanted: usize,
    /// Left by carriers that ended. Kept, because one who filled an inbox may still be about to
    /// wake its thread; room for all is reserved.
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
}

// SAFETY: the records are shared references to what is made for sharing.
unsafe impl Sync for Spares {}
// SAFETY: as above.
unsafe impl Send for Spares {}

/// Where a coroutine that hops is to go.
pub(crate) enum Seat {
    /// A carrier that is the coroutine's alone.
    Carrier(&'static Spare),
    /// None is idle.
    Queue,
}

impl Spares {
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn new(most: usize) -> Result<Self, Errno> {
        // Not touched before carriers are made.
        let records = mmap::reserve(most * size_of::<Spare>())?.cast();
        let (idle, unused) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let state = State { idle, count: 0, wanted: 0, unused, queue: List::new() };
        Ok(Spares {
            state: SpinLock::new(state),
            most,
            records,
            made: AtomicUsize::new(0),
            hops: AtomicU64::new(0),
        })
    }

    /// An idle carrier, or a place in the queue.
    pub(crate) fn seat(&'static self) -> Seat {
        self.state.lock().idle.pop().map_or(Seat::Queue, Seat::Carrier)
    }

    /// Hands `task` over. Part of a commit: the coroutine's stack has been left.
    pub(crate) fn place(&self, seat: Seat, task: &'static Task) {
        self.hops.fetch_add(1, Ordering::Relaxed);
        let spare = match seat {
            Seat::Carrier(spare) => spare,
            Seat::Queue => {
                let mut state = self.state.lock();
                match state.idle.pop() {
                    Some(spare) => spare,
                    None => {
                        // SAFETY: the coroutine that hops gave itself away.
                        unsafe { state.queue.push(NonNull::from(task)) };
                        let more = state.count < self.most;
                        if more {
                            state.count += 1;
                            state.wanted += 1;
                        }
                        drop(state);
                        if more {
                            shared().maker.ask();
                        }
                        return;
                    }
                }
            }
        };
        spare.fill(task);
    }

    /// Makes the carriers that are wanted. Called by the maker.
    pub(crate) fn make_wanted(&'static self, shared: &'static Shared) {
        loop {
            let unused = {
                let mut state = self.state.lock();
                if state.wanted == 0 {
                    return;
                }
                state.wanted -= 1;
                state.unused.pop()
            };
            let spare = unused.unwrap_or_else(|| self.record());
            if !maker::make(spare, STACK, shared.blocks.size()) {
                self.give_up(shared, spare);
            }
        }
    }

    /// No thread is to be had for this record.
    fn give_up(&self, shared: &Shared, spare: &'static Spare) {
        let mut stranded = List::new();
        {
            let mut state = self.state.lock();
            state.unused.push(spare);
            state.count -= 1;
            if state.count == 0 {
                stranded.append(&mut state.queue);
            }
        }
        section::within(|| shared.injector.push_list(&mut stranded));
        shared.notify();
    }

    /// A record for one more carrier. Called by the maker, no more often than they may be.
    fn record(&self) -> &'static Spare {
        let made = self.made.load(Ordering::Relaxed);
        assert!(made < self.most, "records are used again");
        // SAFETY: there is room, which nobody else uses and which is never given back.
        let spare = unsafe {
            let place = self.records.add(made);
            place.write(Spare {
                carrier: Carrier::new(None),
                inbox: AtomicPtr::new(ptr::null_mut()),
                filled: AtomicU32::new(0),
            });
            place.as_ref()
        };
        self.made.store(made + 1, Ordering::Release);
        spare
    }

    /// Wakes carriers until none is at home with another mask than it is to have there.
    pub(crate) fn rouse(&self) {
        let outdated = |spare: &&Spare| spare.carrier.note.is_outdated();
        while let Some(spare) = self.all().find(outdated) {
            futex::wake(&spare.filled, 1);
            lisle_sys::thread::yield_now();
        }
    }

    /// How many coroutines went on here, and how many carriers there are.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.hops.load(Ordering::Relaxed), self.state.lock().count as u64)
    }

    /// All that were ever made.
    fn all(&self) -> impl Iterator<Item = &'static Spare> {
        let made = self.made.load(Ordering::Acquire);
        // SAFETY: so many were written, for good.
        (0..made).map(|at| unsafe { self.records.add(at).as_ref() })
    }

    /// The life of a carrier.
    fn serve(&'static self, spare: &'static Spare) {
        // SAFETY: first of all on this thread.
        unsafe { spare.carrier.adopt_thread() };
        let mut next = self.next(spare);
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
    fn replace(&self, spare: &'static Spare) {
        let mut state = self.state.lock();
        state.unused.push(spare);
        if state.queue.is_empty() {
            state.count -= 1;
            return;
        }
        state.wanted += 1;
        drop(state);
        shared().maker.ask();
    }
}

impl maker::Body for Spare {
    const NAME: &'static CStr = c"lisle-spare";

    fn live(&'static self) {
        shared().spares.serve(self);
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
