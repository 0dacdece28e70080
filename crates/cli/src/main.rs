//! The `lisle` command: one module a subcommand.

use std::ffi::OsString;
use std::process::ExitCode;

mod cgroup;
mod demo;
mod doctor;
mod hooks;
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod run;
// The very file that readers are shown as an example, so that the demo measures what they read.
// This crate is not published, so a path out of it does no harm.
#[path = "../../lisle/examples/http_server.rs"]
#[expect(dead_code, reason = "an example has a main function; only `serve` is used here")]
mod server;
mod text;

const USAGE: &str = "\
Ordinary blocking code as coroutines.

Usage: lisle <command> [options]

Commands:
  demo    Run one HTTP server on coroutines, then on OS threads, and compare them
  doctor  Tell how coroutines run on this machine, and why
  hooks   Tell which functions of the C library suspend a coroutine, and how
  lab     Run the laboratory's experiments
  run     Run an unmodified program, with its threads as coroutines

Options:
  -h, --help       Print this help; `lisle <command> --help` tells about a command
  -V, --version    Print the version
";

fn main() -> ExitCode {
    let mut all = std::env::args_os().skip(1).peekable();
    // What it is to run may have arguments of any kind.
    if all.next_if(|arg| arg == "run").is_some() {
        return run(all.collect());
    }
    let mut args: Vec<String> = Vec::new();
    for arg in all {
        match arg.into_string() {
            Ok(arg) => args.push(arg),
            Err(arg) => return misused(&format!("{} is not UTF-8", arg.display())),
        }
    }
    if args.is_empty() {
        return misused("a command is missing");
    }
    let command = args.remove(0);
    match command.as_str() {
        "demo" => demo::main(&args),
        demo::SERVER_COMMAND => demo::server_main(&args),
        demo::CLIENT_COMMAND => demo::client_main(&args),
        "doctor" => doctor::main(&args),
        "hooks" => hooks::main(&args),
        "lab" => lisle_lab::main(args),
        "-h" | "--help" | "help" => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        "-V" | "--version" => {
            println!("lisle {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => misused(&format!("there is no command {command:?}")),
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
fn run(args: Vec<OsString>) -> ExitCode {
    run::main(args)
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
fn run(_: Vec<OsString>) -> ExitCode {
    misused("run is for Linux on x86-64, with glibc")
}

/// Says what is wrong with the arguments. Status 2 tells scripts that the run did not fail.
fn misused(problem: &str) -> ExitCode {
    eprint!("lisle: {problem}\n\n{USAGE}");
    ExitCode::from(2)
}
