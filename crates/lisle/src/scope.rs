//! Coroutines that borrow: [`scope`].
//!
//! The shape and the guarantees are those of [`std::thread::scope`]: every coroutine of the scope
//! has ended when `scope` returns or unwinds, so they may borrow what lives outside of it.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;

use lisle_rt::Stops;

use crate::coroutine::Coroutine;
use crate::family::{Open, Policy, ScopeData};
use crate::select::Ended;
use crate::spawn::{Builder, Joiner};

/// The scope of coroutines that may borrow from `'env`; see [`scope`].
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    data: Arc<ScopeData>,
    /// Invariance over both lifetimes, without which a coroutine could borrow what ends sooner.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `f` with a scope in which coroutines may borrow from the environment.
///
/// ```
/// let numbers = vec![1, 2, 3];
/// let sum = lisle::scope(|s| {
///     let ours = s.spawn(|| numbers.iter().sum::<i32>());
///     s.spawn(|| println!("borrowed too: {numbers:?}"));
///     ours.join().unwrap()
/// });
/// assert_eq!(sum, 6);
/// ```
///
/// The coroutines inherit the [`Scoped`](crate::Scoped) values of who starts them, and are under
/// the [deadlines](crate::deadline()) and tokens that the caller of `scope` is under: a stop ends
/// their waits, and so the scope. The wait for them is not ended by a stop, since they borrow.
///
/// To cancel them when one of them fails, to take the first that is done, or to limit how many run
/// at a time, there is [`Group`](crate::Group).
///
/// # Panics
/// With the panic of `f`; or, if a coroutine that nobody joined panicked, with
/// `"a scoped coroutine panicked"`. In either case after all coroutines have ended.
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let open = Open::new(Policy { name: "scope", limit: None }, Stops::of_caller());
    let scope = Scope::new(&open);
    let result = panic::catch_unwind(AssertUnwindSafe(|| f(&scope)));
    open.data().wait_for_all();
    match result {
        Err(payload) => panic::resume_unwind(payload),
        Ok(_) if open.data().has_panicked() => panic!("a scoped coroutine panicked"),
        Ok(value) => value,
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// A scope for those who see to it that it is open until all have ended.
    pub(crate) fn new(open: &Open) -> Self {
        Scope { data: Arc::clone(open.data()), scope: PhantomData, env: PhantomData }
    }

    pub(crate) fn data(&self) -> &ScopeData {
        &self.data
    }

    /// Starts a coroutine in the scope.
    ///
    /// # Panics
    /// If no stack can be had; [`Builder::spawn_scoped`] returns that as an error.
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Builder::new().spawn_scoped(self, f).expect("failed to spawn a coroutine")
    }
}

impl Builder {
    /// Starts a coroutine in `scope`; see [`scope`](crate::scope()).
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        // SAFETY: `scope` does not return before the packet is gone, and the packet is dropped
        // after the closure and its result.
        let joiner = unsafe { self.spawn_unchecked(f, Some(Arc::clone(&scope.data)))? };
        Ok(ScopedJoinHandle { joiner, scope: PhantomData })
    }
}

/// Owns the right to join a coroutine of a [`scope`].
pub struct ScopedJoinHandle<'scope, T> {
    joiner: Joiner<T>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the coroutine to end; see [`JoinHandle::join`](crate::JoinHandle::join).
    ///
    /// # Errors
    /// If the coroutine panicked, the payload of the panic.
    pub fn join(self) -> thread::Result<T> {
        self.joiner.join()
    }

    /// Whether the coroutine has ended.
    pub fn is_finished(&self) -> bool {
        self.joiner.is_finished()
    }

    /// A handle to the coroutine itself.
    pub fn coroutine(&self) -> &Coroutine {
        self.joiner.coroutine()
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    pub(crate) fn ending(&self) -> &Ended {
        self.joiner.ending()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").finish_non_exhaustive()
    }
}
