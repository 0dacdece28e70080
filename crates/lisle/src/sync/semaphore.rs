//! [`Semaphore`].
//!
//! ```text
//!   permits: 2      line:  [wants 3] - [wants 1] - [wants 1]
//!   one comes back: 3      [wants 3] is served, though others would have been content with 2
//! ```
//!
//! Fair: whoever comes first is served first. Who gives permits back serves those in line under the
//! lock, so that nobody comes between; and nobody takes a permit past the line. That costs a switch
//! for each permit in a semaphore for which many wait, where one that lets others barge in would
//! keep it with who runs. A semaphore is for limits on what takes long (requests, connections), and
//! there waiting for ever is worse.

use std::fmt;
use std::mem;
use std::ptr;
use std::time::{Duration, Instant};

use lisle_rt::{ShortLock, Stop};

use super::line::{Line, Outcome, stand};
use crate::waiters::Queue;

/// A number of permits, for which any number wait their turn.
///
/// ```
/// use lisle::sync::Semaphore;
///
/// static CONNECTIONS: Semaphore = Semaphore::new(2);
///
/// let all: Vec<_> = (0..10)
///     .map(|_| lisle::spawn(|| CONNECTIONS.acquire().map(|_permit| lisle::yield_now())))
///     .collect();
/// assert!(all.into_iter().all(|one| one.join().unwrap().is_ok()));
/// assert_eq!(CONNECTIONS.available(), 2);
/// ```
///
/// Fair: permits go to those who wait in the order in which they came, also where the first one
/// wants several. Everything done before a permit was given back is visible to who gets it.
pub struct Semaphore(ShortLock<State>);

struct State {
    free: usize,
    queue: Queue,
}

impl Line for State {
    fn queue(&mut self) -> &mut Queue {
        &mut self.queue
    }
}

impl State {
    /// Takes permits, unless there are too few or others wait.
    fn take(&mut self, count: usize) -> bool {
        let takes = count <= self.free && self.queue.first_slot().is_none();
        if takes {
            self.free -= count;
        }
        takes
    }
}

impl Semaphore {
    /// A semaphore with so many permits.
    pub const fn new(permits: usize) -> Self {
        Semaphore(ShortLock::new(State { free: permits, queue: Queue::new() }))
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// The caller is to stop (see [`deadline`](crate::deadline())) and there is no permit.
    pub fn acquire(&self) -> Result<Permit<'_>, Stop> {
        self.acquire_many(1)
    }

    /// Waits for several permits, which it gets together. Whoever comes later waits until it has
    /// them.
    ///
    /// If there will never be so many, the wait has no end, for those who come later neither.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    ///
    /// ```
    /// let semaphore = lisle::sync::Semaphore::new(3);
    /// let permits = semaphore.acquire_many(2)?;
    /// assert_eq!(permits.count(), 2);
    /// assert!(semaphore.try_acquire_many(2).is_none());
    /// # Ok::<(), lisle::Stop>(())
    /// ```
    pub fn acquire_many(&self, count: usize) -> Result<Permit<'_>, Stop> {
        let permit = self.acquire_until(count, None)?;
        Ok(permit.expect("it was not for a limited time"))
    }

    /// Takes a permit if there is one and nobody waits for it.
    ///
    /// ```
    /// let semaphore = lisle::sync::Semaphore::new(1);
    /// let permit = semaphore.try_acquire().unwrap();
    /// assert!(semaphore.try_acquire().is_none());
    /// drop(permit);
    /// assert!(semaphore.try_acquire().is_some());
    /// ```
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes several permits if there are so many and nobody waits for one.
    pub fn try_acquire_many(&self, count: usize) -> Option<Permit<'_>> {
        let taken = self.0.lock().take(count);
        taken.then(|| Permit { semaphore: self, count })
    }

    /// Waits for a permit for at most `timeout`; none if there was none in that time.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    ///
    /// ```
    /// use std::time::Duration;
    /// let semaphore = lisle::sync::Semaphore::new(1);
    /// let _permit = semaphore.acquire()?;
    /// assert!(semaphore.acquire_timeout(Duration::from_millis(1))?.is_none());
    /// # Ok::<(), lisle::Stop>(())
    /// ```
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Permit<'_>>, Stop> {
        // A moment beyond the clock's range never comes.
        self.acquire_until(1, Instant::now().checked_add(timeout))
    }

    fn acquire_until(
        &self,
        count: usize,
        deadline: Option<Instant>,
    ) -> Result<Option<Permit<'_>>, Stop> {
        if let Some(permit) = self.try_acquire_many(count) {
            return Ok(Some(permit));
        }
        let outcome = stand(&self.0, deadline, |state, _| match state.take(count) {
            true => Ok(()),
            false => Err(ptr::without_provenance_mut(count)),
        });
        match outcome {
            Outcome::Served => return Ok(Some(Permit { semaphore: self, count })),
            // Who stood behind may be content with what is there.
            Outcome::TimedOut | Outcome::Stopped(_) => self.serve(),
        }
        match outcome {
            Outcome::Stopped(stop) => Err(stop),
            _ => Ok(None),
        }
    }

    /// Adds permits, for good.
    ///
    /// ```
    /// let semaphore = lisle::sync::Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available(), 2);
    /// ```
    ///
    /// # Panics
    /// If there are more than `usize::MAX` then.
    pub fn add_permits(&self, count: usize) {
        let sum = {
            let mut state = self.0.lock();
            let sum = state.free.checked_add(count);
            state.free = sum.unwrap_or(state.free);
            sum
        };
        assert!(sum.is_some(), "a semaphore has at most usize::MAX permits");
        self.serve();
    }

    /// How many permits can be taken now: none while somebody waits for more than there are.
    pub fn available(&self) -> usize {
        let state = self.0.lock();
        if state.queue.first_slot().is_none() { state.free } else { 0 }
    }

    /// Serves those in line for whom there is enough, in turn.
    fn serve(&self) {
        loop {
            let mut state = self.0.lock();
            let wanted = state.queue.first_slot().map(|slot| slot.addr());
            let Some(wanted) = wanted.filter(|wanted| *wanted <= state.free) else { return };
            state.free -= wanted;
            let next = state.queue.claim(None);
            drop(state);
            // A wait in one queue is there to be claimed as long as it is in it.
            next.expect("it was the first").whom.wake();
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available()).finish()
    }
}

/// Permits of a [`Semaphore`], which are given back when it drops.
#[must_use = "the permit is given back when it drops"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl Permit<'_> {
    /// How many it is.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Keeps it for good: the semaphore has so many fewer. Who has it in mind to give it back from
    /// elsewhere does so with [`Semaphore::add_permits`].
    ///
    /// ```
    /// let semaphore = lisle::sync::Semaphore::new(2);
    /// semaphore.acquire()?.forget();
    /// assert_eq!(semaphore.available(), 1);
    /// # Ok::<(), lisle::Stop>(())
    /// ```
    pub fn forget(self) {
        mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.add_permits(self.count);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.count).finish_non_exhaustive()
    }
}
