//! What programs get here: mode, poller, and whether a coroutine runs.

use std::ffi::OsStr;

use lisle::runtime::{self, Builder, Mode, Poller};

use super::report::Check;

/// The findings, and whether programs that are started as this one get coroutines.
pub(super) fn checks() -> (Vec<Check>, bool) {
    let asked_for_threads = runtime::variables().iter().any(|variable| {
        variable.name == "LISLE_MODE" && variable.value.as_os_str() == OsStr::new("threads")
    });
    // So that a start is tried in any case.
    let installed = Builder::new().mode(Mode::Coroutines).install();
    debug_assert!(installed.is_ok(), "the doctor has started nothing yet");
    let trial = trial();
    let works = trial.is_ok() && !asked_for_threads;
    (vec![mode(&trial, asked_for_threads), poller(asked_for_threads), ran(trial)], works)
}

/// Runs a coroutine, if there are any.
fn trial() -> Result<(), String> {
    if let Some(reason) = runtime::coroutines_unavailable() {
        return Err(reason.to_owned());
    }
    let coroutine = lisle::Builder::new().spawn(lisle::yield_now);
    let coroutine = coroutine.map_err(|error| format!("a coroutine cannot be made: {error}"))?;
    coroutine.join().map_err(|_| "the first coroutine panicked".to_owned())
}

fn mode(trial: &Result<(), String>, asked_for_threads: bool) -> Check {
    let name = "mode";
    let threads = "each coroutine is an OS thread";
    match (trial, asked_for_threads) {
        (Ok(()), false) => {
            Check::good(name, format!("coroutines on {} workers", runtime::workers()))
        }
        (Ok(()), true) => Check::less(
            name,
            "OS threads, as LISLE_MODE asks",
            format!("{threads}; coroutines would run here"),
            "unset LISLE_MODE",
        ),
        (Err(reason), _) => Check::fatal(name, "OS threads", threads, remedy(reason)),
    }
}

/// What helps, if the reason's own text does not say so.
fn remedy(reason: &str) -> String {
    let hint = if reason.contains("too large") {
        "a LISLE_STACK_SIZE of at most 1 GiB"
    } else if reason.contains("worker") {
        "allow for more threads (ulimit -u, pids.max) and memory (ulimit -v)"
    } else if reason.contains("memory") || reason.contains("stack") {
        "allow for more memory: ulimit -v unlimited, a higher memory.max"
    } else if reason.contains("epoll") {
        "allow for more open files: ulimit -n"
    } else {
        "see the lines marked FAIL below"
    };
    hint.to_owned()
}

fn poller(asked_for_threads: bool) -> Check {
    let name = "poller";
    if asked_for_threads {
        return Check::good(name, "none: OS threads block");
    }
    match (runtime::poller(), runtime::uring_unavailable()) {
        (Some(Poller::Uring), _) => Check::good(name, "io_uring"),
        (Some(Poller::Epoll), Some(reason)) => Check::less(
            name,
            format!("epoll, because {reason}"),
            "coroutines wait for readiness, with more system calls; connect and reads past the \
             page cache wait on spare OS threads",
            "see the line io_uring below",
        ),
        (Some(Poller::Epoll), None) => Check::good(name, "epoll, as LISLE_POLLER asks"),
        (None, _) => Check::good(name, "none: OS threads block"),
    }
}

fn ran(trial: Result<(), String>) -> Check {
    let name = "trial";
    match trial {
        Ok(()) => Check::good(name, "a coroutine ran and ended"),
        Err(reason) => {
            let remedy = remedy(&reason);
            Check::fatal(name, reason, "each coroutine is an OS thread, or fails to start", remedy)
        }
    }
}
