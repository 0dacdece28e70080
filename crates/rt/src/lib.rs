//! The scheduler of Lisle: coroutines on a few OS threads.
//!
//! Data runs in a ring: spawn -> run queue -> worker -> switch -> park -> poller, timer or lot ->
//! ready -> run queue. Imports run in a line; a file imports only from its own layer and those
//! above it.
//!
//! ```text
//! 1  config task current       what a coroutine is; which one runs
//! 2  stack carrier             memory for it; leaving and resuming it
//! 3  worker runtime monitor    queues, what runs next, who sleeps; what all share
//! 4  wait parker lot poller    waiting: the word, the token, an address, a descriptor
//! 5  spare spawn               other OS threads; the beginning and the end
//! 6  overflow setxid fork      signals and forks
//! ```
//!
//! Nothing in this crate calls a C library function that may block: those are the symbols that
//! `lisle-hook` defines. The kernel is entered through `lisle-sys`.
//!
//! On platforms without M:N mode the crate is a stub with the same names, of whose types there are
//! no values.

mod config;

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod mn;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
mod stub;

pub use config::{AlreadyStarted, Config};

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
pub use mn::{
    Runtime, TaskRef, blocking, can_suspend, closing, current, current_name, install, lot, park,
    pin, poller, sleep, sleep_until, unpin, yield_now,
};
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
pub use stub::{
    Runtime, TaskRef, blocking, current, current_name, install, park, pin, sleep, unpin, yield_now,
};
