//! A TCP server that sends back what it receives: a task per connection.

use std::io::{self, Read, Write};

use super::Blocking;
use crate::{Outcome, report_port};

/// The buffer of a connection, the same in all systems.
const BUFFER: usize = 2048;

/// Serves until the process is killed.
pub(super) fn serve<S: Blocking>() -> Outcome<()> {
    let refused = |error: io::Error| error.to_string();
    let (listener, port) = S::listen().map_err(refused)?;
    report_port(port);
    loop {
        let mut stream = S::accept(&listener).map_err(refused)?;
        // The client notices a connection that broke.
        S::spawn(move || drop(echo(&mut stream))).map_err(refused)?;
    }
}

fn echo(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length])?,
        }
    }
}
