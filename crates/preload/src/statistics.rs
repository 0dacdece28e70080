//! What `--stats` prints when the program exits.

use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use lisle_rt::{PollerKind, Runtime, thread};

/// The process that is to print; its children are not.
static PRINTS: AtomicU32 = AtomicU32::new(0);

/// Has the statistics printed when the process ends by `exit`.
pub(crate) fn print_at_end() {
    PRINTS.store(std::process::id(), Ordering::Relaxed);
    // SAFETY: the function may be called at any exit.
    unsafe { libc::atexit(print) };
}

extern "C" fn print() {
    if PRINTS.load(Ordering::Relaxed) != std::process::id() {
        return;
    }
    let text = text();
    // SAFETY: a live buffer of that length. The stream may be closed by now, so not by `eprint`.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}

fn text() -> String {
    // SAFETY: all-zero is a valid value to fill in, and a live place.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let (made, most) = thread::made();
    let mut text = String::from("lisle: statistics\n");
    let mut row = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name:<34} {value}");
    };
    match (made > 0).then(Runtime::get_or_start) {
        Some(Ok(Some(runtime))) => {
            let poller = match runtime.poller().0 {
                PollerKind::Uring => "io_uring",
                PollerKind::Epoll => "epoll",
            };
            row("workers", &runtime.workers());
            row("waiting by", &poller);
        }
        _ => row("coroutines", &"none were made"),
    }
    row("threads made as coroutines", &made);
    row("threads at the same time, at most", &most);
    row("memory at most, KiB", &usage.ru_maxrss);
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    row("CPU in the program, s", &format_args!("{:.3}", seconds(usage.ru_utime)));
    row("CPU in the kernel, s", &format_args!("{:.3}", seconds(usage.ru_stime)));
    row("context switches, voluntary", &usage.ru_nvcsw);
    row("context switches, involuntary", &usage.ru_nivcsw);
    text
}
