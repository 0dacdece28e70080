//! The same case on an OS thread and on a coroutine.

use std::thread;

use super::child::{child, is_child};
use super::test_name;
use super::watchdog::{LIMIT, within};

/// What a case saw.
pub(crate) type Lines = Vec<String>;

/// Starts the partner of a case: a coroutine beside a coroutine, a thread beside a thread.
pub(crate) fn aside<T: Send + 'static>(
    coroutine: bool,
    f: impl FnOnce() -> T + Send + 'static,
) -> Box<dyn FnOnce() -> T> {
    if coroutine {
        let handle = lisle::spawn(f);
        Box::new(|| handle.join().unwrap())
    } else {
        let handle = thread::spawn(f);
        Box::new(|| handle.join().unwrap())
    }
}

/// Runs a case on both and compares, in this process and in a child process with one worker.
pub(crate) fn twins<F: Fn(bool) -> Lines + Copy + Send + 'static>(case: F) {
    let test = test_name::<F>();
    within(&test, LIMIT, || {
        let native = thread::spawn(move || case(false)).join().unwrap();
        let coroutine = lisle::spawn(move || case(true)).join().unwrap();
        assert_eq!(native, coroutine, "on a thread and on a coroutine");
    });
    if !is_child() {
        child(&test, &[("LISLE_WORKERS", "1")]).expect_success();
    }
}

/// What a call returned, with `errno` if it failed.
pub(crate) fn told(name: &str, result: isize) -> String {
    match result {
        -1 => format!("{name}: -1, {}", std::io::Error::last_os_error()),
        value => format!("{name}: {value}"),
    }
}
