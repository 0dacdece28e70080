//! The client of echo servers, the same for all: one thread on epoll.
//!
//! ```text
//! lab client PORT CONNECTIONS BYTES RATE WARMUP_MS MEASURED_MS
//! ```
//!
//! Without a rate (0) the loop is closed: every connection has one message under way at all times.
//! With one, that many messages are sent in a second over all connections, by schedule, whatever
//! the server does.
//!
//! The client prints `start` when the warm-up is over and `stop` when the measured time is, so
//! that the parent can read the server's CPU clock at these moments; then one line of JSON. Then
//! it obeys its standard input: `count MS` repeats the load for so long, from silence to silence,
//! and prints `counted REQUESTS`. That is for measurements that would disturb the timed ones.

mod load;
mod poller;

use std::io::{self, BufRead};
use std::time::{Duration, Instant};

use lisle_core::Histogram;
use load::Client;

use crate::sys;

const USAGE: &str = "usage: client PORT CONNECTIONS BYTES RATE WARMUP_MS MEASURED_MS";

/// Runs the client with the arguments after `client`.
pub(crate) fn run(args: impl Iterator<Item = String>) -> Result<(), String> {
    let numbers: Vec<u64> = args.map_while(|arg| arg.parse().ok()).collect();
    let [port, connections, bytes, rate, warm_up, measured] = numbers[..] else {
        return Err(USAGE.to_owned());
    };
    let port = u16::try_from(port).map_err(|error| error.to_string())?;
    let [warm_up, measured] = [warm_up, measured].map(Duration::from_millis);
    let load = || {
        sys::raise_file_limit()?;
        let mut client = Client::connect(port, connections as usize, bytes as usize, rate)?;
        measure(&mut client, warm_up, measured)?;
        obey(&mut client)
    };
    load().map_err(|error| format!("client: {error}"))
}

fn measure(client: &mut Client, warm_up: Duration, measured: Duration) -> io::Result<()> {
    client.run(warm_up)?;
    client.forget_answers();
    println!("start");
    let start = Instant::now();
    let latencies = client.run(measured)?;
    let elapsed = start.elapsed();
    println!("stop");
    print(client, &latencies, elapsed);
    Ok(())
}

fn print(client: &Client, latencies: &Histogram, elapsed: Duration) {
    let us = |ns: u64| ns as f64 / 1e3;
    let answers = || client.answers();
    let requests = answers().sum::<u64>();
    println!(
        "{{\"connections\":{},\"requests\":{requests},\"rps\":{:.1},\"p50_us\":{:.1},\
         \"p99_us\":{:.1},\"p999_us\":{:.1},\"max_us\":{:.1},\"least\":{},\"most\":{}}}",
        answers().count(),
        requests as f64 / elapsed.as_secs_f64(),
        us(latencies.quantile(0.5)),
        us(latencies.quantile(0.99)),
        us(latencies.quantile(0.999)),
        us(latencies.max()),
        answers().min().unwrap_or(0),
        answers().max().unwrap_or(0),
    );
}

/// Does what standard input says, until it ends.
fn obey(client: &mut Client) -> io::Result<()> {
    client.drain(&mut Histogram::new())?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let ms = line.strip_prefix("count ").and_then(|ms| ms.parse().ok());
        let ms = ms.ok_or_else(|| io::Error::other(format!("not a command: {line}")))?;
        client.forget_answers();
        client.run(Duration::from_millis(ms))?;
        client.drain(&mut Histogram::new())?;
        println!("counted {}", client.answers().sum::<u64>());
    }
    Ok(())
}
