//! `lisle doctor`: what this machine allows, what Lisle makes of it, and what can be done about it.

use std::process::ExitCode;

use lisle::runtime::{self, Mode, Poller};

const USAGE: &str = "\
Tell how coroutines run here, and why.

Usage: lisle doctor

The exit status is 0 if coroutines run on a few OS threads, 1 if each is an OS thread of its own.
";

/// The subcommand.
pub(crate) fn main(args: &[String]) -> ExitCode {
    match args {
        [] => report(),
        [arg] if arg == "-h" || arg == "--help" => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => crate::misused(&format!("doctor takes no arguments: {}", args.join(" "))),
    }
}

fn report() -> ExitCode {
    line("kernel", &format!("{} {}", kernel("ostype"), kernel("osrelease")));
    line("processor", &format!("{}, {} usable", std::env::consts::ARCH, processors()));
    let mode = runtime::mode();
    match (mode, runtime::coroutines_unavailable()) {
        (Mode::Coroutines, _) => {
            line("mode", &format!("coroutines on {} workers", runtime::workers()));
        }
        (_, Some(reason)) => line("mode", &format!("OS threads, because {reason}")),
        (_, None) => line("mode", "OS threads, as LISLE_MODE asks"),
    }
    match (runtime::poller(), runtime::uring_unavailable()) {
        (Some(Poller::Uring), _) => line("poller", "io_uring"),
        (Some(Poller::Epoll), Some(reason)) => {
            line("poller", &format!("epoll, because {reason}"));
        }
        (Some(Poller::Epoll), None) => line("poller", "epoll, as LISLE_POLLER asks"),
        (None, _) => line("poller", "none: OS threads block"),
    }
    if mode == Mode::Coroutines { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(name: &str, value: &str) {
    println!("{name:<10} {value}");
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What the kernel tells about itself.
fn kernel(name: &str) -> String {
    let path = format!("/proc/sys/kernel/{name}");
    std::fs::read_to_string(path)
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
