//! Starting coroutines and joining them: [`spawn`], [`Builder`], [`JoinHandle`].

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::task;
use std::thread;

use lisle_rt::{Runtime, TaskRef};

use crate::coroutine::Coroutine;
use crate::family::ScopeData;
use crate::inherit::Inherited;
use crate::packet::Packet;
use crate::runtime;
use crate::select::Ended;

/// Starts a coroutine that runs `f`.
///
/// The bounds are those of [`std::thread::spawn`], for the same reasons: the coroutine may outlive
/// its creator and may run on any OS thread. Dropping the handle lets it run on alone. It inherits
/// the [`Scoped`](crate::Scoped) values of its creator.
///
/// ```
/// let handle = lisle::spawn(|| 6 * 7);
/// assert_eq!(handle.join().unwrap(), 42);
/// ```
///
/// # Panics
/// If no stack can be had; [`Builder::spawn`] returns that as an error.
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn(f).expect("failed to spawn a coroutine")
}

/// How a coroutine is to be made: its name and the size of its stack.
///
/// ```
/// let handle = lisle::Builder::new()
///     .name("resolver".into())
///     .stack_size(1 << 20)
///     .spawn(|| lisle::current().name().map(str::to_owned))?;
/// assert_eq!(handle.join().unwrap().as_deref(), Some("resolver"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder starts nothing until spawn is called"]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
}

impl Builder {
    /// A builder of coroutines without a name, with the runtime's stack size.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the coroutine; the name is shown when its stack overflows and by [`Coroutine::name`].
    pub fn name(mut self, name: String) -> Self {
        self.name = Some(name);
        self
    }

    /// Reserves `bytes` of stack. Only the pages that are touched take memory.
    ///
    /// Sizes are rounded up to a power of two. As with threads they include what the C library
    /// keeps per thread, which makes 32 KiB the smallest in most programs. The default is 256 KiB
    /// (see [`runtime::Builder::stack_size`](crate::runtime::Builder::stack_size)).
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Starts a coroutine that runs `f`; see [`spawn`].
    ///
    /// # Errors
    /// When no stack can be had: the message names the exhausted limit and the remedy. A name
    /// with a NUL byte is refused as invalid input.
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: both types are 'static, so nothing borrowed can end before the coroutine.
        unsafe { self.spawn_unchecked(f, None) }.map(JoinHandle)
    }

    /// The common ground of [`spawn`](Self::spawn) and scoped spawning.
    ///
    /// # Safety
    /// What `f` and its result borrow outlives the coroutine and its packet.
    pub(crate) unsafe fn spawn_unchecked<F, T>(
        self,
        f: F,
        scope: Option<Arc<ScopeData>>,
    ) -> io::Result<Joiner<T>>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        if self.name.as_ref().is_some_and(|name| name.contains('\0')) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a name may not contain NUL"));
        }
        if let Some(scope) = &scope {
            scope.started();
        }
        let packet = Packet::new(scope);
        let theirs = Arc::clone(&packet);
        let inherited = Inherited::of_caller();
        let body = move || {
            let result = panic::catch_unwind(AssertUnwindSafe(|| match theirs.scope() {
                None => inherited.run(f),
                Some(scope) => inherited.run(|| scope.run_child(f)),
            }));
            // SAFETY: the coroutine stores its result once, here.
            unsafe { theirs.store(result) };
        };
        let joiner = match runtime::current_or_start() {
            // SAFETY: the caller's obligation.
            Some(rt) => unsafe { self.start_task(rt, body, packet)? },
            // SAFETY: the caller's obligation.
            None => unsafe { self.start_thread(body, packet)? },
        };
        if let Some(scope) = joiner.packet.scope() {
            scope.granted();
        }
        Ok(joiner)
    }

    /// M:N mode.
    ///
    /// # Safety
    /// As [`spawn_unchecked`](Self::spawn_unchecked).
    unsafe fn start_task<T>(
        self,
        rt: Runtime,
        body: impl FnOnce() + Send,
        packet: Arc<Packet<T>>,
    ) -> io::Result<Joiner<T>> {
        let name: Option<Arc<str>> = self.name.map(Arc::from);
        // SAFETY: the caller's obligation; the body is Send and catches every panic.
        let task = unsafe { rt.spawn(name.clone(), self.stack_size, body)? };
        Ok(Joiner { packet, native: Native::Task(task), coroutine: Coroutine::task(task, name) })
    }

    /// 1:1 mode.
    ///
    /// # Safety
    /// As [`spawn_unchecked`](Self::spawn_unchecked).
    unsafe fn start_thread<T>(
        self,
        body: impl FnOnce() + Send,
        packet: Arc<Packet<T>>,
    ) -> io::Result<Joiner<T>> {
        let mut builder = thread::Builder::new();
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        if let Some(bytes) = self.stack_size {
            builder = builder.stack_size(bytes);
        }
        // SAFETY: the caller's obligation.
        let native = unsafe { builder.spawn_unchecked(body)? };
        let coroutine = Coroutine::thread(native.thread().clone());
        Ok(Joiner { packet, native: Native::Thread(native), coroutine })
    }
}

