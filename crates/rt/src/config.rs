//! How the runtime is set up: the builder's values, completed from the environment.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

/// What a program asked for; `None` leaves the choice to the environment, then to the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Number of workers: OS threads that run coroutines at the same time.
    pub workers: Option<usize>,
    /// Reserved stack of a coroutine, in bytes.
    pub stack_size: Option<usize>,
    /// Use 1:1 mode: each coroutine an OS thread.
    pub threads: Option<bool>,
    /// How coroutines wait for descriptors.
    pub poller: Option<PollerKind>,
    /// Most spare carriers: OS threads for what blocks and cannot be made to suspend.
    pub max_carriers: Option<usize>,
    /// How long a coroutine may run while others wait; zero: for ever.
    pub slice: Option<Duration>,
    /// Nanoseconds after which it is told who keeps a worker from others.
    pub warn_after: Option<u64>,
}

/// How coroutines wait for descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollerKind {
    /// The kernel does what would block, and tells when it has: io_uring.
    Uring,
    /// The kernel tells what would not block any more: epoll.
    Epoll,
}

/// The runtime runs already, so its set-up cannot change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyStarted;

impl fmt::Display for AlreadyStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the runtime has started already: install the configuration before the first coroutine",
        )
    }
}

impl Error for AlreadyStarted {}

/// The set-up with nothing left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) workers: usize,
    pub(crate) stack_size: usize,
    pub(crate) threads: bool,
    /// None: io_uring, or epoll where that is not to be had.
    pub(crate) poller: Option<PollerKind>,
    pub(crate) max_carriers: usize,
    /// In nanoseconds; 0: nobody is preempted.
    pub(crate) slice: u64,
    pub(crate) warn_after: Option<u64>,
}

impl Settings {
    const STACK_SIZE: usize = 256 << 10;
    const MAX_WORKERS: usize = 1024;
    const MAX_CARRIERS: usize = 512;
    /// More OS threads than that the kernel does not give a process by default.
    const MOST_CARRIERS: usize = 32 << 10;
    const SLICE: Duration = Duration::from_millis(10);
    /// Less is mostly preemption.
    const SHORTEST_SLICE: u64 = 20_000;

    /// Fills in from the environment what the program left open, and from defaults what the
    /// environment leaves open. A value that cannot be used is told on standard error.
    pub(crate) fn complete(config: Config) -> Self {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = config.workers.or_else(|| variable(WORKERS, number));
        let workers = workers.unwrap_or_else(available);
        let slice = config.slice.or_else(|| variable(SLICE, slice)).unwrap_or(Self::SLICE);
        let slice = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4);
        Settings {
            workers: workers.clamp(1, Self::MAX_WORKERS),
            stack_size: config
                .stack_size
                .or_else(|| variable(STACK_SIZE, number))
                .unwrap_or(Self::STACK_SIZE)
                .max(Self::STACK_SIZE / 8),
            threads: config.threads.or_else(|| variable(MODE, threads)).unwrap_or(false),
            poller: config.poller.or_else(|| variable(POLLER, poller)),
            max_carriers: config
                .max_carriers
                .or_else(|| variable(MAX_CARRIERS, number))
                .unwrap_or(Self::MAX_CARRIERS)
                .clamp(1, Self::MOST_CARRIERS),
            slice: if slice == 0 { 0 } else { slice.max(Self::SHORTEST_SLICE) },
            warn_after: config.warn_after.or_else(|| variable(WARN, millis)),
        }
    }
}

const MAX_CARRIERS: &str = "LISLE_MAX_CARRIERS";
const MODE: &str = "LISLE_MODE";
const POLLER: &str = "LISLE_POLLER";
const WARN: &str = "LISLE_WARN";
const WORKERS: &str = "LISLE_WORKERS";
const STACK_SIZE: &str = "LISLE_STACK_SIZE";
const SLICE: &str = "LISLE_SLICE";

/// The names of the runtime's environment variables.
pub const VARIABLES: [&str; 7] = [MODE, POLLER, WORKERS, STACK_SIZE, MAX_CARRIERS, SLICE, WARN];

fn threads(text: &str) -> Option<bool> {
    match text {
        "threads" => Some(true),
        "coroutines" => Some(false),
        _ => None,
    }
}

fn poller(text: &str) -> Option<PollerKind> {
    match text {
        "uring" => Some(PollerKind::Uring),
        "epoll" => Some(PollerKind::Epoll),
        _ => None,
    }
}

/// `off`, or a number with `us`, `ms` or `s` behind it.
fn slice(text: &str) -> Option<Duration> {
    if text == "off" {
        return Some(Duration::ZERO);
    }
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let nanos: u64 = match &text[end..] {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    text[..end].parse::<u64>().ok()?.checked_mul(nanos).map(Duration::from_nanos)
}

fn number(text: &str) -> Option<usize> {
    text.parse().ok().filter(|&number| number > 0)
}

/// Milliseconds, in nanoseconds.
fn millis(text: &str) -> Option<u64> {
    number(text)?.checked_mul(1_000_000)?.try_into().ok()
}

/// An environment variable of the runtime that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value, which is not empty.
    pub value: OsString,
    /// Whether it is a value that the variable can have; if not, it is ignored.
    pub is_usable: bool,
}

/// The environment variables of the runtime that are set, whether or not a program's own set-up
/// takes precedence.
pub fn variables() -> Vec<Variable> {
    let set = [
        set(MODE, |text| threads(text).is_some()),
        set(POLLER, |text| poller(text).is_some()),
        set(WORKERS, |text| number(text).is_some()),
        set(STACK_SIZE, |text| number(text).is_some()),
        set(MAX_CARRIERS, |text| number(text).is_some()),
        set(SLICE, |text| slice(text).is_some()),
        set(WARN, |text| millis(text).is_some()),
    ];
    set.into_iter().flatten().collect()
}

/// The variable, if it is set.
fn set(name: &'static str, is_usable: impl FnOnce(&str) -> bool) -> Option<Variable> {
    let value = std::env::var_os(name).filter(|text| !text.is_empty())?;
    let is_usable = value.to_str().is_some_and(is_usable);
    Some(Variable { name, value, is_usable })
}

/// The value of an environment variable, unless it is unset, empty or makes no sense.
fn variable<T>(name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let text = std::env::var_os(name).filter(|text| !text.is_empty())?;
    let value = text.to_str().and_then(parse);
    if value.is_none() {
        eprintln!("lisle: ignoring {name}={}: not a value it can have", text.display());
    }
    value
}
