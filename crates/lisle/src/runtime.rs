//! The process's runtime: its mode and its set-up.
//!
//! There is one runtime in a process. It starts with the first coroutine, from the environment's
//! settings or those [`Builder::install`] left, and lasts as long as the process does.

use std::sync::OnceLock;
use std::time::Duration;

use lisle_rt::{Config, Runtime};

pub use lisle_rt::{AlreadyStarted, Metrics, PollerKind as Poller, VARIABLES, Variable, variables};

/// How coroutines are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// M:N: many coroutines on a few OS threads.
    Coroutines,
    /// 1:1: each coroutine is an OS thread. Asked for with `LISLE_MODE=threads`, or taken where
    /// the platform cannot do better; then one line on standard error says why.
    Threads,
}

/// The mode of this process. Starts the runtime if it has not started yet.
pub fn mode() -> Mode {
    match current_or_start() {
        Some(_) => Mode::Coroutines,
        None => Mode::Threads,
    }
}

/// The number of workers: OS threads that run coroutines at the same time. Starts the runtime if
/// it has not started yet.
///
/// In 1:1 mode, the number of threads that the machine runs at the same time.
pub fn workers() -> usize {
    match current_or_start() {
        Some(rt) => rt.workers(),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// What the runtime has counted so far; zeroes in 1:1 mode. Starts the runtime if it has not
/// started yet.
pub fn metrics() -> Metrics {
    current_or_start().map_or_else(Metrics::default, Runtime::metrics)
}

/// How coroutines wait for descriptors; none in 1:1 mode. Starts the runtime if it has not started
/// yet.
pub fn poller() -> Option<Poller> {
    current_or_start().map(|rt| rt.poller().0)
}

/// Why coroutines wait by epoll although io_uring was not ruled out. Starts the runtime if it has
/// not started yet.
pub fn uring_unavailable() -> Option<&'static str> {
    current_or_start().and_then(|rt| rt.poller().1)
}

/// Why coroutines are OS threads although that was not asked for. Starts the runtime if it has not
/// started yet.
pub fn coroutines_unavailable() -> Option<&'static str> {
    Runtime::get_or_start().err()
}

/// Whether this platform's processor, kernel and C library allow for coroutines: the self-test that
/// the start makes, without a start, whatever mode is asked for. It takes a millisecond or so, and
/// some memory for good.
///
/// # Errors
/// What is missing.
pub fn self_test() -> Result<(), String> {
    lisle_rt::self_test()
}

/// The runtime, or none in 1:1 mode.
pub(crate) fn current_or_start() -> Option<Runtime> {
    Runtime::get_or_start().unwrap_or_else(|reason| {
        note_threads(reason);
        None
    })
}

/// Says once why the process runs in 1:1 mode although nobody asked for that.
fn note_threads(reason: &'static str) {
    static NOTED: OnceLock<()> = OnceLock::new();
    NOTED.get_or_init(|| eprintln!("lisle: running each coroutine as an OS thread: {reason}"));
}

/// The set-up of the runtime. What is not set comes from the environment, then from defaults.
///
/// ```
/// lisle::runtime::Builder::new().workers(2).stack_size(128 << 10).install()?;
/// assert_eq!(lisle::spawn(|| 1).join().unwrap(), 1);
/// # Ok::<(), lisle::runtime::AlreadyStarted>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder changes nothing until install is called"]
pub struct Builder {
    config: Config,
}

impl Builder {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of workers, at least 1 and at most 1024. Default: `LISLE_WORKERS`, else
    /// [`available_parallelism`](std::thread::available_parallelism), which respects CPU affinity
    /// and control groups.
    pub fn workers(mut self, count: usize) -> Self {
        self.config.workers = Some(count);
        self
    }

    /// Reserved stack of a coroutine, in bytes. Default: `LISLE_STACK_SIZE`, else 256 KiB.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.config.stack_size = Some(bytes);
        self
    }

    /// The mode. Default: `LISLE_MODE` (`coroutines` or `threads`), else coroutines.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.config.threads = Some(mode == Mode::Threads);
        self
    }

    /// How coroutines wait for descriptors. Default: `LISLE_POLLER` (`uring` or `epoll`), else
    /// io_uring, or epoll where that is not to be had. If io_uring was asked for and is not to be
    /// had, one line on standard error says why.
    pub fn poller(mut self, poller: Poller) -> Self {
        self.config.poller = Some(poller);
        self
    }

    /// The most spare carriers: OS threads on which calls wait that block and offer nothing to
    /// wait on. Coroutines beyond that wait for their turn. Default: `LISLE_MAX_CARRIERS`, else
    /// 512.
    ///
    /// If what such calls wait for is itself in need of a carrier, there must be more carriers than
    /// such calls.
    pub fn max_carriers(mut self, count: usize) -> Self {
        self.config.max_carriers = Some(count);
        self
    }

    /// How long a coroutine may run while others wait for its worker, before it is preempted; at
    /// least 20 microseconds. Zero: for ever, as far as preemption is concerned. Default:
    /// `LISLE_SLICE` (like `10ms`, `500us` or `off`), else 10 milliseconds.
    ///
    /// Coroutines that wait for an event or a timer do not wait that long once it has come: whoever
    /// runs gives way to them after half a millisecond at most.
    pub fn slice(mut self, slice: Duration) -> Self {
        self.config.slice = Some(slice);
        self
    }

    /// Has it told on standard error, once a second at most, and counted in [`metrics`], when a
    /// coroutine keeps a worker from others for so long: by not suspending, or by blocking it in a
    /// call that is not hooked. Default: `LISLE_WARN`, in milliseconds, else nothing is told.
    pub fn warn_after(mut self, span: Duration) -> Self {
        self.config.warn_after = Some(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
        self
    }

    /// Makes this the set-up of the process's runtime.
    ///
    /// # Errors
    /// If the runtime runs already or a set-up was installed before.
    pub fn install(self) -> Result<(), AlreadyStarted> {
        lisle_rt::install(self.config)
    }
}

/// Runs `f` as a coroutine and returns its value; what the attribute macros expand to.
///
/// # Panics
/// With the panic of `f`.
pub fn run_main<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    // Workers are to block what this thread does now.
    let _ = current_or_start();
    // Tests have such functions too, each on a thread of the harness.
    let is_main = lisle_rt::is_main_thread();
    // The function blocks or takes signals, not the thread that waits for it.
    lisle_rt::as_bystander(|inherited| {
        crate::scope(|s| {
            let main = s.spawn(move || {
                lisle_rt::main_begins(inherited, is_main);
                f()
            });
            match main.join() {
                Ok(value) => value,
                Err(payload) => std::panic::resume_unwind(payload),
            }
        })
    })
}
