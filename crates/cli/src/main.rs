//! The lisle command.
fn main() {}
