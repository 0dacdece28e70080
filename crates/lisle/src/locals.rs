//! Values for the extent of a call that coroutines started in it inherit: [`Scoped`].
//!
//! ```text
//!   REQUEST.set(7, || ...)          the snapshot of the calling coroutine: [REQUEST = 7]
//!     USER.set("eve", || ...)       another, for the extent of the closure: [REQUEST = 7, USER]
//!       spawn(f)                    f begins with a reference to that one
//!     [REQUEST = 7] again
//! ```
//!
//! A snapshot is immutable and counted, so starting a coroutine takes one step on a counter; where
//! nothing is set it takes a look at a thread-local that is null. The snapshot is kept alive by who
//! made it current (the frame of `set`, or of the coroutine's body), both of which outlive every
//! use: the thread-local is a bare pointer without a destructor. A thread-local with a destructor
//! has to be registered in every coroutine that looks at it.
//!
//! A snapshot holds a value of each static at most, so it cannot grow beyond their number, however
//! long a chain of coroutines is in which each sets a value and starts the next.
//!
//! The shape is that of Java's `ScopedValue`: set for an extent, restored by leaving it, immutable
//! within. Rejected:
//!
//! 1. *A context that is passed along*, as in Go. It reaches code through every signature on the
//!    way, and no signature of a library has a place for it.
//! 2. *A value that stays until another is set* (`InheritableThreadLocal`). Nobody can tell where
//!    it came from, and it holds its value for the life of whoever inherited it.
//! 3. *Assignment within the extent.* A child could change what its parent reads, or would silently
//!    not: put a `Mutex` or an atomic into the value where that is meant.
//! 4. *A linked list with a node for each `set`.* The chain above would make it as long as itself,
//!    and its end a recursion as deep.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

/// A variable that is set for the extent of a call, and inherited by the coroutines that are
/// started meanwhile.
///
/// For what belongs to the matter in hand rather than to the code: the number of a request, who
/// asks, a sink for its log. What a `thread_local!` is to a coroutine (its own, see the crate),
/// this is to a coroutine and those it starts, by [`spawn`](crate::spawn) or in a
/// [`scope`](crate::scope()). They see the value that was set when they were started; later ones
/// are their own affair. It is dropped when the last of them that inherited it ends.
///
/// Nothing is inherited by OS threads that are started with [`std::thread::spawn`], and destructors
/// of thread-locals see no value.
///
/// ```
/// static REQUEST: lisle::Scoped<u64> = lisle::Scoped::new();
///
/// fn log(text: &str) -> String {
///     REQUEST.with(|number| format!("request {number:?}: {text}"))
/// }
///
/// let line = REQUEST.set(7, || lisle::spawn(|| log("begun")).join().unwrap());
/// assert_eq!(line, "request Some(7): begun");
/// assert_eq!(log("idle"), "request None: idle");
/// ```
pub struct Scoped<T: 'static> {
    /// Its address is the variable's identity. An atomic, although nobody writes it, so that the
    /// compiler neither merges two of them nor makes a constant of one. Where memory is used anew
    /// for another, the type of the value still decides.
    place: AtomicU8,
    value: PhantomData<fn() -> T>,
}

/// The values of all variables that are set.
type Snapshot = [Entry];

#[derive(Clone)]
struct Entry {
    key: *const AtomicU8,
    value: Arc<dyn Any + Send + Sync>,
}

// SAFETY: the pointer is compared and never followed; the value is both.
unsafe impl Send for Entry {}
// SAFETY: as above.
unsafe impl Sync for Entry {}

thread_local! {
    /// The snapshot of the coroutine, or null where nothing is set. Valid while it is here: whoever
    /// puts it here has a reference to it, and puts back what was before first.
    static CURRENT: Cell<*const Arc<Snapshot>> = const { Cell::new(ptr::null()) };
}

impl<T> Scoped<T> {
    /// A variable that is not set, for a `static`.
    pub const fn new() -> Self {
        Scoped { place: AtomicU8::new(0), value: PhantomData }
    }
}

impl<T: Send + Sync> Scoped<T> {
    /// Runs `f` with the variable set to `value`.
    ///
    /// A value that was set before is hidden meanwhile, and is there again when `f` returns or
    /// unwinds.
    ///
    /// ```
    /// static LEVEL: lisle::Scoped<u32> = lisle::Scoped::new();
    ///
    /// LEVEL.set(1, || {
    ///     assert_eq!(LEVEL.set(2, || LEVEL.get()), Some(2));
    ///     assert_eq!(LEVEL.get(), Some(1));
    /// });
    /// ```
    pub fn set<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let entry = Entry { key: &self.place, value: Arc::new(value) };
        // SAFETY: used before anything else runs.
        let before = unsafe { current() }.map_or(&[][..], |snapshot| &snapshot[..]);
        let others = before.iter().filter(|other| other.key != entry.key);
        let snapshot: Arc<Snapshot> = others.cloned().chain([entry.clone()]).collect();
        with_snapshot(&snapshot, f)
    }

    /// Calls `f` with the value, if the variable is set.
    ///
    /// ```
    /// static USER: lisle::Scoped<String> = lisle::Scoped::new();
    ///
    /// let length = || USER.with(|user| user.map_or(0, String::len));
    /// assert_eq!(USER.set("eve".into(), length), 3);
    /// assert_eq!(length(), 0);
    /// ```
    pub fn with<R>(&'static self, f: impl FnOnce(Option<&T>) -> R) -> R {
        // SAFETY: whatever `f` makes current is over when it ends, so that the snapshot of now is
        // current, and alive, for as long.
        let snapshot = unsafe { current() };
        let entry = snapshot
            .and_then(|snapshot| snapshot.iter().find(|entry| ptr::eq(entry.key, &self.place)));
        f(entry.and_then(|entry| entry.value.downcast_ref()))
    }

    /// A copy of the value, if the variable is set.
    ///
    /// ```
    /// static REQUEST: lisle::Scoped<u64> = lisle::Scoped::new();
    /// assert_eq!(REQUEST.get(), None);
    /// assert_eq!(REQUEST.set(7, || REQUEST.get()), Some(7));
    /// ```
    pub fn get(&'static self) -> Option<T>
    where
        T: Clone,
    {
        self.with(|value| value.cloned())
    }
}

impl<T> Default for Scoped<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Scoped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

/// The values that the calling coroutine gives to one that it starts.
pub(crate) struct Values(Option<Arc<Snapshot>>);

impl Values {
    #[inline]
    pub(crate) fn of_caller() -> Self {
        // SAFETY: used before anything else runs.
        Values(unsafe { current() }.cloned())
    }

    /// Runs `f` with them, on the coroutine that was started.
    #[inline]
    pub(crate) fn run<R>(self, f: impl FnOnce() -> R) -> R {
        match self.0 {
            None => f(),
            Some(snapshot) => with_snapshot(&snapshot, f),
        }
    }
}

/// The snapshot of the calling coroutine.
///
/// # Safety
/// The reference is not used once what is current now is not any more.
#[inline]
unsafe fn current<'a>() -> Option<&'a Arc<Snapshot>> {
    // SAFETY: valid while it is current, see the variable.
    unsafe { CURRENT.get().as_ref() }
}

/// Runs `f` with the snapshot as the current one.
fn with_snapshot<R>(snapshot: &Arc<Snapshot>, f: impl FnOnce() -> R) -> R {
    struct Restore(*const Arc<Snapshot>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _restore = Restore(CURRENT.replace(snapshot));
    f()
}
