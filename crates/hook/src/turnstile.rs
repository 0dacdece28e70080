//! One at a time on spare carriers, for what one waits for by a hop and holds for long: locks that
//! only the C library can take.
//!
//! There are 512 spare carriers by default. If as many coroutines waited on them for the same lock,
//! whose holder wants one to go on, none would ever. So for each such lock one coroutine waits on a
//! spare carrier; the others wait for their turn in the lot, where there is room for all.
//!
//! | entry of [`INSIDE`] | meaning | changed |
//! |---|---|---|
//! | 0 | free | by who enters, by compare-exchange |
//! | an address | somebody is inside for it | by who leaves and has no successor: to 0 |
//!
//! Whether there is an entry for an address, and who is queued for it, changes under the lock of
//! that address's queue alone. Who leaves hands the entry to the next in line. In the child of a
//! fork nobody is inside.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use lisle_rt::lot::{self, Line, Parked, Waiters};

/// As many as there are spare carriers by default. Whoever finds all entries taken is let through
/// without one: then there are as many locks that are waited for, and this cannot help.
const MOST: usize = 512;

static INSIDE: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];

fn entry(address: usize) -> Option<&'static AtomicUsize> {
    INSIDE.iter().find(|entry| entry.load(Ordering::Relaxed) == address)
}

/// Enters for an address, or queues.
struct Enter {
    address: usize,
    claimed: Cell<bool>,
}

impl Line for Enter {
    fn admit(&self, _: &mut Waiters<'_>) -> bool {
        if entry(self.address).is_some() {
            return true;
        }
        let claim = |entry: &AtomicUsize| {
            let order = Ordering::Relaxed;
            entry.compare_exchange(0, self.address, order, order).is_ok()
        };
        self.claimed.set(INSIDE.iter().any(claim));
        false
    }

    /// Nobody does: there is no deadline.
    fn give_up(&self, _: &mut Waiters<'_>) {}
}

/// Has the entry of an address; gives it back also when the call unwinds.
struct Inside(usize);

impl Drop for Inside {
    fn drop(&mut self) {
        lot::with_waiters(queue(self.0), |waiters| {
            if waiters.wake(lot::ANY, 1) == 0
                && let Some(entry) = entry(self.0)
            {
                entry.store(0, Ordering::Relaxed);
            }
        });
    }
}

/// The lot's name for the line: nobody waits for a word that lies across two.
fn queue(address: usize) -> usize {
    address | 1
}

/// Runs `call` on a spare carrier, when nobody else does for this address. Elsewhere than on
/// coroutines that can suspend, `call`.
pub(crate) fn one_at_a_time<R>(address: usize, call: impl FnOnce() -> R) -> R {
    if !lisle_rt::can_suspend() {
        return call();
    }
    let enter = Enter { address, claimed: Cell::new(false) };
    let parked = lot::park(queue(address), lot::ANY, &enter);
    let has_entry = parked == Parked::Woken || enter.claimed.get();
    let _inside = has_entry.then_some(Inside(address));
    lisle_rt::blocking(call)
}

/// Nobody is inside, in the child of a fork.
pub(crate) fn forget_after_fork() {
    INSIDE.iter().for_each(|entry| entry.store(0, Ordering::Relaxed));
}
