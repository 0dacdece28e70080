//! `lisle demo`: one server, run on coroutines and then on OS threads, under the same load.
//!
//! ```text
//!                 lisle demo  (samples the server's /proc, reports)
//!                 |         |
//!       stdin/out |         | stdin/out
//!                 v         v
//!   demo-server ----------- demo-client
//!   (server.rs)    TCP      (one or more epoll threads)
//! ```
//!
//! Server and client are processes of their own, so that what is measured of the server is the
//! server's, and so that the mode can be chosen with `LISLE_MODE`, as a user would. Both end when
//! their standard input does, hence with the parent, however that ends.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

mod child;
mod client;
mod limits;
mod measure;
mod options;
mod outcome;
mod progress;
mod report;
mod sample;
mod serve;
mod table;

use options::{Options, Request};
use outcome::{Machine, Outcome, System};
use progress::Progress;

pub(crate) use client::main as client_main;
pub(crate) use serve::main as server_main;

/// The hidden subcommand that serves.
pub(crate) const SERVER_COMMAND: &str = "demo-server";
/// The hidden subcommand that makes the load.
pub(crate) const CLIENT_COMMAND: &str = "demo-client";

/// Why the demo, or a part of it, cannot go on: the cause and the remedy, for people.
type Failure = String;

/// The subcommand itself.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let options = match options::parse(args) {
        Ok(Request::Run(options)) => options,
        Ok(Request::Help) => {
            print!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprint!("lisle demo: {problem}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("lisle demo: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    // A minute of work should not be lost to a typing error that can be seen before.
    for path in [&options.report, &options.json].into_iter().flatten() {
        check_target(path)?;
    }
    let mut progress = Progress::new();
    let mut columns = Vec::new();
    for system in [System::Coroutines, System::Threads] {
        columns.push(measure::measure(system, options, &mut progress)?);
    }
    progress.finish();
    let outcome = Outcome { machine: Machine::read(), seconds: options.seconds, columns };

    print(&table::render(&outcome));
    let written = report::write(&outcome, options.report.as_deref())?;
    print(&format!("\nReport: {}\n", written.display()));
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(&outcome).map_err(|error| error.to_string())?;
        std::fs::write(path, json + "\n").map_err(|error| unwritable(path, &error))?;
        print(&format!("Figures: {}\n", path.display()));
    }
    Ok(())
}

/// Writes to standard output. That nobody reads it is no reason to fail: there are the files.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn check_target(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if path.is_dir() {
        return Err(format!("{} is a directory: name a file in it", path.display()));
    }
    match parent {
        Some(parent) if !parent.is_dir() => {
            Err(format!("{}: there is no directory {}", path.display(), parent.display()))
        }
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    format!("cannot write {}: {error}; name another place", path.display())
}
