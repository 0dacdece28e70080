//! A TCP echo server: server on CPU 0 with one worker, client on the last CPU.
//!
//! In the closed loop both saturate their CPU, so requests per second say little where the client
//! is the slower one; the server's CPU time per request is the steadier figure. Its greatest part
//! is the kernel's loopback TCP, which the hand-written servers show. At a fixed rate the server
//! has time to spare, and latencies say how soon it reacts.
//!
//! After the timed phase comes another under the same load, in which the server's system calls are
//! counted: that slows it down.

use std::time::Duration;

use super::{Case, Kind, Scale, Taken, Variant, enough_files};
use crate::child::{Cpus, Measurement, Own};
use crate::series::Sample;
use crate::{sys, syscalls};

pub(super) const CASE: Case = Case {
    name: "echo",
    about: "TCP echo of 64 bytes on 1 to 10000 connections: throughput, CPU time, latency",
    variants,
};

/// What the client does.
pub(super) struct Load {
    connections: usize,
    /// Requests per second in all; 0 for a closed loop.
    rate: usize,
    warm_up_ms: usize,
    measured_ms: usize,
    /// The time that system calls are counted for.
    counted_ms: usize,
    /// The client's CPU.
    cpu: usize,
}

const BYTES: usize = 64;

/// The rate of the open loop: about a fifth of what the fastest server does.
const RATE: usize = 20_000;

/// From so many connections on their memory can be told from what else comes and goes.
const TELLING: usize = 10_000;

/// The time for what is not measured: connecting, and replies that are waited for.
const EXTRA: Duration = Duration::from_secs(30);

fn variants(scale: Scale) -> Vec<Variant> {
    let (warm_up_ms, measured_ms) = if scale.quick { (300, 1000) } else { (1000, 4000) };
    let (counted_ms, cpu) = (measured_ms / 4, scale.cpus - 1);
    let new = |connections, rate, name: &str, what: &str| Variant {
        id: format!("echo-{name}"),
        title: format!("TCP echo of {BYTES} bytes, {what}; workers: 1"),
        workers: 1,
        harness: "echo",
        params: vec![("workers", 1)],
        limit: scale.limit(),
        only: &[],
        note: None,
        unsliced: false,
        kind: Kind::Echo(Load { connections, rate, warm_up_ms, measured_ms, counted_ms, cpu }),
    };
    let closed = |connections| {
        let plural = if connections == 1 { "" } else { "s" };
        let what = format!("{connections} connection{plural}, closed loop");
        new(connections, 0, &format!("{connections}c"), &what)
    };
    let what = format!("{RATE} requests/s by schedule on 100 connections");
    let open = new(100, RATE, "100c-20k", &what);
    vec![closed(1), closed(100), closed(1000), closed(10_000), open]
}

impl Load {
    /// So many requests per second on so many connections.
    pub(super) fn at_rate(scale: Scale, connections: usize, rate: usize) -> Self {
        let (warm_up_ms, measured_ms) = if scale.quick { (300, 1000) } else { (1000, 4000) };
        let (counted_ms, cpu) = (measured_ms / 4, scale.cpus - 1);
        Load { connections, rate, warm_up_ms, measured_ms, counted_ms, cpu }
    }

    /// Whether this can be measured here; what is to be said of it.
    pub(super) fn ready(&self) -> Result<Option<String>, String> {
        enough_files(self.connections)?;
        Ok(Some(match syscalls::tool() {
            Ok(tool) => format!("system calls are counted by {}", tool.name()),
            Err(reason) => format!("system calls are not counted: {reason}"),
        }))
    }

    /// Loads the server that was started. It is killed afterwards, as nothing else ends it.
    pub(super) fn measure(&self, mut server: Measurement, own: &Own) -> Result<Taken, String> {
        let port = port(&mut server)?;
        let free = sys::available_memory();
        let mut client = self.start_client(port, own)?;
        expect(&mut client, "start")?;
        let before = cpu_time(&server)?;
        let switches = sys::context_switches(server.id());
        expect(&mut client, "stop")?;
        let used = cpu_time(&server)?.saturating_sub(before);
        let switches = sys::context_switches(server.id()).saturating_sub(switches);
        let memory = free.saturating_sub(sys::available_memory());
        let report = client.next_line()?.ok_or("the client ended without figures")?;
        let samples = figures(&report, used)
            .ok_or_else(|| format!("the client's figures are incomplete: {report}"))?;
        let mut taken = Taken { samples, omitted: None };
        if let Some(requests) = field(&report, "requests").filter(|n| *n > 0.0) {
            let each = switches as f64 / requests;
            taken.samples.push(Sample::new("switches", each, "1/request"));
        }
        if self.connections >= TELLING {
            taken.samples.push(Sample::new("memory", memory as f64 / 1024.0, "MiB"));
        }
        if let Ok(tool) = syscalls::tool() {
            match self.count(tool, &mut client, &server) {
                Ok(each) => taken.samples.push(Sample::new("syscalls", each, "1/request")),
                Err(reason) => taken.omitted = Some(format!("system calls: {reason}")),
            }
        }
        Ok(taken)
    }

