//! Condition variables.
//!
//! Whoever waits is queued in the runtime's lot before it lets go of the mutex, so a signal given
//! after that finds it. Signals go to those who wait, oldest first, and to nobody who comes later.
//! The words are our own:
//!
//! | word | meaning | changed |
//! |---|---|---|
//! | `waiting` | how many are queued; at 0 a signal returns at once | under the queue's lock |
//! | `clock` | the clock of deadlines | by `pthread_cond_init` |
//!
//! A signaller reads `waiting` without a lock. A waiter counts itself while it has the mutex, so
//! whoever locked the mutex after it sees the count; a signaller that did not has no claim that the
//! other waits already.
//!
//! A condition that was initialised statically is all zeros, and right. One shared between
//! processes is the C library's alone.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use libc::{clockid_t, pthread_cond_t, pthread_condattr_t, pthread_mutex_t, timespec};
use lisle_rt::cancel;
use lisle_rt::lot::{self, Line, Parked, Until, Waiters};
use lisle_sys::{clock, syscall};

use super::deadline::{Deadline, until};
use super::mutex;
use crate::real::{cancellation_point, real};

/// A condition variable that is not shared between processes.
#[repr(C)]
struct Condition {
    waiting: AtomicU32,
    clock: AtomicU32,
}

impl Condition {
    /// # Safety
    /// `cond` is a condition variable that lives for `'a`, and not shared between processes.
    unsafe fn from_ptr<'a>(cond: *mut pthread_cond_t) -> &'a Self {
        // SAFETY: the caller's obligation; every field is an atomic.
        unsafe { &*cond.cast() }
    }

    fn signal(&self, count: usize) -> i32 {
        if self.waiting.load(Ordering::Relaxed) != 0 {
            lot::with_waiters(self.address(), |waiters| {
                let woken = waiters.wake(lot::ANY, count) as u32;
                let waiting = self.waiting.load(Ordering::Relaxed);
                self.waiting.store(waiting - woken, Ordering::Relaxed);
            });
        }
        0
    }

    fn address(&self) -> usize {
        self.waiting.as_ptr() as usize
    }
}

/// One that waits.
struct Waiter<'a> {
    condition: &'a Condition,
    mutex: *mut pthread_mutex_t,
    deadline: Option<Deadline>,
    /// What became of letting go of the mutex.
    released: Cell<i32>,
}

impl Line for Waiter<'_> {
    fn admit(&self, _: &mut Waiters<'_>) -> bool {
        let waiting = self.condition.waiting.load(Ordering::Relaxed);
        self.condition.waiting.store(waiting + 1, Ordering::Relaxed);
        true
    }

    fn before(&self) -> bool {
        // SAFETY: the waiter's mutex, by its obligation.
        self.released.set(unsafe { mutex::release(self.mutex) });
        self.released.get() == 0
    }

    /// Not at all if it was cancelled, maybe while it waited for something else.
    fn until(&self) -> Until {
        if cancel::is_cancelled() { Until::Past } else { until(self.deadline) }
    }

    fn sleep(&self, word: &AtomicU32, deadline: Option<u64>) {
        let deadline = deadline.map(clock::timespec);
        let deadline = deadline.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: both live.
        unsafe { sleep_cancellably(word.as_ptr(), deadline) };
    }

    /// By cancellation alone: a condition is waited for through all signals.
    fn interrupted(&self) -> bool {
        cancel::is_cancelled()
    }

    fn give_up(&self, _: &mut Waiters<'_>) {
        let waiting = self.condition.waiting.load(Ordering::Relaxed);
        self.condition.waiting.store(waiting - 1, Ordering::Relaxed);
    }

    fn pass_on(&self) {
        self.condition.signal(1);
    }
}

