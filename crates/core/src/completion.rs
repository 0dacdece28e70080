//! A request that the kernel completes: who is to be told, and whether it has been.
//!
//! The request's record lies on the stack of the coroutine that waits for it, and the kernel writes
//! to memory of that coroutine until the request is complete. So the coroutine must not go on
//! before it is, even if its wait ends for another reason (a deadline): then it asks the kernel to
//! cancel the request, and waits again, with a ticket of its own.
//!
//! ```text
//!   coroutine                                   reaper (any thread that sees the kernel's answer)
//!   new(ticket 1), submit
//!   wait ............ deadline                  store the result
//!   is_done? no: cancel the request             complete() -> ticket 1 or 2
//!   rearm(ticket 1, ticket 2)                   wake whoever that ticket stands for
//!   false: done. true: wait again
//! ```
//!
//! # Why the coroutine neither hangs nor leaves too early
//!
//! The word is written by `complete`, once, and by `rearm`. If `rearm` comes first, `complete`
//! returns the new ticket, whose wait was armed before: the reaper ends it. If `complete` comes
//! first, `rearm` fails and the coroutine does not wait. It leaves only after it has seen DONE, and
//! after the swap to DONE the reaper does not touch the record any more: the ticket is in its hand.
//! A ticket of a wait that has ended meanwhile loses, as always.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::primitive::AtomicU64;
use crate::wait::Ticket;

/// No ticket has this number: epochs have 56 bits.
const DONE: u64 = u64::MAX;

/// The word of one request; see the module.
pub struct Completion {
    /// | value | meaning | set by |
    /// |---|---|---|
    /// | a ticket's number | under way; ends that wait | `new`, `rearm` by the coroutine |
    /// | DONE | the result is there, the kernel is done with the memory | `complete`, once |
    word: AtomicU64,
}

impl Completion {
    /// A request under way, for which the coroutine waits with `ticket`.
    #[inline]
    pub fn new(ticket: Ticket) -> Self {
        Completion { word: AtomicU64::new(ticket.number()) }
    }

    /// Declares the request complete, by the one reaper that got the kernel's answer, once. What it
    /// wrote before is seen by the coroutine (Release, read with Acquire by `is_done` and `rearm`).
    /// Returns the ticket to wake. The record may be gone when this returns.
    #[inline]
    pub fn complete(&self) -> Ticket {
        // Acquire: the ticket's wait was armed before it was written here.
        Ticket::from_number(self.word.swap(DONE, AcqRel))
    }

    /// Whether the request is complete.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.word.load(Acquire) == DONE
    }

    /// Lets the coroutine wait with the ticket `to` instead of `from`. False if the request is
    /// complete.
    pub fn rearm(&self, from: Ticket, to: Ticket) -> bool {
        self.word.compare_exchange(from.number(), to.number(), AcqRel, Acquire).is_ok()
    }

    /// The ticket that is to be woken; only the coroutine, which alone changes it, asks.
    pub fn ticket(&self) -> Option<Ticket> {
        let number = self.word.load(Relaxed);
        (number != DONE).then(|| Ticket::from_number(number))
    }
}
