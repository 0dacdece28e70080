//! The null backend: a platform without M:N mode.
//!
//! It offers the names that the API crate uses and can construct none of their values, so that the
//! API is written once, without conditional compilation, and the compiler proves that the 1:1 path
//! is taken.

use std::io;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::config::{AlreadyStarted, Config, PollerKind, Settings};
use crate::metrics::Metrics;

static CONFIG: OnceLock<Config> = OnceLock::new();

/// A running M:N runtime; there is none here.
#[derive(Clone, Copy, Debug)]
pub enum Runtime {}

/// A coroutine; there is none here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskRef {}

/// Why M:N mode is not to be had.
const UNSUPPORTED: &str = "this platform is not x86-64 Linux with glibc";

impl Runtime {
    /// Never a runtime: there is no M:N mode here.
    ///
    /// # Errors
    /// That, unless OS threads were asked for.
    pub fn get_or_start() -> Result<Option<Runtime>, &'static str> {
        static THREADS: OnceLock<bool> = OnceLock::new();
        let config = CONFIG.get().copied().unwrap_or_default();
        let asked_for = *THREADS.get_or_init(|| Settings::complete(config).threads);
        if asked_for { Ok(None) } else { Err(UNSUPPORTED) }
    }

    /// Never called: no value of this type exists.
    ///
    /// # Safety
    /// As for the real backend.
    pub unsafe fn spawn<F: FnOnce()>(
        self,
        _: Option<Arc<str>>,
        _: Option<usize>,
        _: F,
    ) -> io::Result<TaskRef> {
        match self {}
    }

    /// Never called: no value of this type exists.
    pub fn poller(self) -> (PollerKind, Option<&'static str>) {
        match self {}
    }

    /// Never called: no value of this type exists.
    pub fn metrics(self) -> Metrics {
        match self {}
    }

    /// Never called: no value of this type exists.
    pub fn workers(self) -> usize {
        match self {}
    }
}

impl TaskRef {
    /// Never called: no value of this type exists.
    pub fn id(self) -> u64 {
        match self {}
    }

    /// Never called: no value of this type exists.
    pub fn is_over(self) -> bool {
        match self {}
    }

    /// Never called: no value of this type exists.
    pub fn join(self) {
        match self {}
    }

    /// Never called: no value of this type exists.
    pub fn unpark(self) {
        match self {}
    }
}

/// The calling coroutine: none here.
pub fn current() -> Option<TaskRef> {
    None
}

/// The name of the calling coroutine: none here.
pub fn current_name() -> Option<Arc<str>> {
    None
}

/// Not to be had here.
///
/// # Errors
/// Always: the reason.
pub fn self_test() -> Result<(), String> {
    Err(UNSUPPORTED.to_owned())
}

/// Takes note of the configuration, which 1:1 mode has no use for.
///
/// # Errors
/// If one was installed before.
pub fn install(config: Config) -> Result<(), AlreadyStarted> {
    CONFIG.set(config).map_err(|_| AlreadyStarted)
}

/// Not reached: only coroutines call it.
pub fn yield_now() {
    std::thread::yield_now();
}

/// Not reached: only coroutines call it.
pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Not reached: only coroutines call it.
pub fn park(_: Option<Instant>) {
    std::thread::park();
}

/// What a thread blocked; not known here.
#[derive(Clone, Copy, Debug)]
pub struct Inherited;

/// Runs `f` at once.
pub fn as_bystander<R>(f: impl FnOnce(Inherited) -> R) -> R {
    f(Inherited)
}

/// Never known here.
pub fn is_main_thread() -> bool {
    false
}

/// Nothing follows the main thread here.
pub fn main_begins(_: Inherited, _: bool) {}

/// Runs `f` at once.
pub fn as_carrier<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Runs `f` at once.
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Nothing to pin: code runs on OS threads.
pub fn pin() -> bool {
    false
}

/// The counterpart of [`pin`].
pub fn unpin() {}

/// Keeps nothing: code on OS threads stays where the kernel lets it.
#[derive(Debug)]
pub struct Stay(PhantomData<*mut ()>);

impl Stay {
    /// Does nothing.
    #[must_use]
    pub fn begin() -> Self {
        Stay(PhantomData)
    }
}

/// For those who spin for what somebody has who may not be running.
pub(crate) fn give_processor_away() {
    std::thread::yield_now();
}

/// A coroutine's part of a wait; there is none here.
pub(crate) mod suspension {
    use std::time::Instant;

    use lisle_core::Cause;

    use crate::stop::Ended;

    /// Who ends a coroutine's wait; nobody.
    #[derive(Clone, Copy)]
    pub(crate) enum Alarm {}

    impl Alarm {
        pub(crate) fn wake(self, _: Cause) -> bool {
            match self {}
        }
    }

    pub(crate) enum Suspension {}

    impl Suspension {
        pub(crate) fn begin() -> Option<Self> {
            None
        }

        pub(crate) fn alarm(&self) -> Alarm {
            match *self {}
        }

        pub(crate) fn suspend(self, _: Option<Instant>) -> Ended {
            match self {}
        }

        pub(crate) fn forgo(self) {
            match self {}
        }
    }

    /// A coroutine that may wait; there is none here.
    #[derive(Clone, Copy)]
    pub(crate) enum Sleeper {}

    impl Sleeper {
        pub(crate) fn own() -> Option<Self> {
            None
        }
    }

    pub(crate) fn interrupt(_: impl Iterator<Item = Sleeper> + Clone) {}
}
