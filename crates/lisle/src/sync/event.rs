//! [`Event`].

use std::fmt;
use std::time::{Duration, Instant};

use lisle_rt::Stop;

use super::gate::Gate;

/// Something that has happened or not, and that any number wait for.
///
/// Where one thread would tell others by a `bool`, a `Mutex` and a `Condvar`. Everything done
/// before [`set`](Self::set) is visible to who has waited for it.
///
/// ```
/// use lisle::sync::Event;
///
/// static READY: Event = Event::new();
/// let waiter = lisle::spawn(|| READY.wait());
/// READY.set();
/// assert_eq!(waiter.join().unwrap(), Ok(()));
/// ```
pub struct Event(Gate);

impl Event {
    /// An event that has not happened.
    pub const fn new() -> Self {
        Event(Gate::new(1))
    }

    /// It has happened: all who wait go on, and who comes later does not wait.
    pub fn set(&self) {
        self.0.change(|_| 0);
    }

    /// As if it had not happened. Those who were waiting when it did go on all the same.
    ///
    /// ```
    /// let event = lisle::sync::Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// event.reset();
    /// assert!(!event.is_set());
    /// ```
    pub fn reset(&self) {
        self.0.change(|_| 1);
    }

    /// Whether it has happened.
    pub fn is_set(&self) -> bool {
        self.0.reasons() == 0
    }

    /// Waits until it has happened.
    ///
    /// # Errors
    /// The caller is to stop (see [`deadline`](crate::deadline())), and it has not happened.
    ///
    /// ```
    /// use lisle::{CancelToken, Stop, sync::Event};
    /// let (event, token) = (Event::new(), CancelToken::new());
    /// token.cancel();
    /// assert_eq!(token.run(|| event.wait()), Err(Stop::Cancelled));
    /// ```
    pub fn wait(&self) -> Result<(), Stop> {
        self.0.pass(None).map(drop)
    }

    /// Waits until it has happened, or for at most `timeout`. Whether it has.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    ///
    /// ```
    /// use std::time::Duration;
    /// let event = lisle::sync::Event::new();
    /// assert_eq!(event.wait_timeout(Duration::from_millis(1)), Ok(false));
    /// event.set();
    /// assert_eq!(event.wait_timeout(Duration::from_millis(1)), Ok(true));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, Stop> {
        // A moment beyond the clock's range never comes.
        self.0.pass(Instant::now().checked_add(timeout))
    }
}

impl Default for Event {
    fn default() -> Self {
        Event::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("set", &self.is_set()).finish()
    }
}
