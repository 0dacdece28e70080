//! The right of a queue's owner to pop without an atomic exchange, while nobody steals.
//!
//! An atomic exchange costs a fifth of a switch, and a runtime with one worker has no thieves. It
//! may get some later: if that worker is stuck in the kernel, others take what waits behind it,
//! and it may come back at any moment. So it must be able to see, at each pop, that there are
//! thieves now, and they must be able to see that it is not in the middle of a pop that began
//! before.
//!
//! ```text
//!   owner, each pop                         whoever lets thieves in
//!   1  inside = true                        1  open = true
//!   2  (nothing; the barrier stands here)   2  barrier on all processors
//!   3  open? inside = false, exchange       3  inside? not yet: later
//!      else: pop plainly, inside = false       else: thieves may steal
//! ```
//!
//! As in Dekker's algorithm one of the two sees the other: the barrier falls before the owner's
//! first step, then the third sees `open`, or after it, then `inside` is seen. The owner pays two
//! plain stores and a load.
//!
//! Who lets thieves in first counts itself somewhere (`wanted`). The owner shuts the door again
//! when nobody is counted: by a swap, and then looks at the count once more. If its swap came after
//! the other's store it read that, so the look sees the count, and it opens the door again, not
//! having popped meanwhile. If it came before, the door stays open.
//!
//! What is told of pops holds for all that the owner does where thieves take, as exchanging what is
//! in a slot.
//!
//! Rejected: a fence at each pop (costs what the exchange does), proving from outside that the
//! owner is in the kernel (it may come back while the proof is being made).

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::primitive::{AtomicBool, barrier_stands_here};

/// See the module.
///
/// # Memory order
///
/// `inside` goes down with Release and is read with Acquire: thieves see the head that the owner's
/// last plain pop left. All changes of `open` are swaps, AcqRel, each of which reads the one
/// before: that orders the count that is read after it. The order between the owner's two accesses
/// is the barrier's.
pub struct Solo {
    /// | value | meaning | set by |
    /// |---|---|---|
    /// | `false` | nobody steals | the owner |
    /// | `true` | somebody may | whoever lets thieves in; the owner, if it was too quick |
    open: AtomicBool,
    /// | value | meaning | set by |
    /// |---|---|---|
    /// | `false` | no plain pop is under way | the owner |
    /// | `true` | one is, or is about to look whether it may | the owner |
    inside: AtomicBool,
}

impl Solo {
    /// The door is `open` or shut. It has to be open where there are no barriers.
    pub fn new(open: bool) -> Self {
        Solo { open: AtomicBool::new(open), inside: AtomicBool::new(false) }
    }

    /// Runs `pop` if nobody steals meanwhile. Called by the owner; `pop` does not come back here.
    #[inline]
    pub fn alone<R>(&self, pop: impl FnOnce() -> R) -> Option<R> {
        self.inside.store(true, Relaxed);
        barrier_stands_here();
        let result = if self.open.load(Relaxed) { None } else { Some(pop()) };
        self.inside.store(false, Release);
        result
    }

    /// Whether thieves may steal, as of a moment ago.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }

    /// Lets thieves in; `barrier` is a full one on all processors. False if the owner is popping at
    /// this moment: then they must not steal yet, and this is to be called again.
    #[must_use]
    pub fn open(&self, barrier: impl FnOnce()) -> bool {
        self.open.swap(true, AcqRel);
        barrier();
        !self.inside.load(Acquire)
    }

    /// Shuts the door, unless thieves are `wanted`. Called by the owner.
    pub fn shut(&self, wanted: impl Fn() -> bool) {
        if self.is_open() && !wanted() {
            self.open.swap(false, AcqRel);
            if wanted() {
                self.open.swap(true, AcqRel);
            }
        }
    }
}
