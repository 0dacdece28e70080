//! One thread of the client: an epoll instance and its share of the connections.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};

use super::Counter;
use super::connection::{Connection, Progress};
use crate::demo::outcome::Load;

/// Connections that may be in the making at the same time: fewer than any server's backlog.
const OPENING: usize = 64;
/// Failures after which no more connections are opened: one is an accident, many are a limit.
const FAILURES: usize = 16;
/// How long nothing may happen while connections are made, or when replies are outstanding.
const PATIENCE: Duration = Duration::from_secs(10);

/// A histogram of microseconds, up to ten minutes, to three digits.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are in order")
}

/// How the connecting went.
pub(super) struct Opened {
    pub(super) open: usize,
    pub(super) first_error: Option<String>,
}

/// The connections, by token, and what is awaited of them.
pub(super) struct Driver {
    poll: Poll,
    events: Events,
    connections: Vec<Option<Connection>>,
    reply_length: Option<usize>,
    /// Connections that are in the making, or have a request under way.
    outstanding: usize,
    failures: usize,
    first_error: Option<String>,
}

impl Driver {
    pub(super) fn new() -> Driver {
        Driver {
            poll: Poll::new().expect("an epoll instance"),
            events: Events::with_capacity(256),
            connections: Vec::new(),
            reply_length: None,
            outstanding: 0,
            failures: 0,
            first_error: None,
        }
    }

    /// Opens `count` connections and has one reply on each, so that there is no doubt that the
    /// server serves them and that their memory is in use.
    pub(super) fn open(
        &mut self,
        count: usize,
        addresses: &[SocketAddr],
        connected: &Counter,
    ) -> Opened {
        let mut moved = Instant::now();
        loop {
            while self.outstanding < OPENING
                && self.connections.len() < count
                && self.failures < FAILURES
            {
                self.open_one(addresses);
            }
            if self.outstanding == 0 {
                break;
            }
            let before = self.outstanding;
            self.step(Duration::from_millis(100), |_, _| {
                connected.fetch_add(1, Ordering::Relaxed);
                false
            });
            if self.outstanding != before {
                moved = Instant::now();
            } else if moved.elapsed() > PATIENCE {
                self.first_error.get_or_insert_with(|| "connecting timed out".to_owned());
                break;
            }
        }
        // What got stuck is not to be mistaken for open.
        for slot in &mut self.connections {
            slot.take_if(|connection| connection.is_busy());
        }
        self.outstanding = 0;
        let open = self.connections.iter().flatten().count();
        Opened { open, first_error: self.first_error.take() }
    }

    fn open_one(&mut self, addresses: &[SocketAddr]) {
        let index = self.connections.len();
        let address = addresses[index % addresses.len()];
        match Connection::open(address, self.poll.registry(), Token(index)) {
            Ok(connection) => {
                self.connections.push(Some(connection));
                self.outstanding += 1;
            }
            Err(error) => {
                self.connections.push(None);
                self.fail(&error);
            }
        }
    }

    /// Drives all connections until `end`, then waits for the replies that are under way.
    pub(super) fn load(&mut self, end: Instant, replies: &Counter) -> (Load, Histogram<u64>) {
        let mut histogram = histogram();
        let mut load = Load::default();
        self.failures = 0;
        let mut record = |sent_at: Instant, now: Instant| {
            let latency = now.saturating_duration_since(sent_at).as_micros() as u64;
            histogram.saturating_record(latency);
            load.replies += 1;
            load.in_time += u64::from(now < end);
            replies.fetch_add(1, Ordering::Relaxed);
            now < end
        };
        // All are set going before the first replies are looked at, or else those that were set
        // going first would have the server to themselves for a good part of the time.
        for index in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[index] else { continue };
            match connection.request() {
                Ok(()) => self.outstanding += 1,
                // Closed since it was opened; not yet counted as outstanding.
                Err(error) => {
                    self.connections[index] = None;
                    self.fail(&error);
                }
            }
        }
        while self.outstanding > 0 && Instant::now() < end + PATIENCE {
            self.step(Duration::from_millis(50), &mut record);
        }
        if self.outstanding > 0 {
            let late = "no reply within ten seconds after the load";
            self.first_error.get_or_insert_with(|| late.to_owned());
        }
        load.errors = (self.failures + self.outstanding) as u64;
        load.first_error = self.first_error.take();
        (load, histogram)
    }

    /// Waits for events and handles them. `replied` gets when a request was sent and when its reply
    /// was there, and says whether to send another.
    fn step(&mut self, wait: Duration, mut replied: impl FnMut(Instant, Instant) -> bool) {
        if let Err(error) = self.poll.poll(&mut self.events, Some(wait)) {
            assert_eq!(error.kind(), io::ErrorKind::Interrupted, "waiting for events: {error}");
            return;
        }
        // The list is lent out, so that the connections' failures can be noted meanwhile.
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let slot = &mut self.connections[event.token().0];
            let Some(connection) = slot else { continue };
            let result = connection.advance(&mut self.reply_length).and_then(|progress| {
                if let Progress::Waiting = progress {
                    return Ok(false);
                }
                let more = replied(connection.sent_at(), Instant::now());
                if more {
                    connection.request()?;
                }
                Ok(!more)
            });
            match result {
                Ok(ended) => self.outstanding -= usize::from(ended),
                Err(error) => {
                    self.outstanding -= usize::from(connection.is_busy());
                    *slot = None;
                    self.fail(&error);
                }
            }
        }
        self.events = events;
    }

    fn fail(&mut self, error: &io::Error) {
        self.failures += 1;
        self.first_error.get_or_insert_with(|| error.to_string());
    }
}