/// Sleeps while `word` is 0, as a point at which an OS thread may be cancelled.
///
/// Cancellation interrupts the system call and unwinds from the instruction on. The frame has
/// nothing to clean up, so it needs no table for that.
///
/// # Safety
/// The word lives, and so does the time if it is not null.
#[inline(never)]
unsafe extern "C-unwind" fn sleep_cancellably(word: *const u32, deadline: *const timespec) {
    unsafe extern "C-unwind" {
        fn pthread_setcanceltype(kind: i32, old: *mut i32) -> i32;
    }
    const PTHREAD_CANCEL_ASYNCHRONOUS: i32 = 1;
    let op = (libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG) as usize;
    let args = [word as usize, op, 0, deadline as usize, 0, u32::MAX as usize];
    let mut old = 0;
    // SAFETY: the caller's obligation. Nothing is held that asynchronous cancellation could leave
    // half done: between the two calls there is a single instruction.
    unsafe {
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &raw mut old);
        let _ = syscall(libc::SYS_futex, args);
        pthread_setcanceltype(old, ptr::null_mut());
    }
}

/// Takes the mutex back, also when the wait unwinds.
struct TakeBack<'a>(&'a Waiter<'a>);

impl TakeBack<'_> {
    fn now(self) -> i32 {
        let waiter = self.0;
        std::mem::forget(self);
        // SAFETY: the waiter's mutex, by its obligation.
        unsafe { mutex::take_back(waiter.mutex) }
    }
}

impl Drop for TakeBack<'_> {
    fn drop(&mut self) {
        if self.0.released.get() == 0 {
            // SAFETY: as above.
            unsafe { mutex::take_back(self.0.mutex) };
        }
    }
}

/// Waits. The waiter has the mutex.
///
/// # Safety
/// `mutex` is a live mutex.
unsafe fn wait(
    condition: &Condition,
    mutex: *mut pthread_mutex_t,
    deadline: Option<Deadline>,
) -> i32 {
    let released = Cell::new(-1);
    let waiter = Waiter { condition, mutex, deadline, released };
    let take_back = TakeBack(&waiter);
    let parked = lot::park(condition.address(), lot::ANY, &waiter);
    if parked == Parked::Refused {
        std::mem::forget(take_back);
        return waiter.released.get();
    }
    match (take_back.now(), parked) {
        (0, Parked::TimedOut) if !cancel::is_cancelled() => libc::ETIMEDOUT,
        (0, Parked::TimedOut | Parked::Interrupted) => {
            // With the mutex, as cleanup handlers expect it. If it does not want to be cancelled,
            // it has woken for no reason.
            cancellation_point();
            0
        }
        (result, _) => result,
    }
}

/// Whether it is shared between processes. The C library notes that in a bit, which is nowhere
/// near our words.
///
/// # Safety
/// `cond` is a live condition variable.
unsafe fn is_shared(cond: *mut pthread_cond_t) -> bool {
    let place = match SHARED_AT.load(Ordering::Relaxed) {
        0 => find_shared(),
        place => place,
    };
    // SAFETY: within the condition variable.
    place < NOWHERE
        && unsafe { &*cond.cast::<AtomicU32>().add(place) }.load(Ordering::Relaxed) & 1 != 0
}

/// Index of the 32-bit word whose lowest bit says that a condition is shared between processes.
/// 0 if nobody has asked yet, [`NOWHERE`] if the C library does it otherwise. Relaxed: a constant
/// of the process.
static SHARED_AT: AtomicUsize = AtomicUsize::new(0);
const NOWHERE: usize = size_of::<pthread_cond_t>() / 4;

/// The word moved in glibc 2.41, so we look.
#[cold]
fn find_shared() -> usize {
    let mut place = NOWHERE;
    let mut probe = [0_u32; NOWHERE];
    // SAFETY: all zeros are a value of C's types; live places of the sizes these functions want.
    let mut attr = unsafe {
        let mut attr = std::mem::zeroed::<pthread_condattr_t>();
        libc::pthread_condattr_init(&raw mut attr);
        libc::pthread_condattr_setpshared(&raw mut attr, libc::PTHREAD_PROCESS_SHARED);
        attr
    };
    real!(
        pthread_cond_init(probe.as_mut_ptr().cast(), &raw const attr):
            fn(*mut pthread_cond_t, *const pthread_condattr_t) -> i32
    );
    // SAFETY: initialised above.
    unsafe { libc::pthread_condattr_destroy(&raw mut attr) };
    // A single word, and none of ours.
    let first = probe.iter().position(|word| *word != 0).unwrap_or(0);
    let rest = probe.iter().skip(first + 1).all(|word| *word == 0);
    if first >= size_of::<Condition>() / 4 && probe[first] & 1 != 0 && rest {
        place = first;
    }
    SHARED_AT.store(place, Ordering::Relaxed);
    place
}

