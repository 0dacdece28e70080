//! What the test binaries share: the watchdog, child processes, the mode of the run.
//!
//! Most tests hand their body to [`everywhere`], which runs it as a coroutine twice: in this
//! process, with as many workers as the machine has, and in a child process with a single worker.
//! The second is the proof that a call suspends the coroutine and not the worker: what ends the
//! wait in such a test runs on another coroutine, so that a blocked worker is a deadlock, and the
//! watchdog ends the process.
//!
//! Every test passes unchanged in both modes; [`threads`] tells where a number must be smaller.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod actor;
pub(crate) mod c_locks;
mod child;
mod fixture;
mod folder;
mod net;
mod random;
pub(crate) mod signal;
mod twin;
mod watchdog;
mod witness;

pub(crate) use actor::{Actor, mixed};
pub(crate) use child::{Ended, alone_in_child, child, in_child, is_child, lock_holder, run_for};
pub(crate) use fixture::{Library, build, has_cxx, load, program};
pub(crate) use folder::{
    Folder, c_path, evict, limit, open, opening, part, pattern, pread, twins_of_a_child,
};
pub(crate) use net::{allow_files, set_option, tcp_pair, timeval};
pub(crate) use random::Random;
pub(crate) use twin::{Call, Lines, a_moment, aside, recv, told, twins, twins_alone};
pub(crate) use watchdog::{LIMIT, within};
pub(crate) use witness::{Witness, waits, waits_for};

use std::any::type_name;
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

/// Whether coroutines are OS threads in this run.
pub(crate) fn threads() -> bool {
    lisle::runtime::mode() == lisle::runtime::Mode::Threads
}

/// A number of coroutines, or a smaller one where each of them is an OS thread.
pub(crate) fn scaled(coroutines: usize, threads_instead: usize) -> usize {
    if threads() { threads_instead } else { coroutines }
}

/// Runs `body` as a coroutine, in this process and in a child process with a single worker.
///
/// `body` is a closure written in the test function, whose type carries the test's name.
pub(crate) fn everywhere<F: FnOnce() + Send + 'static>(body: F) {
    let test = test_name::<F>();
    on_coroutine(&test, body);
    if !is_child() {
        child(&test, &[("LISLE_WORKERS", "1")]).expect_success();
    }
}

/// Runs `body` as a coroutine in this process, under the watchdog.
pub(crate) fn here<F: FnOnce() + Send + 'static>(body: F) {
    on_coroutine(&test_name::<F>(), body);
}

/// Runs `body` as a coroutine in child processes: with one worker and with several.
pub(crate) fn on_workers<F: FnOnce() + Send + 'static>(body: F) {
    let test = test_name::<F>();
    if is_child() {
        return on_coroutine(&test, body);
    }
    // To OS threads the number means nothing.
    let counts = if threads() { &["1"][..] } else { &["1", "4"][..] };
    for workers in counts {
        child(&test, &[("LISLE_WORKERS", workers)]).expect_success();
    }
}

fn on_coroutine<F: FnOnce() + Send + 'static>(test: &str, body: F) {
    hush_panics_on_purpose();
    within(test, LIMIT, || {
        // A test body is bigger than the coroutines that the default stack size is meant for.
        let body = lisle::Builder::new().stack_size(1 << 20).spawn(body).unwrap();
        if let Err(payload) = body.join() {
            panic::resume_unwind(payload);
        }
    });
}

/// The path of the test that a closure was written in, as libtest spells it.
pub(crate) fn test_name<F>() -> String {
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    path.split_once("::").expect("a closure of a test function").1.to_owned()
}

/// Keeps panics that say "on purpose" out of the output, so that the others are seen.
pub(crate) fn hush_panics_on_purpose() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            let on_purpose = info.payload_as_str().is_some_and(|text| text.contains("on purpose"));
            if !on_purpose {
                usual(info);
            }
        }));
    });
}

/// Spawns a coroutine and yields until it runs; on a single worker, until it waits for the first
/// time. If that holds the worker, whoever called this comes back too late, or never.
pub(crate) fn spawn_running<T, F>(f: F) -> lisle::JoinHandle<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let runs = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&runs);
    let handle = lisle::spawn(move || {
        theirs.store(true, Ordering::Release);
        f()
    });
    yield_until(|| runs.load(Ordering::Acquire));
    handle
}

/// Yields until `done`. For states that nothing signals; the watchdog bounds it.
pub(crate) fn yield_until(done: impl Fn() -> bool) {
    while !done() {
        lisle::yield_now();
    }
}
