//! The hidden subcommand that serves: the example's server, told what to do by its parent.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use super::child::{end_with_parent, report};
use super::limits;
use crate::server;

/// What the server tells when it listens.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    /// The runtime's mode.
    pub(super) mode: String,
    pub(super) addresses: Vec<SocketAddr>,
}

/// Arguments: the number of addresses to listen on.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let count = args.first().and_then(|count| count.parse().ok()).unwrap_or(1);
    limits::raise_open_files();
    match listen(count) {
        Ok(addresses) => {
            // Only asked for here, after the limits are raised, since asking starts the runtime.
            let mode = match lisle::runtime::mode() {
                lisle::runtime::Mode::Threads => "threads",
                _ => "coroutines",
            };
            report(&Ready { mode: mode.to_owned(), addresses });
            end_with_parent(drop)
        }
        Err(error) => {
            eprintln!("cannot listen on the loopback address: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts to serve on ports that the kernel chooses. Each has the client's ports to itself, so that
/// there can be more connections than a client has ports.
fn listen(count: usize) -> std::io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::with_capacity(count);
    for _ in 0..count {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        addresses.push(listener.local_addr()?);
        lisle::Builder::new().spawn(move || server::serve(&listener))?;
    }
    Ok(addresses)
}
