//! Connections and the two ways to load them: as fast as replies come, or by schedule.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lisle_core::Histogram;

use super::poller::Poller;

/// How long a reply may take when nothing else is under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// The number of connections that are opened at once, less than what any listener queues: who finds
/// the queue full is let in a second later.
const BATCH: usize = 64;

/// A client with its connections.
pub(super) struct Client {
    poller: Poller,
    connections: Vec<Connection>,
    message: Vec<u8>,
    buffer: Vec<u8>,
    /// Messages per second in all; 0 for a closed loop.
    rate: u64,
}

/// A connection and the message that is under way on it.
struct Connection {
    stream: TcpStream,
    /// When the message was sent, or was to be sent.
    sent_at: Instant,
    busy: bool,
    received: usize,
    /// Complete messages, so that a starved connection shows.
    answered: u64,
}

impl Client {
    pub(super) fn connect(
        port: u16,
        connections: usize,
        bytes: usize,
        rate: u64,
    ) -> io::Result<Self> {
        let (message, buffer) = (vec![b'x'; bytes], vec![0; 1 << 16]);
        let mut client =
            Client { poller: Poller::new()?, connections: Vec::new(), message, buffer, rate };
        for key in 0..connections {
            let mut connection = Connection::open(port)?;
            client.poller.add(&connection.stream, key)?;
            let ends_batch = (key + 1) % BATCH == 0;
            if ends_batch {
                connection.send(&client.message, Instant::now())?;
            }
            client.connections.push(connection);
            if ends_batch {
                // Servers accept in order, so a reply to the last one says that all are in.
                client.drain(&mut Histogram::new())?;
            }
        }
        Ok(client)
    }

    /// Loads the server for `duration` and returns the latencies.
    pub(super) fn run(&mut self, duration: Duration) -> io::Result<Histogram> {
        if self.rate == 0 { self.run_closed(duration) } else { self.run_paced(duration) }
    }

    /// Complete replies on each connection.
    pub(super) fn answers(&self) -> impl Iterator<Item = u64> {
        self.connections.iter().map(|connection| connection.answered)
    }

    /// Counts replies from now on.
    pub(super) fn forget_answers(&mut self) {
        self.connections.iter_mut().for_each(|connection| connection.answered = 0);
    }

    /// Answers every reply with the next message. What is under way at the end stays so, as it was
    /// at the beginning.
    fn run_closed(&mut self, duration: Duration) -> io::Result<Histogram> {
        let Client { poller, connections, message, buffer, .. } = self;
        let mut latencies = Histogram::new();
        let end = Instant::now() + duration;
        for connection in connections.iter_mut().filter(|connection| !connection.busy) {
            connection.send(message, Instant::now())?;
        }
        while Instant::now() < end {
            for key in poller.wait(50)? {
                let connection = &mut connections[key];
                if let Some(latency) = connection.receive(message.len(), buffer)? {
                    latencies.record(latency);
                    connection.send(message, Instant::now())?;
                }
            }
        }
        Ok(latencies)
    }

    /// Sends by schedule, each message on the connection that has been idle for longest.
    ///
    /// A latency counts from the time a message was due, also when it had to wait for an idle
    /// connection: a server that stalls cannot hide that by holding the client up. The thread
    /// spins, as it has a CPU to itself. Replies that come after the end are waited for; what was
    /// never sent counts as if it were answered at the end, which is less than the truth.
    fn run_paced(&mut self, duration: Duration) -> io::Result<Histogram> {
        let mut latencies = Histogram::new();
        let mut idle: VecDeque<usize> = (0..self.connections.len()).collect();
        let start = Instant::now();
        let end = start + duration;
        let (mut sent, rate) = (0, self.rate);
        let due = |sent: u64| start + Duration::from_nanos(sent * 1_000_000_000 / rate);
        loop {
            let now = Instant::now();
            if now >= end {
                break;
            }
            let Client { poller, connections, message, buffer, .. } = &mut *self;
            while due(sent) <= now
                && let Some(key) = idle.pop_front()
            {
                connections[key].send(message, due(sent))?;
                sent += 1;
            }
            for key in poller.wait(0)? {
                if let Some(latency) = connections[key].receive(message.len(), buffer)? {
                    latencies.record(latency);
                    idle.push_back(key);
                }
            }
        }
        while due(sent) < end {
            latencies.record((end - due(sent)).as_nanos() as u64);
            sent += 1;
        }
        self.drain(&mut latencies)?;
        Ok(latencies)
    }

    /// Waits for what is under way.
    pub(super) fn drain(&mut self, latencies: &mut Histogram) -> io::Result<()> {
        let Client { poller, connections, message, buffer, .. } = self;
        let mut missing = connections.iter().filter(|connection| connection.busy).count();
        let end = Instant::now() + PATIENCE;
        while missing > 0 {
            if Instant::now() >= end {
                return Err(io::Error::other(format!("{missing} replies never came")));
            }
            for key in poller.wait(50)? {
                if let Some(latency) = connections[key].receive(message.len(), buffer)? {
                    latencies.record(latency);
                    missing -= 1;
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let sent_at = Instant::now();
        Ok(Connection { stream, sent_at, busy: false, received: 0, answered: 0 })
    }

    fn send(&mut self, message: &[u8], sent_at: Instant) -> io::Result<()> {
        (self.sent_at, self.busy) = (sent_at, true);
        // The socket is empty, so it takes the message as a whole.
        self.stream.write_all(message)
    }

    /// Reads what is there; if that completes the reply, its latency in nanoseconds.
    fn receive(&mut self, expected: usize, buffer: &mut [u8]) -> io::Result<Option<u64>> {
        match self.stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
            Ok(length) => self.received += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        if self.received > expected {
            return Err(io::Error::other("the reply is longer than the message"));
        }
        if self.received < expected {
            return Ok(None);
        }
        (self.received, self.busy) = (0, false);
        self.answered += 1;
        Ok(Some(self.sent_at.elapsed().as_nanos() as u64))
    }
}