/// What both kinds of handle are made of.
pub(crate) struct Joiner<T> {
    packet: Arc<Packet<T>>,
    native: Native,
    coroutine: Coroutine,
}

/// What runs the coroutine.
enum Native {
    Task(TaskRef),
    Thread(thread::JoinHandle<()>),
}

impl<T> Joiner<T> {
    pub(crate) fn join(self) -> thread::Result<T> {
        if lisle_rt::is_stoppable()
            && let Err(stop) = self.packet.ending.wait()
        {
            return Err(Box::new(stop));
        }
        match self.native {
            Native::Task(task) => task.join(),
            Native::Thread(thread) => thread.join().expect("the body catches every panic"),
        }
        // SAFETY: it has ended. A joiner is not cloned and `join` consumes it, so it is the only
        // handle.
        unsafe { self.packet.take() }
    }

    /// The result if there is one; otherwise `waker` is woken once there is.
    pub(crate) fn take_or_wake(self, waker: &task::Waker) -> Result<thread::Result<T>, Self> {
        if !self.packet.ending.is_told_or_wake(waker) {
            return Err(self);
        }
        // SAFETY: it is there, and this is the only handle, as in `join`.
        Ok(unsafe { self.packet.take() })
    }

    pub(crate) fn is_finished(&self) -> bool {
        match &self.native {
            Native::Task(task) => task.is_over(),
            Native::Thread(thread) => thread.is_finished(),
        }
    }

    pub(crate) fn coroutine(&self) -> &Coroutine {
        &self.coroutine
    }

    /// For those who wait for the end among other things.
    pub(crate) fn ending(&self) -> &Ended {
        &self.packet.ending
    }
}

/// Owns the right to join a coroutine. Dropping it detaches the coroutine.
pub struct JoinHandle<T>(Joiner<T>);

impl<T> JoinHandle<T> {
    /// Waits for the coroutine to end and returns its result.
    ///
    /// Suspends only the calling coroutine; blocks when called on an OS thread.
    ///
    /// # Errors
    /// If the coroutine panicked, the payload of the panic. If the caller is to stop (see
    /// [`deadline`](crate::deadline())), a [`Stop`](crate::Stop); the coroutine goes on alone.
    ///
    /// ```
    /// let handle = lisle::spawn(|| panic!("gone wrong"));
    /// let payload = handle.join().unwrap_err();
    /// assert_eq!(payload.downcast_ref::<&str>(), Some(&"gone wrong"));
    /// ```
    pub fn join(self) -> thread::Result<T> {
        self.0.join()
    }

    /// Whether the coroutine has ended; then [`join`](Self::join) does not wait.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// A handle to the coroutine itself.
    pub fn coroutine(&self) -> &Coroutine {
        self.0.coroutine()
    }

    pub(crate) fn into_joiner(self) -> Joiner<T> {
        self.0
    }
}

impl<T> JoinHandle<T> {
    pub(crate) fn ending(&self) -> &Ended {
        self.0.ending()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("coroutine", self.coroutine()).finish_non_exhaustive()
    }
}
