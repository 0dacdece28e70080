//! The laboratory of Lisle: benchmarks beside rivals, in one run, by one set of rules.
//!
//! ```text
//!                 bench ── round after round, every system once per case
//!                   │
//!        ┌──────────┴───────────┐ a child process per measurement, bound to CPUs
//!   own executable         rivals' programs (rival/: built on first use)
//!   `lab harness CASE`     `rival-tokio CASE`, `rival-go CASE`, ...
//!        └──────────┬───────────┘
//!        "metric value unit" lines ── series ── tables, CSV, published runs
//! ```
//!
//! The loops themselves are in `lisle-lab-harness`, generic over the system, so that all Rust
//! systems run the same code. `README.md` says what each case means and how to run it.

#![deny(unsafe_code)]

mod bench;
mod case;
mod channels;
mod child;
mod client;
pub mod csv;
mod data;
mod harness;
mod machine;
mod options;
mod peak;
mod plot;
mod publish;
mod rivals;
pub mod series;
mod standing;
mod svg;
mod sys;
mod syscalls;
mod system;
mod table;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: lab bench [--quick] [--rounds N] [--systems A,B] [--csv FILE]
                 [--publish DIR --host NAME] [CASE...]
       lab list
       lab plot CSV

CASE is a case or one of its variants, as `lab list` shows them; without one, all are run.
`plot` draws the case `fair` of such a file beside it.";

/// Runs the laboratory with the arguments after `lab`.
///
/// Two commands are not for people: `harness` runs one case of Lisle, `client` drives an echo
/// server. The laboratory starts itself with them.
pub fn main(args: Vec<String>) -> ExitCode {
    let own = child::Own::from_args(&args);
    let mut rest = args.into_iter();
    let outcome = match rest.next().as_deref() {
        Some("bench") => bench::run(rest, &own),
        Some("list") => {
            bench::list();
            Ok(())
        }
        Some("plot") => plot(rest),
        Some("harness") => return harness::run(rest),
        Some("client") => client::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// `lab plot CSV`.
fn plot(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let (Some(csv), None) = (args.next(), args.next()) else { return Err(USAGE.to_owned()) };
    println!("written to {}", publish::draw(Path::new(&csv))?.display());
    Ok(())
}
