//! The scheduler of Lisle: coroutines on a few OS threads.
//!
//! Data runs in a ring: spawn -> run queue -> worker -> switch -> park -> poller, timer or lot ->
//! ready -> run queue. Imports run in a line; a file imports only from its own layer and those
//! above it.
//!
//! ```text layers
//! 1  config metrics section stay text mask memory line label    no more than a word or two
//! 1  stop extent trace    how waits end, and why; where coroutines are
//! 2  task carrier current stack worker idle poller proactor late shared    the machine
//! 2  spare monitor slice preempt maker substitute warn    its other threads
//! 2  rest directed signals cancel alternate nudge    what is blocked, what strikes, on which stack
//! 3  wait suspension turn parker lot request descriptor hop lend    leaving a worker, and why
//! 4  spawn thread    the beginning and the end of a coroutine, and of a thread of C's
//! 5  start overflow setxid fork    the process: start-up, signals, forks
//! 6  mn stub    the two backends
//! 7  platform short waiting    locks and waits for what is built on top
//! 8  token stops    stopping others
//! ```
//!
//! The second layer is one on purpose: a coroutine knows the carrier it runs on, the carrier its
//! worker, the worker what all share, and that holds the workers.
//!
//! Nothing in this crate calls a C library function that may block: those are the symbols that
//! `lisle-hook` defines. The kernel is entered through `lisle-sys`.
//!
//! On platforms without M:N mode the crate is a stub with the same names, of whose types there are
//! no values.

mod config;
mod extent;
mod metrics;
mod platform;
mod short;
mod stop;
mod stops;
mod token;
mod waiting;

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod mn;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
mod stub;

pub use config::{AlreadyStarted, Config, PollerKind, VARIABLES, Variable, variables};
pub use extent::{deadline, deadline_at, is_stoppable, masked, stopped};
pub use metrics::Metrics;
pub use short::{ShortGuard, ShortLock};
pub use stop::{Ended, Stop};
pub use stops::Stops;
pub use token::{Reason, Token, Watch};
pub use waiting::{Waiting, Waker, park_thread};

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
pub use mn::{
    Inherited, Runtime, Stay, TaskRef, as_bystander, as_carrier, begin_io, blocking,
    blocking_stoppably, can_suspend, cancel, closed, closing, current, current_name, descriptor,
    install, is_all_of_its_object, is_main_thread, learn_objects, lot, main_begins, park, pin,
    request, self_test, signals, sleep, sleep_unless_interrupted, sleep_until, thread, thread_id,
    unpin, without_ticks, yield_now,
};
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
pub use stub::{
    Inherited, Runtime, Stay, TaskRef, as_bystander, as_carrier, blocking, current, current_name,
    install, is_main_thread, main_begins, park, pin, self_test, sleep, unpin, yield_now,
};
