//! Giving up the worker for a while: [`sleep`], [`yield_now`].

use std::thread;
use std::time::Duration;

/// Suspends the calling coroutine for at least `duration`.
///
/// On a coroutine [`std::thread::sleep`] does the same; this is the form that also works in
/// programs built without the `hooks` feature.
pub fn sleep(duration: Duration) {
    match lisle_rt::current() {
        Some(_) => lisle_rt::sleep(duration),
        None => thread::sleep(duration),
    }
}

/// Lets the other runnable coroutines of this worker run first.
///
/// On a coroutine [`std::thread::yield_now`] does the same.
pub fn yield_now() {
    lisle_rt::yield_now();
}
