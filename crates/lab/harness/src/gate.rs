//! A start line: tasks arrive, and none goes on before all have and the clock runs.
//!
//! Nobody spins here: a scheduler may be unfair to tasks that have not started yet while others
//! yield (may is), and then the start would never come. What waits is parked. How to park and wake
//! is the system's business; the gate only keeps names (`T`: a task's handle or its waker).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts down to the last arrival.
pub(crate) struct Arrivals<T> {
    owner: T,
    missing: AtomicUsize,
}

impl<T> Arrivals<T> {
    /// None of `tasks` tasks has arrived. `owner` is to be woken when all have.
    pub(crate) fn new(tasks: usize, owner: T) -> Self {
        Arrivals { owner, missing: AtomicUsize::new(tasks) }
    }

    /// A task has arrived. Returns the owner if it was the last: the caller wakes it.
    pub(crate) fn arrive(&self) -> Option<&T> {
        (self.missing.fetch_sub(1, Ordering::AcqRel) == 1).then_some(&self.owner)
    }

    /// Whether all have arrived; the owner parks until then.
    pub(crate) fn are_complete(&self) -> bool {
        self.missing.load(Ordering::Acquire) == 0
    }
}

/// Arrivals that are held back, by name.
pub(crate) struct Gate<T> {
    arrivals: Arrivals<T>,
    tasks: Box<[OnceLock<T>]>,
    open: AtomicBool,
}

impl<T> Gate<T> {
    /// A closed gate for `tasks` tasks. `owner` is to be woken when all have arrived.
    pub(crate) fn new(tasks: usize, owner: T) -> Self {
        Gate {
            arrivals: Arrivals::new(tasks, owner),
            tasks: (0..tasks).map(|_| OnceLock::new()).collect(),
            open: AtomicBool::new(false),
        }
    }

    /// Task `index` has arrived. Returns the owner if it was the last: the caller wakes it.
    pub(crate) fn arrive(&self, index: usize, name: T) -> Option<&T> {
        assert!(self.tasks[index].set(name).is_ok(), "a task arrives once");
        self.arrivals.arrive()
    }

    /// Whether all have arrived; the owner parks until then.
    pub(crate) fn is_full(&self) -> bool {
        self.arrivals.are_complete()
    }

    /// Opens the full gate. The caller wakes the tasks returned.
    pub(crate) fn open(&self) -> impl Iterator<Item = &T> {
        self.open.store(true, Ordering::Release);
        (0..self.tasks.len()).map(|index| self.task(index))
    }

    /// Whether arrived tasks may go on; they park until then.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The name of a task, once all have arrived.
    pub(crate) fn task(&self, index: usize) -> &T {
        self.tasks[index].get().expect("the gate is full")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_arrival_wakes_the_owner() {
        let gate = Gate::new(2, "owner");
        assert_eq!(gate.arrive(1, "second"), None);
        assert!(!gate.is_full());
        assert_eq!(gate.arrive(0, "first"), Some(&"owner"));
        assert!(gate.is_full() && !gate.is_open());
        assert_eq!(gate.open().collect::<Vec<_>>(), [&"first", &"second"]);
        assert!(gate.is_open());
    }
}
