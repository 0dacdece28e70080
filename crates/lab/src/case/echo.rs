//! A TCP echo server under full load: server on CPU 0 with one worker, client on the last CPU.
//!
//! Both saturate their CPU, so requests per second say little where the client is the slower one;
//! the server's CPU time per request is the steadier figure. Its greatest part is the kernel's
//! loopback TCP, which the hand-written servers show.

use std::time::Duration;

use super::{Case, Kind, Scale, Variant};
use crate::child::{Cpus, Measurement, Own};
use crate::series::Sample;
use crate::sys;

pub(super) const CASE: Case = Case {
    name: "echo",
    about: "TCP echo of 64 bytes on 100 and 1000 connections: throughput, CPU time, latency",
    variants,
};

/// What the client does.
pub(super) struct Load {
    connections: usize,
    warm_up_ms: u64,
    measured_ms: u64,
    /// The client's CPU.
    cpu: usize,
}

const BYTES: usize = 64;

fn variants(scale: Scale) -> Vec<Variant> {
    let (warm_up_ms, measured_ms) = if scale.quick { (300, 1000) } else { (1000, 4000) };
    let new = |connections| Variant {
        id: format!("echo-{connections}c"),
        title: format!("TCP echo of {BYTES} bytes, {connections} connections; workers: 1"),
        workers: 1,
        harness: "echo",
        params: vec![("workers", 1)],
        limit: scale.limit(),
        kind: Kind::Echo(Load { connections, warm_up_ms, measured_ms, cpu: scale.cpus - 1 }),
    };
    vec![new(100), new(1000)]
}

impl Load {
    /// Loads the server that was started. It is killed afterwards, as nothing else ends it.
    pub(super) fn measure(
        &self,
        mut server: Measurement,
        own: &Own,
    ) -> Result<Vec<Sample>, String> {
        let port = server.next_line()?.ok_or("the server ended")?;
        let port = port.strip_prefix("port ").ok_or(format!("not a port: {port}"))?;
        let mut client = self.start_client(port, own)?;
        expect(&mut client, "start")?;
        let before = cpu_time(&server)?;
        expect(&mut client, "stop")?;
        let used = cpu_time(&server)?.saturating_sub(before);
        let report = client.lines()?.pop().ok_or("the client ended without figures")?;
        figures(&report, used).ok_or(format!("the client's figures are incomplete: {report}"))
    }

    fn start_client(&self, port: &str, own: &Own) -> Result<Measurement, String> {
        let mut command = own.command("client");
        command.arg(port).args([self.connections, BYTES].map(|number| number.to_string()));
        command.args([self.warm_up_ms, self.measured_ms].map(|number| number.to_string()));
        let limit = Duration::from_millis(self.warm_up_ms + self.measured_ms);
        let cpus = Cpus { first: self.cpu, count: 1 };
        Measurement::start(command, cpus, limit + Duration::from_secs(20))
    }
}

fn cpu_time(server: &Measurement) -> Result<Duration, String> {
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
