//! The laboratory by itself; the same as `lisle lab`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lisle_lab::main(std::env::args().skip(1).collect())
}
