//! What a harness program is made of: parameters, clock, figures of the process, and the
//! loops of every case, written once for all systems of a kind.
//!
//! ```text
//! harness CASE name=value...   ->   lines "metric value unit" on standard output
//! ```
//!
//! A harness program runs one case once in a process of its own, so that no system disturbs
//! another. The loops are generic over the system: [`blocking`] for those whose tasks are written
//! like threads (Lisle, may, OS threads), [`futures`] for executors of futures (tokio, smol).
//! So two systems of a kind run the same code, and the two kinds can be read side by side.
//!
//! When a case fails, the program says why on standard error and exits with status 1.

pub mod blocking;
mod channels;
mod clock;
mod files;
pub mod futures;
mod gate;
pub mod hogs;
mod listen;
mod params;
mod process;
mod pthread;
mod quantiles;
mod random;
mod sleepers;

pub use listen::lengthen_queue;
pub use params::{Params, run};

/// Why a case could not be measured.
pub type Outcome<T> = Result<T, String>;

/// Prints one figure.
fn report(metric: &str, value: f64, unit: &str) {
    println!("{metric} {value:.3} {unit}");
}

/// Prints a time per operation in nanoseconds.
fn report_ns(metric: &str, value: f64) {
    report(metric, value, "ns");
}

/// What HTTP servers answer every request with, as `text/plain`.
pub const HTTP_BODY: &str = "Hello, World!";

/// Tells the parent where a server listens. The parent waits for this line.
pub fn report_port(port: u16) {
    println!("port {port}");
}
