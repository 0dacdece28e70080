//! An HTTP/1.1 server with a thread per connection, in plain `std::net`.
//!
//! There is nothing special in it, and that is the point: it accepts, reads, parses and writes with
//! calls that block. Where it says `lisle::Builder`, a threaded server says `std::thread::Builder`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    serve(&listener)
}

/// Serves each connection on a coroutine of its own. (`Builder::spawn` is `spawn` without a panic.)
pub(crate) fn serve(listener: &TcpListener) -> ! {
    loop {
        let start = |(stream, _)| lisle::Builder::new().spawn(move || converse(stream));
        if let Err(error) = listener.accept().and_then(start) {
            eprintln!("cannot take a connection: {error}");
            std::thread::sleep(Duration::from_millis(50)); // others may end meanwhile
        }
    }
}

fn converse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut input, mut filled) = (vec![0; 1024], 0);
    loop {
        filled += match stream.read(&mut input[filled..])? {
            0 => return Ok(()),
            count => count,
        };
        let mut output = Vec::new();
        let (used, open) = answer(&input[..filled], &mut output);
        stream.write_all(&output)?;
        if !open {
            // Closing with input unread would reset the connection, and could destroy the reply.
            stream.shutdown(Shutdown::Write)?;
            return io::copy(&mut stream.take(1 << 20), &mut io::sink()).map(drop);
        }
        input.copy_within(used..filled, 0);
        filled -= used;
        input.resize(input.len() << usize::from(filled == input.len()), 0);
    }
}

/// Answers the complete requests in `input`: returns the bytes they took, and whether to go on.
fn answer(input: &[u8], output: &mut Vec<u8>) -> (usize, bool) {
    let (mut used, mut open) = (0, true);
    while open && used < input.len() {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        let mut status = "200 OK";
        match request.parse(&input[used..]) {
            Ok(httparse::Status::Complete(length)) => used += length,
            Ok(_) if input.len() - used < 8192 => break,
            Ok(_) | Err(httparse::Error::TooManyHeaders) => status = "431 Headers Too Large",
            Err(_) => status = "400 Bad Request",
        }
        open = request.version == Some(1) && status == "200 OK";
        for header in &*request.headers {
            let value = String::from_utf8_lossy(header.value).to_lowercase();
            match header.name.to_lowercase().as_str() {
                "connection" => open &= value.split(',').all(|v| v.trim() != "close"),
                "content-length" if value.trim() == "0" => {}
                "content-length" | "transfer-encoding" if open => status = "413 Content Too Large",
                _ => {}
            }
        }
        open &= !status.starts_with('4');
        let close = if open { "" } else { "Connection: close\r\n" };
        let body = if request.method == Some("HEAD") { "" } else { "Hello, world\n" };
        let _ = write!(output, "HTTP/1.1 {status}\r\n{close}Content-Length: 13\r\n\r\n{body}");
    }
    (used, open)
}
