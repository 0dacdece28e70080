//! The hidden subcommand that makes the load: opens connections, keeps them idle, then drives all.
//!
//! ```text
//! parent: (args)                      "load"
//! client:         Connected                  Tick Tick ... Finished
//! ```
//!
//! The load is a closed loop: each connection sends its next request when it has the reply to the
//! last one. So a slow server is asked less often, and its latency is that of as many requests in
//! flight as there are connections; the report says so.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::child::{end_with_parent, report};
use super::limits;
use super::outcome::{Latency, Load};

mod connection;
mod driver;

use driver::{Driver, Opened};

/// The length of a tick, as the rate's plot shows it.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// What the client tells its parent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// Still connecting; this many connections are there.
    Connecting(usize),
    /// As many connections as there will be are open, and each has had a reply.
    Connected { open: usize, first_error: Option<String> },
    /// Replies since the beginning of the load; one about each [`TICK`].
    Tick { seconds: f64, replies: u64 },
    /// The load is over. The connections stay open until the client ends.
    Finished(Load),
}

/// Arguments: connections, seconds, threads, then the addresses of the server.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let Some(task) = Task::parse(args) else {
        eprintln!("the client is run by `lisle demo` alone");
        return ExitCode::from(2);
    };
    limits::raise_open_files();
    let (go, gone) = mpsc::channel();
    thread::spawn(move || {
        end_with_parent(move |_| _ = go.send(()));
    });
    run(&task, &gone);
    // The connections must stay open until the parent has taken its samples.
    loop {
        thread::park();
    }
}

struct Task {
    connections: usize,
    time: Duration,
    threads: usize,
    addresses: Vec<SocketAddr>,
}

impl Task {
    fn parse(args: &[String]) -> Option<Task> {
        let [connections, seconds, threads, addresses @ ..] = args else { return None };
        let addresses: Vec<SocketAddr> =
            addresses.iter().map(|address| address.parse().ok()).collect::<Option<_>>()?;
        Some(Task {
            connections: connections.parse().ok()?,
            time: Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?,
            threads: threads.parse().ok().filter(|&threads| threads > 0)?,
            addresses: (!addresses.is_empty()).then_some(addresses)?,
        })
    }
}

/// The count that all drivers keep together.
pub(super) type Counter = Arc<AtomicU64>;

fn run(task: &Task, go: &mpsc::Receiver<()>) {
    let (opened_sender, opened) = mpsc::channel();
    let (result_sender, results) = mpsc::channel();
    let connected = Counter::default();
    let replies = Counter::default();
    let mut starts = Vec::new();
    for index in 0..task.threads {
        let (start, started) = mpsc::channel::<Instant>();
        starts.push(start);
        // Spread evenly: the first few take one more if it does not come out even.
        let share = (task.connections + task.threads - 1 - index) / task.threads;
        let addresses = task.addresses.clone();
        let (opened, results) = (opened_sender.clone(), result_sender.clone());
        let (connected, replies) = (Counter::clone(&connected), Counter::clone(&replies));
        let time = task.time;
        thread::spawn(move || {
            let mut driver = Driver::new();
            let _ = opened.send(driver.open(share, &addresses, &connected));
            if let Ok(start) = started.recv() {
                let _ = results.send(driver.load(start + time, &replies));
            }
            // Keeps the connections.
            loop {
                thread::park();
            }
        });
    }
    report(&wait_connected(&opened, task.threads, &connected));
    if go.recv().is_err() {
        return;
    }
    let begin = Instant::now();
    for start in &starts {
        let _ = start.send(begin);
    }
    report(&Message::Finished(wait_finished(&results, task.threads, begin, &replies)));
}

fn wait_connected(opened: &mpsc::Receiver<Opened>, threads: usize, count: &Counter) -> Message {
    let (mut open, mut first_error, mut waiting) = (0, None, threads);
    while waiting > 0 {
        match opened.recv_timeout(TICK) {
            Ok(part) => {
                open += part.open;
                first_error = first_error.or(part.first_error);
                waiting -= 1;
            }
            Err(_) => report(&Message::Connecting(count.load(Ordering::Relaxed) as usize)),
        }
    }
    Message::Connected { open, first_error }
}

fn wait_finished(
    results: &mpsc::Receiver<(Load, Histogram<u64>)>,
    threads: usize,
    begin: Instant,
    replies: &Counter,
) -> Load {
    let mut total = Load::default();
    let mut histogram = driver::histogram();
    let (mut waiting, mut tick) = (threads, begin + TICK);
    while waiting > 0 {
        match results.recv_timeout(tick.saturating_duration_since(Instant::now())) {
            Ok((load, part)) => {
                total.in_time += load.in_time;
                total.replies += load.replies;
                total.errors += load.errors;
                total.first_error = total.first_error.or(load.first_error);
                histogram.add(part).expect("all histograms have the same bounds");
                waiting -= 1;
            }
            Err(_) => {
                let seconds = begin.elapsed().as_secs_f64();
                report(&Message::Tick { seconds, replies: replies.load(Ordering::Relaxed) });
                // From now, not from the last one: after a late tick there is nothing to catch up.
                tick = Instant::now() + TICK;
            }
        }
    }
    total.latency = summary(&histogram);
    total
}

fn summary(histogram: &Histogram<u64>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    // Even steps on the axis of nines, as far as there are replies to tell quantiles apart.
    let nines = (histogram.len() as f64).log10().min(6.0);
    let steps = (nines * 20.0) as usize;
    let quantiles = (0..=steps).map(|step| 1.0 - 10_f64.powf(-(step as f64) / 20.0));
    Latency {
        p50_us: at(0.5),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: histogram.max(),
        mean_us: histogram.mean(),
        curve: quantiles.map(|quantile| (quantile, at(quantile))).collect(),
    }
}
