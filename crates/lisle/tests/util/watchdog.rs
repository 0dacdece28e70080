//! No test hangs: [`within`].

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// What a test may take. Far more than any needs, since the machine may be busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs `f`; aborts the process, naming `what`, when that takes longer than `limit`.
///
/// The watch is kept by an OS thread of its own and written with a plain system call, since what
/// hangs may be the runtime, or whoever holds the lock of standard error.
pub(crate) fn within<R>(what: &str, limit: Duration, f: impl FnOnce() -> R) -> R {
    let text = format!("\nwatchdog: {what} did not end within {limit:?}, aborting\n");
    let (ended, watched) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if watched.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            // SAFETY: the text is valid for its length.
            unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
            std::process::abort();
        }
    });
    // Dropped on return and on unwinding alike: either ends the watch.
    let ended = StopOnDrop(Some((ended, watchdog)));
    let result = f();
    drop(ended);
    result
}

struct StopOnDrop(Option<(mpsc::Sender<()>, thread::JoinHandle<()>)>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        let (ended, watchdog) = self.0.take().expect("dropped once");
        drop(ended);
        watchdog.join().expect("the watchdog does not panic");
    }
}