    fn start_client(&self, port: u16, own: &Own) -> Result<Measurement, String> {
        let mut command = own.command("client");
        command.arg(port.to_string());
        let load = [self.connections, BYTES, self.rate, self.warm_up_ms, self.measured_ms];
        command.args(load.map(|number| number.to_string()));
        let limit = Duration::from_millis((self.warm_up_ms + self.measured_ms) as u64);
        Measurement::start_listening(command, self.cpus(), limit + EXTRA)
    }

    /// The client's CPU. What counts system calls runs there, too: it is idle meanwhile.
    fn cpus(&self) -> Cpus {
        Cpus { first: self.cpu, count: 1 }
    }

    /// The server's system calls per request under this load.
    fn count(
        &self,
        tool: syscalls::Tool,
        client: &mut Measurement,
        server: &Measurement,
    ) -> Result<f64, String> {
        let counter = tool.attach(server.id(), self.cpus(), EXTRA)?;
        client.tell(&format!("count {}", self.counted_ms))?;
        let answer = client.next_line()?.ok_or("the client ended")?;
        let calls = counter.finish()?;
        let requests = answer.strip_prefix("counted ").and_then(|number| number.parse().ok());
        let requests: f64 = requests.ok_or_else(|| format!("the client said {answer}"))?;
        // The calls that every connection was waiting in may be missed, so they must not matter.
        let fewest = self.connections as f64 * tool.least_requests();
        if requests < fewest {
            return Err(format!("{requests} requests are too few for {}", tool.name()));
        }
        Ok(calls as f64 / requests)
    }
}

/// The port that a server says it listens on.
pub(super) fn port(server: &mut Measurement) -> Result<u16, String> {
    let line = server.next_line()?.ok_or("the server ended")?;
    let port = line.strip_prefix("port ").and_then(|port| port.parse().ok());
    port.ok_or_else(|| format!("not a port: {line}"))
}

/// The CPU time that a server has used so far.
pub(super) fn cpu_time(server: &Measurement) -> Result<Duration, String> {
    sys::cpu_time(server.id()).map_err(|error| format!("the server's CPU time: {error}"))
}

fn expect(client: &mut Measurement, wanted: &str) -> Result<(), String> {
    match client.next_line()? {
        Some(line) if line == wanted => Ok(()),
        other => Err(format!("the client said {other:?} instead of {wanted}")),
    }
}

/// The figures in the client's report, and the server's CPU time per request.
fn figures(report: &str, used: Duration) -> Option<Vec<Sample>> {
    let cpu = used.as_secs_f64() * 1e6 / field(report, "requests").filter(|n| *n > 0.0)?;
    Some(vec![
        Sample::new("requests", field(report, "rps")?, "1/s"),
        Sample::new("server_cpu", cpu, "us"),
        Sample::new("p50", field(report, "p50_us")?, "us"),
        Sample::new("p99", field(report, "p99_us")?, "us"),
        Sample::new("p999", field(report, "p999_us")?, "us"),
    ])
}

/// A number in a flat JSON object.
fn field(json: &str, name: &str) -> Option<f64> {
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    rest.split([',', '}']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_becomes_figures() {
        let report = r#"{"requests":1000,"rps":500.5,"p50_us":1.5,"p99_us":2,"p999_us":3.0}"#;
        let figures = figures(report, Duration::from_millis(9)).unwrap();
        assert_eq!(figures[0], Sample::new("requests", 500.5, "1/s"));
        assert_eq!(figures[1], Sample::new("server_cpu", 9.0, "us"));
        assert_eq!(figures.len(), 5);
    }

    #[test]
    fn report_without_requests_has_no_figures() {
        assert_eq!(figures(r#"{"requests":0,"rps":0}"#, Duration::ZERO), None);
    }
}
