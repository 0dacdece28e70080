//! Members of a group: how they are started, and what becomes of their results.
//!
//! ```text
//!   open ------------------------> decided ------------------> all have ended
//!         an error, a success,        the body and all members
//!         the first, a panic          are cancelled
//! ```
//!
//! Whoever decides it does so under the lock of the outcome, once, and cancels afterwards. Results
//! that come later are dropped where they come, before their member counts as ended: they may
//! borrow what the group's owner has.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lisle_rt::Token;

use super::{Outcome, Verdict};
use crate::family::{self, Open, ScopeData};
use crate::scope::Scope;
use crate::spawn::Builder;
use crate::sync::{Permit, Semaphore};

/// The members of a [`Group`](crate::Group), to which its body adds; any of them may, too.
///
/// ```
/// use lisle::{Group, Members};
///
/// fn add_halves<'scope>(g: &'scope Members<'scope, '_, u32>, numbers: &'scope [u32]) {
///     match numbers {
///         [] => {}
///         [number] => g.spawn(move || number * number),
///         [..] => {
///             let (left, right) = numbers.split_at(numbers.len() / 2);
///             add_halves(g, left);
///             add_halves(g, right);
///         }
///     }
/// }
/// let numbers = [1, 2, 3, 4];
/// assert_eq!(Group::new().all(|g| add_halves(g, &numbers)), [1, 4, 9, 16]);
/// ```
///
/// Members borrow what is outside of the group, not what the body has:
///
/// ```compile_fail
/// lisle::Group::new().all(|g| {
///     let number = 1;
///     g.spawn(|| &number + 1);
/// });
/// ```
pub struct Members<'scope, 'env: 'scope, R> {
    scope: Scope<'scope, 'env>,
    pub(super) common: Common<R>,
}

/// What they have in common, and their group waits for.
pub(super) struct Common<R> {
    judge: fn(&R) -> Verdict,
    /// What all members and the body are under.
    pub(super) token: Token,
    /// A child of that, for daemons.
    daemons: Token,
    limit: Option<Semaphore>,
    /// | value | meaning | set by |
    /// |---|---|---|
    /// | false | members are started | |
    /// | true | the outcome is known; cancelled, or about to be | `decide`, under the lock |
    ///
    /// Relaxed: who sees it late starts a member that is cancelled at once.
    decided: AtomicBool,
    /// The number of the next member.
    next: AtomicUsize,
    /// Members that have not ended, daemons left out. Release on the decrement and Acquire on the
    /// owner's load: what they did is visible to it.
    running: AtomicUsize,
    outcome: Mutex<Outcome<R>>,
}

/// More than any group has members, and far from where a semaphore overflows.
const ROOM_FOR_ALL: usize = usize::MAX / 4;

/// A cause for a cancellation.
fn because(text: &'static str) -> Option<lisle_rt::Reason> {
    Some(Arc::from(Box::<dyn Error + Send + Sync>::from(text)))
}

impl<R> Common<R> {
    pub(super) fn new(limit: Option<usize>, judge: fn(&R) -> Verdict, token: Token) -> Self {
        Common {
            judge,
            daemons: token.child(),
            token,
            limit: limit.map(|limit| Semaphore::new(limit.min(ROOM_FOR_ALL))),
            decided: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            outcome: Mutex::default(),
        }
    }

    /// Waits until all members but daemons have ended, and cancels those, by the owner of the
    /// scope.
    pub(super) fn wait_for_members(&self, scope: &ScopeData) {
        scope.wait_until(|| self.running.load(Ordering::Acquire) == 0);
        self.daemons.cancel(because("the other members have ended"));
    }

    /// What it came to, when all have ended.
    pub(super) fn take_outcome(&self) -> Outcome<R> {
        mem::take(&mut *self.outcome())
    }

    pub(super) fn body_panicked(&self) {
        self.decide("who started the members has panicked", |_| ());
    }

    fn is_decided(&self) -> bool {
        self.decided.load(Ordering::Relaxed)
    }

    /// Nothing panics with the lock held.
    fn outcome(&self) -> MutexGuard<'_, Outcome<R>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outcome is known. `note` puts it down.
    fn decide(&self, why: &'static str, note: impl FnOnce(&mut Outcome<R>)) {
        let first = {
            let mut outcome = self.outcome();
            note(&mut outcome);
            !self.decided.swap(true, Ordering::Relaxed)
        };
        if first {
            self.token.cancel(because(why));
            // Those who wait to start a member find out.
            self.limit.iter().for_each(|limit| limit.add_permits(ROOM_FOR_ALL));
        }
    }