/// See pthread_cond_init(3).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C-unwind" fn pthread_cond_init(
    cond: *mut pthread_cond_t,
    attr: *const pthread_condattr_t,
) -> i32 {
    let (mut shared, mut clock) = (libc::PTHREAD_PROCESS_PRIVATE, libc::CLOCK_REALTIME);
    if !attr.is_null() {
        // SAFETY: live attributes, by the caller's obligation.
        unsafe {
            libc::pthread_condattr_getpshared(attr, &raw mut shared);
            libc::pthread_condattr_getclock(attr, &raw mut clock);
        }
    }
    if shared == libc::PTHREAD_PROCESS_SHARED {
        if find_shared() == NOWHERE {
            // Could not be told from others later on.
            return libc::ENOTSUP;
        }
        return real!(
            pthread_cond_init(cond, attr):
                fn(*mut pthread_cond_t, *const pthread_condattr_t) -> i32
        );
    }
    // SAFETY: the caller's place for a condition variable.
    unsafe {
        cond.write_bytes(0, 1);
        Condition::from_ptr(cond).clock.store(clock as u32, Ordering::Relaxed);
    }
    0
}

/// Does `ours`, or `theirs` if the condition is shared between processes.
///
/// # Safety
/// `cond` is a live condition variable.
unsafe fn either(
    cond: *mut pthread_cond_t,
    theirs: impl FnOnce() -> i32,
    ours: impl FnOnce(&Condition) -> i32,
) -> i32 {
    // SAFETY: the caller's obligation.
    unsafe { if is_shared(cond) { theirs() } else { ours(Condition::from_ptr(cond)) } }
}

/// Defines hooks of calls that do not wait.
macro_rules! short {
    ($($name:ident: $ours:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), "(3).")]
        #[unsafe(no_mangle)]
        pub(super) unsafe extern "C-unwind" fn $name(cond: *mut pthread_cond_t) -> i32 {
            let theirs = || real!($name(cond): fn(*mut pthread_cond_t) -> i32);
            // SAFETY: a live condition variable, by the caller's obligation.
            unsafe { either(cond, theirs, $ours) }
        }
    )*};
}

short! {
    // Those who were woken do not touch it any more.
    pthread_cond_destroy: |_| 0;
    pthread_cond_signal: |ours| ours.signal(1);
    pthread_cond_broadcast: |ours| ours.signal(usize::MAX);
}

/// Defines hooks that wait: their further arguments, what must hold of these, and the deadline.
macro_rules! waiting {
    ($($name:ident($($argument:ident: $kind:ty),*): $check:expr, $deadline:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), "(3).")]
        #[unsafe(no_mangle)]
        pub(super) unsafe extern "C-unwind" fn $name(
            cond: *mut pthread_cond_t,
            mutex: *mut pthread_mutex_t
            $(, $argument: $kind)*
        ) -> i32 {
            let theirs = || lisle_rt::blocking(|| real!(
                $name(cond, mutex $(, $argument)*):
                    fn(*mut pthread_cond_t, *mut pthread_mutex_t $(, $kind)*) -> i32
            ));
            let ours = |ours: &Condition| {
                let deadline: Option<Option<Deadline>> = $deadline(ours);
                match deadline {
                    // SAFETY: the mutex is the caller's obligation.
                    Some(deadline) if $check => unsafe { wait(ours, mutex, deadline) },
                    _ => libc::EINVAL,
                }
            };
            // SAFETY: a live condition variable, by the caller's obligation.
            unsafe { either(cond, theirs, ours) }
        }
    )*};
}

waiting! {
    pthread_cond_wait(): true, |_| Some(None);
    // SAFETY: a live timespec, by the caller's obligation.
    pthread_cond_timedwait(time: *const timespec): true, |ours: &Condition| unsafe {
        Deadline::read(ours.clock.load(Ordering::Relaxed) as clockid_t, time).map(Some)
    };
    pthread_cond_clockwait(clock: clockid_t, time: *const timespec): Deadline::knows(clock),
        // SAFETY: as above.
        |_| unsafe { Deadline::read(clock, time) }.map(Some);
}
