//! `lisle doctor`: what this machine allows, what Lisle makes of it, and what can be done about it.
//!
//! What the runtime asks of the platform is tried, by the same calls, rather than guessed from
//! versions. One topic a file; each gives [`Check`](report::Check)s.

mod environment;
mod outcome;
mod report;

#[cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
mod machine;

use std::process::ExitCode;

use report::print;

const USAGE: &str = "\
Tell how coroutines run here, why, and what could be better.

Usage: lisle doctor

Each line begins with `ok`; with `less` where something is missing that Lisle does without; or with
`FAIL` where coroutines cannot run on a few OS threads. Then follow what that means and a remedy.

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

#[cfg(not(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_env = "gnu",
    not(target_feature = "crt-static")
)))]
fn elsewhere() -> report::Check {
    report::Check::fatal(
        "platform",
        "another one than x86-64 Linux with glibc, dynamically linked",
        "each coroutine is an OS thread, and nothing is hooked",
        "build for x86_64-unknown-linux-gnu, without the target feature crt-static",
    )
}

fn report() -> ExitCode {
    let (outcome, works) = outcome::checks();
    print("Outcome", &outcome);
    print("Environment", &environment::checks());
    #[cfg(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu",
        not(target_feature = "crt-static")
    ))]
    for (title, checks) in machine::checks() {
        print(title, &checks);
    }
    #[cfg(not(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu",
        not(target_feature = "crt-static")
    )))]
    print("Platform", &[elsewhere()]);
    if works { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
