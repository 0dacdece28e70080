//! Warnings, if they are asked for: who keeps a worker from others.
//!
//! The monitor sees it, and tells by itself: in a program that hangs nobody else would. It is told
//! once for each stretch that a coroutine keeps its worker, and at most once a second in all; the
//! metrics count each. What follows is where the coroutine is (`trace`).

use std::sync::atomic::{AtomicU64, Ordering};

use super::line::Line;
use super::task::Task;

/// Nanoseconds between two that are told.
const BETWEEN: u64 = 1_000_000_000;

/// See the module.
pub(crate) struct Warnings {
    /// Nanoseconds from which on it is long; `u64::MAX` if nobody wants to know.
    pub(crate) after: u64,
    held: AtomicU64,
    blocked: AtomicU64,
    /// When one was told. The monitor's alone.
    told: AtomicU64,
}

impl Warnings {
    pub(crate) fn new(after: Option<u64>) -> Self {
        let zero = || AtomicU64::new(0);
        let after = after.unwrap_or(u64::MAX);
        Warnings { after, held: zero(), blocked: zero(), told: zero() }
    }

    /// How many there were: of coroutines that held their worker, of carriers that were blocked.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.held.load(Ordering::Relaxed), self.blocked.load(Ordering::Relaxed))
    }

    /// `task` has kept its worker for so many nanoseconds, in the kernel if it `is_stuck`. Called
    /// by the monitor. Returns whether it was told.
    pub(crate) fn add(&self, task: &Task, nanos: u64, is_stuck: bool, now: u64) -> bool {
        let count = if is_stuck { &self.blocked } else { &self.held };
        count.fetch_add(1, Ordering::Relaxed);
        let told = self.told.load(Ordering::Relaxed);
        if told != 0 && now - told < BETWEEN {
            return false;
        }
        self.told.store(now, Ordering::Relaxed);
        let id = task.id();
        let mut line = Line::default();
        line.add("lisle: coroutine '");
        task.label.with(|name| _ = line.add(name.unwrap_or("<unnamed>")));
        line.add("' (id ").number(id);
        if is_stuck {
            line.add(") has blocked its carrier for ").number(nanos / 1_000_000);
            line.add(" ms in a call that is not hooked, or a page fault\n");
        } else {
            line.add(") has held its worker for ").number(nanos / 1_000_000);
            line.add(" ms without suspending\n");
        }
        // It has ended since: what was read may be of another.
        let lives = id != 0 && task.id() == id;
        if lives {
            line.write_if_room();
        }
        lives
    }
}
