//! How the runtime is set up: the builder's values, completed from the environment.

use std::error::Error;
use std::fmt;

/// What a program asked for; `None` leaves the choice to the environment, then to the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Number of workers: OS threads that run coroutines at the same time.
    pub workers: Option<usize>,
    /// Reserved stack of a coroutine, in bytes.
    pub stack_size: Option<usize>,
    /// Use 1:1 mode: each coroutine an OS thread.
    pub threads: Option<bool>,
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
