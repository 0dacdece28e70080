//! An HTTP/1.1 server that answers every request with the same few bytes: a task per connection.
//!
//! It is what one writes by hand on blocking sockets: reads into a buffer, parses each head, and
//! writes the answers to what a read brought at once.

use std::io::{self, Read, Write};

use httparse::{Request, Status};

use super::Blocking;
use crate::{HTTP_BODY, Outcome, report_port};

/// The greatest head of a request.
const HEAD: usize = 8192;

/// Serves until the process is killed.
pub(super) fn serve<S: Blocking>() -> Outcome<()> {
    let refused = |error: io::Error| error.to_string();
    let (listener, port) = S::listen().map_err(refused)?;
    report_port(port);
    loop {
        let mut stream = S::accept(&listener).map_err(refused)?;
        // The client notices a connection that broke.
        S::spawn(move || drop(converse(&mut stream))).map_err(refused)?;
    }
}

fn converse(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let (mut input, mut filled) = (vec![0; HEAD], 0);
    let mut output = Vec::new();
    loop {
        filled += match stream.read(&mut input[filled..])? {
            0 => return Ok(()),
            length => length,
        };
        let (used, open) = answer(&input[..filled], &mut output)?;
        stream.write_all(&output)?;
        output.clear();
        if !open {
            return Ok(());
        }
        input.copy_within(used..filled, 0);
        filled -= used;
    }
}

/// Answers the complete requests in `input`: the bytes they took, and whether to go on.
fn answer(input: &[u8], output: &mut Vec<u8>) -> io::Result<(usize, bool)> {
    let mut used = 0;
    while used < input.len() {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = Request::new(&mut headers);
        match request.parse(&input[used..]).map_err(io::Error::other)? {
            Status::Complete(length) => used += length,
            Status::Partial if input.len() == HEAD => return Err(io::ErrorKind::InvalidData.into()),
            Status::Partial => break,
        }
        write!(
            output,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{HTTP_BODY}",
            HTTP_BODY.len()
        )?;
        if !stays_open(&request) {
            return Ok((used, false));
        }
    }
    Ok((used, true))
}

/// Whether the client wants to go on after `request`.
fn stays_open(request: &Request<'_, '_>) -> bool {
    let closes = |header: &httparse::Header<'_>| {
        header.name.eq_ignore_ascii_case("connection")
            && header.value.eq_ignore_ascii_case(b"close")
    };
    request.version == Some(1) && !request.headers.iter().any(closes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

    #[test]
    fn complete_requests_are_answered() {
        let mut output = Vec::new();
        let input = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /";
        assert_eq!(answer(input, &mut output).unwrap(), (45, true));
        assert_eq!(output, ANSWER.repeat(2).as_bytes());
    }

    #[test]
    fn client_may_close() {
        let mut output = Vec::new();
        let input = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
        assert_eq!(answer(input, &mut output).unwrap(), (input.len(), false));
        assert_eq!(output, ANSWER.as_bytes());
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(answer(b"\0\0\0\r\n\r\n", &mut Vec::new()).is_err());
    }
}
