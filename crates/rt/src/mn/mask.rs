//! Which signals a coroutine blocks, and which the OS thread below it does.
//!
//! A coroutine has a set of blocked signals as a thread has: its spawner's at first. The kernel
//! knows one set per OS thread. A carrier notes what its OS thread has, in a word of the same form
//! as the coroutine's, and a switch compares the two. Equal, and nothing is done; so it costs
//! programs nothing that block no signals, or the same ones everywhere. If they differ:
//!
//! ```text
//!   on the old stack     what either of the two blocks is blocked
//!   the switch           neither is interrupted by what it blocks
//!   on the new stack     the commit, then: what the new one blocks, and no more
//! ```
//!
//! | bits of the word | meaning |
//! |---|---|
//! | those of signals | blocked. Not 9 and 19, which cannot be, nor 32 and 33, which are glibc's |
//! | [`OWN_STACK`] | carrier: the alternate stack of a coroutine is installed, see `alternate` |
//! | [`LOOK`] | coroutine: a signal was sent to it, see `directed` |
//! | [`UNEQUAL`] | carrier: the next switch is to see a difference, whatever the coroutine's word |
//!
//! The blocked set is changed by the coroutine alone, `LOOK` by anybody, hence the
//! word is changed by read-modify-write. Relaxed will do for the coroutine's own bits, since words
//! move with the coroutine; `LOOK` is argued in `directed`.

use std::sync::atomic::{AtomicU64, Ordering};

use lisle_sys::signal::set_of;

/// In the place of glibc's `SIGCANCEL`.
pub(crate) const OWN_STACK: u64 = set_of(32);
/// In the place of glibc's `SIGSETXID`.
pub(crate) const LOOK: u64 = set_of(33);
/// In the place of `SIGKILL`.
pub(crate) const UNEQUAL: u64 = set_of(libc::SIGKILL);

/// Signals that nobody can block.
const NEVER: u64 = set_of(libc::SIGKILL) | set_of(libc::SIGSTOP) | set_of(32) | set_of(33);

/// All that may be blocked.
pub(crate) const ALL: u64 = !NEVER;

/// The blocked set of a word, or what of a set may be blocked.
#[inline]
pub(crate) fn blockable(word: u64) -> u64 {
    word & !NEVER
}

/// A coroutine's word.
pub(crate) struct Mask(AtomicU64);

impl Mask {
    pub(crate) const fn new() -> Self {
        Mask(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn word(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The blocked set.
    pub(crate) fn blocked(&self) -> u64 {
        blockable(self.word())
    }

    /// Begins a life with this blocked set.
    pub(crate) fn begin(&self, set: u64) {
        self.0.store(blockable(set), Ordering::Relaxed);
    }

    /// Replaces the blocked set.
    pub(crate) fn block(&self, set: u64) {
        let change = |word: u64| Some(word & NEVER | blockable(set));
        // Never fails: the closure always has a word.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::Relaxed, change);
    }

    /// Sets one of the other bits.
    pub(crate) fn set(&self, bit: u64) {
        self.0.fetch_or(bit, Ordering::SeqCst);
    }

    /// Clears one of the other bits.
    pub(crate) fn clear(&self, bit: u64) {
        self.0.fetch_and(!bit, Ordering::SeqCst);
    }
}
