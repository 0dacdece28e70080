//! The same scenario on an OS thread and on a coroutine.

use std::ffi::c_int;
use std::thread;
use std::time::Duration;

use super::{LIMIT, child, is_child, test_name, within};

/// What a scenario saw.
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

/// Gives the partner time to do what comes first. Nothing depends on it but that the interesting
/// case is the one that is met.
pub(crate) fn a_moment() {
    thread::sleep(Duration::from_millis(20));
}

pub(crate) fn recv(fd: c_int, len: usize, flags: c_int) -> (isize, Vec<u8>) {
    let mut buffer = vec![0_u8; len];
    // SAFETY: the buffer has that length.
    let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), len, flags) };
    buffer.truncate(usize::try_from(got).unwrap_or(0));
    (got, buffer)
}
