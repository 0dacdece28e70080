//! Which signals the runtime's threads block while they run no coroutine.
//!
//! The kernel gives a signal for the process to any of its threads that does not block it. A thread
//! without a coroutine stands for all those that are suspended: one that waits on a thread takes
//! signals too. But a signal that the program blocks everywhere, to take it by `sigwait`, must find
//! no thread of ours that does not. So idle carriers block what the *main thread* of the program
//! does, the one that started the runtime, or the coroutine that is its main function under
//! `#[lisle::main]`, whose changes they follow. The monitor blocks all signals.
//!
//! A change by the main coroutine is told to those that sleep, and waited for: a signal sent after
//! it must not strike them. Each sleeper notes the mask it sleeps with:
//!
//! ```text
//!   sleeper   note := base; base still the same? else again; set the mask; sleep;
//!             base changed? set the mask; note := none
//!   changer   base := new; for each sleeper whose note is another mask: wake it, until it is not
//! ```
//!
//! Both fence between their write and their read (SeqCst), so one of the two sees the other's.

use std::sync::atomic::{AtomicU64, Ordering};

use lisle_sys::signal;

use super::carrier::Carrier;
use super::mask::{UNEQUAL, blockable};
use super::shared::Shared;

/// What all share of it.
pub(crate) struct Rests {
    /// What idle carriers block.
    base: AtomicU64,
    /// Identity of the main coroutine, or 0.
    main: AtomicU64,
}

/// With which mask a carrier sleeps.
///
/// | word | meaning | set by |
/// |---|---|---|
/// | 0 | it does not | the carrier |
/// | a set and `UNEQUAL` | it blocks that set, or is about to | the carrier |
pub(crate) struct Note(AtomicU64);

impl Note {
    pub(crate) const fn new() -> Self {
        Note(AtomicU64::new(0))
    }

    fn is_outdated(&self, base: u64) -> bool {
        let note = self.0.load(Ordering::SeqCst);
        note != 0 && note != base | UNEQUAL
    }
}

impl Rests {
    /// Called on the thread that starts the runtime.
    pub(crate) fn new() -> Self {
        Rests { base: AtomicU64::new(blockable(signal::mask())), main: AtomicU64::new(0) }
    }

    /// Runs `sleep` with the mask of idle carriers. Called at home.
    pub(crate) fn during<R>(&self, carrier: &Carrier, note: &Note, sleep: impl FnOnce() -> R) -> R {
        let mut base = self.base.load(Ordering::SeqCst);
        loop {
            note.0.store(base | UNEQUAL, Ordering::SeqCst);
            match self.base.load(Ordering::SeqCst) {
                same if same == base => break,
                other => base = other,
            }
        }
        carrier.rest(base);
        let result = sleep();
        carrier.rest(self.base.load(Ordering::SeqCst));
        note.0.store(0, Ordering::SeqCst);
        result
    }

    /// Makes the coroutine with this identity the main one.
    pub(crate) fn set_main(&self, id: u64) {
        self.main.store(id, Ordering::Relaxed);
    }

    /// To be called when a coroutine has changed what it blocks.
    pub(crate) fn follow(&self, shared: &Shared, id: u64, set: u64) {
        let base = blockable(set);
        if self.main.load(Ordering::Relaxed) != id
            || self.base.swap(base, Ordering::SeqCst) == base
        {
            return;
        }
        for worker in shared.workers() {
            while worker.note.is_outdated(base) {
                worker.unpark();
                lisle_sys::thread::yield_now();
            }
        }
        shared.spares.rouse(|note| note.is_outdated(base));
    }
}
