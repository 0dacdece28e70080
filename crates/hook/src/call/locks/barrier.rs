//! Barriers: `arrived` counts those of this round that wait, under the lock of their queue. The
//! last one to arrive sets it to 0 and wakes them, and none of them touches the barrier again, so
//! that it may be destroyed as soon as one has returned.

use std::sync::atomic::{AtomicU32, Ordering};

use libc::pthread_barrier_t;
use lisle_rt::lot::{self, Line, Parked, Waiters};

use crate::real::real;

/// A barrier. The words that `pthread_barrier_init` sets are where the C library has them;
/// `pthread_barrier_destroy` finds nobody inside in the others.
#[repr(C)]
struct Barrier {
    arrived: AtomicU32,
    round: AtomicU32,
    count: AtomicU32,
    /// 0 if it is not shared between processes.
    shared: AtomicU32,
}

impl Line for &Barrier {
    fn admit(&self, others: &mut Waiters<'_>) -> bool {
        let arrived = self.arrived.load(Ordering::Relaxed) + 1;
        let waits = arrived < self.count.load(Ordering::Relaxed);
        self.arrived.store(if waits { arrived } else { 0 }, Ordering::Relaxed);
        if !waits {
            others.wake(lot::ANY, usize::MAX);
        }
        waits
    }

    fn give_up(&self, _: &mut Waiters<'_>) {
        let arrived = self.arrived.load(Ordering::Relaxed);
        self.arrived.store(arrived.saturating_sub(1), Ordering::Relaxed);
    }
}

/// See pthread_barrier_wait(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_barrier_wait(barrier: *mut pthread_barrier_t) -> i32 {
    // SAFETY: a live barrier, by the caller's obligation; every field is an atomic.
    let this: &Barrier = unsafe { &*barrier.cast() };
    if this.shared.load(Ordering::Relaxed) != 0 {
        return lisle_rt::blocking(
            || real!(pthread_barrier_wait(barrier): fn(*mut pthread_barrier_t) -> i32),
        );
    }
    match lot::park(this.arrived.as_ptr() as usize, lot::ANY, &this) {
        Parked::Admitted => libc::PTHREAD_BARRIER_SERIAL_THREAD,
        _ => 0,
    }
}
