//! Giving up the worker for a while: [`sleep`], [`yield_now`].

use std::thread;
use std::time::{Duration, Instant};

use lisle_rt::{Ended, Waiting};

/// Suspends the calling coroutine for at least `duration`.
///
/// On a coroutine [`std::thread::sleep`] does the same; this is the form that also works in
/// programs built without the `hooks` feature. It returns early when a
/// [deadline](crate::deadline()) passes, and the like.
pub fn sleep(duration: Duration) {
    match lisle_rt::current() {
        _ if lisle_rt::is_stoppable() => sleep_stoppably(duration),
        Some(_) => lisle_rt::sleep(duration),
        None => thread::sleep(duration),
    }
}

/// A wait that nobody ends. If it is over at once, in a loop that looks for something now and then,
/// others run first.
fn sleep_stoppably(duration: Duration) {
    let end = Instant::now().checked_add(duration);
    loop {
        match Waiting::begin().wait(end) {
            Ended::TimedOut => return,
            Ended::Stopped(_) => return lisle_rt::yield_now(),
            Ended::Woken | Ended::Interrupted => {}
        }
    }
}

/// Lets the other runnable coroutines of this worker run first.
///
/// On a coroutine [`std::thread::yield_now`] does the same.
pub fn yield_now() {
    lisle_rt::yield_now();
}
