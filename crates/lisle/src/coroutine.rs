//! Who am I, and how others wake me: [`Coroutine`], [`current`], [`park`].

use std::fmt;
use std::sync::Arc;
use std::thread::{self, Thread, ThreadId};
use std::time::{Duration, Instant};

use lisle_rt::TaskRef;

/// A handle to a coroutine, or to the OS thread that stands in for one.
///
/// Like [`std::thread::Thread`] it outlives the coroutine it names; waking one that has ended does
/// nothing.
#[derive(Clone)]
pub struct Coroutine {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Task { task: TaskRef, name: Option<Arc<str>> },
    Thread(Thread),
}

/// The identity of a coroutine, unique in the process and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CoroutineId(IdKind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum IdKind {
    Task(u64),
    Thread(ThreadId),
}

impl Coroutine {
    pub(crate) fn task(task: TaskRef, name: Option<Arc<str>>) -> Self {
        Coroutine { kind: Kind::Task { task, name } }
    }

    pub(crate) fn thread(thread: Thread) -> Self {
        Coroutine { kind: Kind::Thread(thread) }
    }

    /// The identity of the coroutine.
    ///
    /// ```
    /// let handle = lisle::spawn(|| lisle::current().id());
    /// let id = handle.coroutine().id();
    /// assert_eq!(handle.join().unwrap(), id);
    /// ```
    pub fn id(&self) -> CoroutineId {
        CoroutineId(match &self.kind {
            Kind::Task { task, .. } => IdKind::Task(task.id()),
            Kind::Thread(thread) => IdKind::Thread(thread.id()),
        })
    }

    /// The name given with [`Builder::name`](crate::Builder::name), if any.
    pub fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Task { name, .. } => name.as_deref(),
            Kind::Thread(thread) => thread.name(),
        }
    }

    /// Makes the coroutine's current or next [`park`] return.
    ///
    /// Everything done before `unpark` is visible after the `park` that it ends.
    pub fn unpark(&self) {
        match &self.kind {
            Kind::Task { task, .. } => task.unpark(),
            Kind::Thread(thread) => thread.unpark(),
        }
    }
}

impl Coroutine {
    /// Writes it as dumps show it.
    pub(crate) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Task { task, .. } => write!(f, "coroutine {}", task.id())?,
            Kind::Thread(thread) => write!(f, "thread {:?}", thread.id())?,
        }
        self.name().map_or(Ok(()), |name| write!(f, " {name:?}"))
    }
}

impl fmt::Debug for Coroutine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coroutine").field("id", &self.id()).field("name", &self.name()).finish()
    }
}

/// A handle to the calling coroutine, or to the calling OS thread outside of coroutines.
pub fn current() -> Coroutine {
    match lisle_rt::current() {
        Some(task) => Coroutine::task(task, lisle_rt::current_name()),
        None => Coroutine::thread(thread::current()),
    }
}

/// Waits until [`Coroutine::unpark`] is called on the calling coroutine.
///
/// Returns at once if it was called since the last `park`. It may also return for no reason, so
/// call it in a loop that checks what is waited for, as with [`std::thread::park`]. Under a
/// [deadline](crate::deadline()) that has passed, and the like, it returns at once, so let the loop
/// ask [`stopped`](crate::stopped), too.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// static READY: AtomicBool = AtomicBool::new(false);
///
/// let sleeper = lisle::spawn(|| {
///     while !READY.load(Ordering::Acquire) {
///         lisle::park();
///     }
/// });
/// READY.store(true, Ordering::Release);
/// sleeper.coroutine().unpark();
/// sleeper.join().unwrap();
/// ```
pub fn park() {
    match lisle_rt::current() {
        Some(_) => lisle_rt::park(None),
        None if lisle_rt::is_stoppable() => lisle_rt::park_thread(None),
        None => thread::park(),
    }
}

/// [`park`], for at most `timeout`.
pub fn park_timeout(timeout: Duration) {
    match lisle_rt::current() {
        // A deadline beyond the clock's range is none.
        Some(_) => lisle_rt::park(Instant::now().checked_add(timeout)),
        None if lisle_rt::is_stoppable() => lisle_rt::park_thread(Some(timeout)),
        None => thread::park_timeout(timeout),
    }
}
