//! Spare carriers: OS threads for what blocks and cannot be made to suspend.
//!
//! A coroutine *hops*: it goes on on a spare carrier, with its own stack and thread-locals, where
//! blocking calls simply block; then it hops back to the workers. Its worker serves others
//! meanwhile. Nothing about the call changes but the OS thread underneath.
//!
//! Carriers are made when wanted, at most [`MOST`]; coroutines beyond that queue up. A carrier
//! that found nothing to do for [`IDLE`] ends.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use lisle_core::{Injector, SpinLock};
use lisle_sys::{clock, futex};

use super::carrier::Carrier;
use super::current::Native;
use super::task::Task;

/// Carriers at most.
const MOST: usize = 512;
/// Nanoseconds of idleness after which a carrier ends.
const IDLE: u64 = 5_000_000_000;
const STACK: usize = 256 << 10;

/// All spare carriers.
pub(crate) struct Spares {
    /// Those without work; room for `MOST` is reserved, so that it never allocates later.
    idle: SpinLock<Vec<&'static Spare>>,
    count: AtomicUsize,
    /// Coroutines that wait for a carrier.
    queue: Injector<Task>,
}

/// One of them. Owned by its thread; others refer to it only while it is in `idle`.
pub(crate) struct Spare {
    carrier: Carrier,
    /// What to run next.
    inbox: AtomicPtr<Task>,
    /// 0 while the inbox is empty, 1 when it was filled.
    filled: AtomicU32,
}

/// Where a coroutine that hops is to go.
pub(crate) enum Seat {
    Carrier(&'static Spare),
    Queue,
}

impl Spares {
    pub(crate) fn new() -> Self {
        Spares {
            idle: SpinLock::new(Vec::with_capacity(MOST)),
            count: AtomicUsize::new(0),
            queue: Injector::new(),
        }
    }

    /// An idle carrier, a new one, or a place in the queue. `None` if not even one carrier can be
    /// made.
    pub(crate) fn seat(&'static self) -> Option<Seat> {
        let idle = self.idle.lock().pop();
        if let Some(spare) = idle {
            return Some(Seat::Carrier(spare));
        }
        let others = self.count.fetch_add(1, Ordering::AcqRel);
        if others < MOST && self.start() {
            // The new carrier looks into the queue first of all.
            return Some(Seat::Queue);
        }
        let others = self.count.fetch_sub(1, Ordering::AcqRel) - 1;
        (others > 0).then_some(Seat::Queue)
    }

    fn start(&'static self) -> bool {
        let _native = Native::enter();
        std::thread::Builder::new()
            .name("lisle-spare".to_owned())
            .stack_size(STACK)
            .spawn(move || self.serve())
            .is_ok()
    }

    /// The life of a carrier.
    fn serve(&self) {
        let spare = Box::into_raw(Box::new(Spare {
            carrier: Carrier::new(None),
            inbox: AtomicPtr::new(ptr::null_mut()),
            filled: AtomicU32::new(0),
        }));
        // SAFETY: it lives until the end of this function, when it is in no list any more.
        let shared = unsafe { &*spare };
        // SAFETY: first of all on this thread.
        unsafe { shared.carrier.adopt_thread() };
        while let Some(task) = self.next(shared) {
            // SAFETY: at home; whoever filled the inbox or the queue gave the task away.
            unsafe { shared.carrier.run(task) };
            if shared.carrier.is_spoilt() {
                break;
            }
        }
        self.count.fetch_sub(1, Ordering::AcqRel);
        // SAFETY: made above, and nobody refers to it.
        drop(unsafe { Box::from_raw(spare) });
        // The last one to go looks after a coroutine that was queued at this moment.
        if !self.queue.is_empty() && self.count.fetch_add(1, Ordering::AcqRel) < MOST {
            self.serve();
        }
    }

    fn next(&self, spare: &'static Spare) -> Option<&'static Task> {
        if let Some(task) = self.queue.pop() {
            // SAFETY: headers are never freed.
            return Some(unsafe { task.as_ref() });
        }
        self.idle.lock().push(spare);
        // A coroutine queued before we were listed found nobody to give itself to.
        if !self.queue.is_empty()
            && self.unlist(spare)
            && let Some(task) = self.queue.pop()
        {
            // SAFETY: as above.
            return Some(unsafe { task.as_ref() });
        }
        let deadline = clock::now() + IDLE;
        while spare.filled.load(Ordering::Acquire) == 0 {
            let timed_out =
                futex::wait(&spare.filled, 0, Some(deadline)) == Err(lisle_sys::Errno::TIMEDOUT);
            if timed_out && self.unlist(spare) {
                return None;
            }
        }
        spare.filled.store(0, Ordering::Relaxed);
        // SAFETY: filled before the flag; headers are never freed.
        Some(unsafe { &*spare.inbox.load(Ordering::Acquire) })
    }

    /// Takes the carrier off the list. False if somebody has taken it to fill its inbox.
    fn unlist(&self, spare: &'static Spare) -> bool {
        let mut idle = self.idle.lock();
        match idle.iter().position(|other| ptr::eq(*other, spare)) {
            Some(index) => {
                idle.swap_remove(index);
                true
            }
            None => false,
        }
    }

    /// Hands `task` over. Part of a commit: the coroutine's stack has been left.
    pub(crate) fn place(&self, seat: Seat, task: &'static Task) {
        match seat {
            Seat::Carrier(spare) => spare.fill(task),
            Seat::Queue => {
                // SAFETY: the coroutine that hops gave itself away.
                unsafe { self.queue.push(ptr::NonNull::from(task)) };
                // A carrier that became idle at this moment may not have seen it.
                let idle = self.idle.lock().pop();
                if let Some(spare) = idle {
                    match self.queue.pop() {
                        // SAFETY: headers are never freed.
                        Some(task) => spare.fill(unsafe { task.as_ref() }),
                        None => self.idle.lock().push(spare),
                    }
                }
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
}
