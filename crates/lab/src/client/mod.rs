//! The client of echo servers, the same for all: one thread on epoll, in a closed loop.
//!
//! ```text
//! lab client PORT CONNECTIONS BYTES WARMUP_MS MEASURED_MS
//! ```
//!
//! Every connection has one message under way at all times. The client prints `start` when the
//! warm-up is over and `stop` when the measured time is, so that the parent can read the server's
//! CPU clock at these moments; then one line of JSON.

mod poller;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lisle_core::Histogram;
use poller::Poller;

use crate::sys;

/// What to send where for how long.
struct Load {
    port: u16,
    connections: usize,
    bytes: usize,
    warm_up: Duration,
    measured: Duration,
}

/// A connection and the message that is under way on it.
struct Connection {
    stream: TcpStream,
    sent_at: Instant,
    received: usize,
    /// Complete messages, so that a starved connection shows.
    answered: u64,
}

/// Runs the client with the arguments after `client`.
pub(crate) fn run(args: impl Iterator<Item = String>) -> Result<(), String> {
    let numbers: Vec<u64> = args.map_while(|arg| arg.parse().ok()).collect();
    let [port, connections, bytes, warm_up, measured] = numbers[..] else {
        return Err("usage: client PORT CONNECTIONS BYTES WARMUP_MS MEASURED_MS".to_owned());
    };
    let load = Load {
        port: u16::try_from(port).map_err(|error| error.to_string())?,
        connections: connections as usize,
        bytes: bytes as usize,
        warm_up: Duration::from_millis(warm_up),
        measured: Duration::from_millis(measured),
    };
    sys::raise_file_limit().and_then(|()| load.run()).map_err(|error| format!("client: {error}"))
}

impl Load {
    fn run(&self) -> io::Result<()> {
        let mut poller = Poller::new()?;
        let message = vec![b'x'; self.bytes];
        let mut buffer = vec![0; 1 << 16];
        let mut connections = self.connect(&poller)?;
        for connection in &mut connections {
            connection.send(&message)?;
        }
        self.pump(&mut poller, &mut connections, &message, &mut buffer, self.warm_up)?;
        for connection in &mut connections {
            connection.answered = 0;
        }
        println!("start");
        let start = Instant::now();
        let latencies =
            self.pump(&mut poller, &mut connections, &message, &mut buffer, self.measured)?;
        let elapsed = start.elapsed();
        println!("stop");
        self.print(&latencies, elapsed, &connections);
        Ok(())
    }

    fn connect(&self, poller: &Poller) -> io::Result<Vec<Connection>> {
        (0..self.connections)
            .map(|key| {
                let stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                poller.add(&stream, key)?;
                Ok(Connection { stream, sent_at: Instant::now(), received: 0, answered: 0 })
            })
            .collect()
    }

    /// Answers every reply with the next message, for `duration`.
    fn pump(
        &self,
        poller: &mut Poller,
        connections: &mut [Connection],
        message: &[u8],
        buffer: &mut [u8],
        duration: Duration,
    ) -> io::Result<Histogram> {
        let mut latencies = Histogram::new();
        let end = Instant::now() + duration;
        while Instant::now() < end {
            for key in poller.wait(50)? {
                let connection = &mut connections[key];
                if connection.receive(message.len(), buffer)? {
                    latencies.record(connection.sent_at.elapsed().as_nanos() as u64);
                    connection.send(message)?;
                }
            }
        }
        Ok(latencies)
    }

    fn print(&self, latencies: &Histogram, elapsed: Duration, connections: &[Connection]) {
        let us = |ns: u64| ns as f64 / 1e3;
        let answered = || connections.iter().map(|connection| connection.answered);
        println!(
            "{{\"connections\":{},\"bytes\":{},\"requests\":{},\"rps\":{:.1},\"p50_us\":{:.1},\
             \"p99_us\":{:.1},\"p999_us\":{:.1},\"max_us\":{:.1},\"least\":{},\"most\":{}}}",
            self.connections,
            self.bytes,
            latencies.count(),
            latencies.count() as f64 / elapsed.as_secs_f64(),
            us(latencies.quantile(0.5)),
            us(latencies.quantile(0.99)),
            us(latencies.quantile(0.999)),
            us(latencies.max()),
            answered().min().unwrap_or(0),
            answered().max().unwrap_or(0),
        );
    }
}

impl Connection {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.sent_at = Instant::now();
        // The socket is empty, so it takes the message as a whole.
        self.stream.write_all(message)
    }

    /// Reads what is there; whether the reply is complete.
    fn receive(&mut self, expected: usize, buffer: &mut [u8]) -> io::Result<bool> {
        match self.stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
            Ok(length) => self.received += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        if self.received > expected {
            return Err(io::Error::other("the reply is longer than the message"));
        }
        let complete = self.received == expected;
        if complete {
            self.received = 0;
            self.answered += 1;
        }
        Ok(complete)
    }
}
