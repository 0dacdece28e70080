//! One connection of the client: a request out, its reply in, over and over.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: lisle\r\n\r\n";
const STATUS: &[u8] = b"HTTP/1.1 200 ";

/// A connection and where it is in its exchange.
pub(super) struct Connection {
    stream: TcpStream,
    /// Bytes of the request that are out. More than none is left only while connecting, or if a
    /// socket buffer is smaller than a request.
    sent: usize,
    /// Bytes of the reply that are in.
    received: usize,
    sent_at: Instant,
    /// Whether a reply is awaited.
    busy: bool,
}

/// How far an exchange has got.
pub(super) enum Progress {
    Waiting,
    Replied,
}

impl Connection {
    /// Begins to connect. The first request goes out when the connection is there.
    pub(super) fn open(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Connection { stream, sent: 0, received: 0, sent_at: Instant::now(), busy: true })
    }

    /// Whether the connection is in the making, or has a request under way.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// When the request was sent that is, or was last, under way.
    pub(super) fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// Sends the next request.
    pub(super) fn request(&mut self) -> io::Result<()> {
        self.sent = 0;
        self.received = 0;
        self.sent_at = Instant::now();
        self.busy = true;
        self.push()
    }

    /// Goes on after an event. `reply_length` is learnt from the first reply of all and checked
    /// with every other: the server always says the same.
    pub(super) fn advance(&mut self, reply_length: &mut Option<usize>) -> io::Result<Progress> {
        if self.sent < REQUEST.len() {
            if self.sent == 0 {
                self.stream.set_nodelay(true)?;
            }
            self.push()?;
            return Ok(Progress::Waiting);
        }
        let mut buffer = [0; 4096];
        loop {
            let count = match self.stream.read(&mut buffer) {
                Ok(0) => return Err(broken("the server closed the connection")),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::Waiting);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // The server writes its short reply at once, so the first piece has the status line.
            if self.received == 0 && !buffer[..count].starts_with(STATUS) {
                return Err(broken("the server's reply is not 200 OK"));
            }
            self.received += count;
            let length = match *reply_length {
                Some(length) => length,
                None => *reply_length.insert(length_of_reply(&buffer[..count])?),
            };
            match self.received {
                received if received < length => {}
                // The next bytes can only come after the next request, and will make a new event,
                // so there is no need to read until there is nothing.
                received if received == length && self.busy => {
                    self.busy = false;
                    return Ok(Progress::Replied);
                }
                _ => return Err(broken("the server's reply is too long")),
            }
        }
    }

    fn push(&mut self) -> io::Result<()> {
        while self.sent < REQUEST.len() {
            match self.stream.write(&REQUEST[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected => return Ok(()),
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }
}

fn length_of_reply(reply: &[u8]) -> io::Result<usize> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(reply) {
        Ok(httparse::Status::Complete(head)) => head,
        _ => return Err(broken("the server's reply is not HTTP")),
    };
    let length = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    length
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok())
        .map(|body| head + body)
        .ok_or_else(|| broken("the server's reply has no length"))
}

fn broken(what: &str) -> io::Error {
    io::Error::other(what)
}
