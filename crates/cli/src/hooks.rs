//! `lisle hooks`: which functions of the C library suspend a coroutine, how, and which do not.

use std::process::ExitCode;

const USAGE: &str = "\
Tell which functions of the C library suspend a coroutine, and how.

Usage: lisle hooks [SYMBOL]...

Without symbols, all that are hooked, and all that can wait and are not. The exit status is 1 if
nothing is known of a symbol.
";

/// The subcommand.
pub(crate) fn main(args: &[String]) -> ExitCode {
    if args.iter().any(|arg| arg == "-h" || arg == "--help") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if let Some(option) = args.iter().find(|arg| arg.starts_with('-')) {
        return crate::misused(&format!("hooks has no option {option}"));
    }
    answer(args)
}

#[cfg(not(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_env = "gnu",
    not(target_feature = "crt-static")
)))]
fn answer(_: &[String]) -> ExitCode {
    println!("There are no hooks on this platform: each coroutine is an OS thread.");
    ExitCode::SUCCESS
}

#[cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
use here::answer;

#[cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
mod here {
    use std::process::ExitCode;

    use lisle_hook::table::{self, Finding, Row, Unhooked};

    use crate::text::wrapped;

    pub(super) fn answer(symbols: &[String]) -> ExitCode {
        if symbols.is_empty() {
            all();
            return ExitCode::SUCCESS;
        }
        let mut status = ExitCode::SUCCESS;
        for symbol in symbols {
            match table::find(symbol) {
                Some(Finding::Hooked(row)) => {
                    println!("{symbol}: hooked");
                    hooked(row);
                }
                Some(Finding::Unhooked(group)) => {
                    println!("{symbol}: not hooked; {}", group.what);
                    unhooked(group);
                }
                Some(Finding::Harmless) => println!("{symbol}: not hooked; it does not wait"),
                None => {
                    println!("{symbol}: unknown");
                    status = ExitCode::FAILURE;
                }
            }
            if let Some(row) = table::under_run(symbol) {
                println!("{symbol}: defined anew under `lisle run`");
                hooked(row);
            }
        }
        status
    }

    fn all() {
        for family in table::TABLE {
            println!("{}\n", family.title);
            for row in family.rows {
                print!("{}", wrapped(row.symbols, 2));
                hooked(row);
                println!();
            }
        }
        println!("Defined anew under `lisle run`\n");
        for row in table::RUN.rows {
            print!("{}", wrapped(row.symbols, 2));
            hooked(row);
            println!();
        }
        println!("Not hooked: these block their worker\n");
        for group in table::unhooked() {
            print!("{}{}", wrapped(group.what, 2), wrapped(group.symbols, 4));
            unhooked(group);
            println!();
        }
    }

    fn hooked(row: &Row) {
        print!("{}", wrapped(&format!("how: {}", row.how), 4));
        if !row.differs.is_empty() {
            print!("{}", wrapped(&format!("differs: {}", row.differs), 4));
        }
    }

    fn unhooked(group: &Unhooked) {
        print!("{}", wrapped(&format!("why: {}", group.why), 4));
        print!("{}", wrapped(&format!("remedy: {}", group.remedy), 4));
    }
}
