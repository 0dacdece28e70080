//! [`WaitGroup`].
//!
//! Go's, with a guard in place of `Add` and `Done`, so that it can be neither forgotten nor done
//! twice, and a panic counts as done. Crossbeam's counts clones of the group itself; with a guard
//! the group can be kept, asked and used again.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lisle_rt::Stop;

use super::gate::Gate;

/// Waits for any number of activities to end.
///
/// For those that no [`scope`](crate::scope()) holds together: started here and there, or none of a
/// coroutine's whole function. Clones are the same group. It may be used again: activities may be
/// added at any time, also after it was waited for.
///
/// ```
/// use lisle::sync::WaitGroup;
///
/// let group = WaitGroup::new();
/// for _ in 0..10 {
///     let guard = group.add();
///     lisle::spawn(move || {
///         lisle::yield_now();
///         drop(guard);
///     });
/// }
/// group.wait()?;
/// assert_eq!(group.count(), 0);
/// # Ok::<(), lisle::Stop>(())
/// ```
#[derive(Clone)]
pub struct WaitGroup(Arc<Gate>);

impl WaitGroup {
    /// A group without activities.
    pub fn new() -> Self {
        WaitGroup(Arc::new(Gate::new(0)))
    }

    /// Adds an activity, which ends when the guard is dropped.
    pub fn add(&self) -> WaitGuard {
        // Cannot overflow: each has a guard. (Forgotten ones have to be 2^64.)
        self.0.change(|count| count + 1);
        WaitGuard(self.clone())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.reasons()
    }

    /// Waits until there are none, which is at once if there are none now.
    ///
    /// If there are new ones when the caller goes on, it goes on all the same. Everything done
    /// before the guards were dropped is visible to the caller.
    ///
    /// # Errors
    /// The caller is to stop (see [`deadline`](crate::deadline())).
    pub fn wait(&self) -> Result<(), Stop> {
        self.0.pass(None).map(drop)
    }

    /// Waits until there are none, or for at most `timeout`. Whether there were none.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    ///
    /// ```
    /// use std::time::Duration;
    /// let group = lisle::sync::WaitGroup::new();
    /// let guard = group.add();
    /// assert_eq!(group.wait_timeout(Duration::from_millis(1)), Ok(false));
    /// drop(guard);
    /// assert_eq!(group.wait_timeout(Duration::from_millis(1)), Ok(true));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, Stop> {
        // A moment beyond the clock's range never comes.
        self.0.pass(Instant::now().checked_add(timeout))
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.count()).finish()
    }
}

/// An activity of a [`WaitGroup`]; ends it when dropped.
#[must_use = "the activity ends when the guard drops"]
pub struct WaitGuard(WaitGroup);

impl Drop for WaitGuard {
    fn drop(&mut self) {
        self.0.0.change(|count| count - 1);
    }
}

impl fmt::Debug for WaitGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitGuard").field(&self.0).finish()
    }
}