    /// A turn within the limit, whatever the caller is to stop for: others will end.
    fn turn(&self) -> Option<Permit<'_>> {
        let limit = self.limit.as_ref()?;
        lisle_rt::masked(|| limit.acquire()).ok()
    }

    fn returned(&self, number: usize, result: R) {
        let verdict = (self.judge)(&result);
        if matches!(verdict, Verdict::Dropped) {
            return;
        }
        // What is left over is dropped without the lock.
        let mut left = Some(result);
        if matches!(verdict, Verdict::Decisive) {
            self.decide("the outcome of the group is known", |outcome| {
                if !self.is_decided() {
                    outcome.decisive = left.take();
                }
            });
        } else {
            let mut outcome = self.outcome();
            if !self.is_decided() {
                outcome.kept.extend(left.take().map(|result| (number, result)));
            }
        }
    }

    fn panicked(&self, payload: Box<dyn Any + Send>) {
        // One that comes later is dropped without the lock.
        let mut payload = Some(payload);
        self.decide("a member has panicked", |outcome| {
            if outcome.panic.is_none() {
                outcome.panic = payload.take();
            }
        });
    }
}

/// A member that has not ended, or not begun.
struct Unfinished<'a, 'scope, 'env, R> {
    members: &'a Members<'scope, 'env, R>,
    turn: Option<Permit<'a>>,
}

impl<R> Drop for Unfinished<'_, '_, '_, R> {
    fn drop(&mut self) {
        self.turn = None;
        if self.members.common.running.fetch_sub(1, Ordering::Release) == 1 {
            self.members.scope.data().rouse_owner();
        }
    }
}

impl<R> Members<'_, '_, R> {
    pub(super) fn new(open: &Open, common: Common<R>) -> Self {
        Members { scope: Scope::new(open), common }
    }
}

impl<'scope, 'env, R: Send + 'scope> Members<'scope, 'env, R> {
    /// Starts a member that runs `f`, unless the outcome of the group is known: then `f` is
    /// dropped. A loop that would be long finds out with [`stopped`](crate::stopped).
    ///
    /// With a [limit](crate::Group::limit) it waits until there is room.
    ///
    /// ```
    /// // Members may start members.
    /// let mut all = lisle::Group::new().all(|g| {
    ///     g.spawn(|| {
    ///         g.spawn(|| 2);
    ///         1
    ///     });
    /// });
    /// all.sort();
    /// assert_eq!(all, [1, 2]);
    /// ```
    ///
    /// # Panics
    /// If no stack can be had; [`Builder::spawn_member`] returns that as an error.
    pub fn spawn<F>(&'scope self, f: F)
    where
        F: FnOnce() -> R + Send + 'scope,
    {
        Builder::new().spawn_member(self, f).expect("failed to spawn a coroutine");
    }

    /// Starts a member that serves the others: it is cancelled when they, and the body, have ended.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::time::Duration;
    ///
    /// let beats = AtomicU32::new(0);
    /// lisle::Group::new().all(|g| {
    ///     g.daemon(|| {
    ///         while lisle::stopped().is_none() {
    ///             beats.fetch_add(1, Ordering::Relaxed);
    ///             lisle::sleep(Duration::from_millis(1));
    ///         }
    ///     });
    ///     g.spawn(|| lisle::sleep(Duration::from_millis(5)));
    /// });
    /// ```
    ///
    /// # Panics
    /// If no stack can be had.
    pub fn daemon<F>(&'scope self, f: F)
    where
        F: FnOnce() + Send + 'scope,
    {
        if self.common.is_decided() {
            return;
        }
        self.scope.spawn(move || {
            family::become_daemon();
            let ended = panic::catch_unwind(AssertUnwindSafe(|| self.common.daemons.run(f)));
            ended.unwrap_or_else(|payload| self.common.panicked(payload));
        });
    }
}

impl Builder {
    /// Starts a member of a group; see [`Members::spawn`].
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    ///
    /// ```
    /// let names = lisle::Group::new().all(|g| {
    ///     let builder = lisle::Builder::new().name("reader".into());
    ///     builder.spawn_member(g, || lisle::current().name().map(str::to_owned)).unwrap();
    /// });
    /// assert_eq!(names, [Some("reader".into())]);
    /// ```
    pub fn spawn_member<'scope, 'env, R, F>(
        self,
        members: &'scope Members<'scope, 'env, R>,
        f: F,
    ) -> io::Result<()>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        let common = &members.common;
        // Members that wait for the turns of members might all wait.
        let turn_later = members.scope.data().is_around_caller();
        let turn = if turn_later { None } else { common.turn() };
        if common.is_decided() {
            return Ok(());
        }
        let number = common.next.fetch_add(1, Ordering::Relaxed);
        common.running.fetch_add(1, Ordering::Relaxed);
        let mut unfinished = Unfinished { members, turn };
        self.spawn_scoped(&members.scope, move || {
            if turn_later {
                unfinished.turn = common.turn();
            }
            if !common.is_decided() {
                match panic::catch_unwind(AssertUnwindSafe(f)) {
                    Ok(result) => common.returned(number, result),
                    Err(payload) => common.panicked(payload),
                }
            }
            drop(unfinished);
        })
        .map(drop)
    }
}

impl<R> fmt::Debug for Members<'_, '_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members")
            .field("running", &self.common.running.load(Ordering::Relaxed))
            .field("decided", &self.common.is_decided())
            .finish_non_exhaustive()
    }
}
