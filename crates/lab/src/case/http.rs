//! HTTP/1.1 with keep-alive: each server's answer to `GET /` is the same few bytes.
//!
//! The client is `wrk`, which is in Debian and elsewhere and is none of ours: one thread, closed
//! loop. Server on CPU 0 with one worker, wrk on the last CPU. A first, shorter run of it is the
//! warm-up. Connecting is in the server's CPU time, as wrk does not say when it is done.

use std::process::Command;
use std::time::Duration;

use super::echo::{cpu_time, port};
use super::{Case, Kind, Scale, Taken, Variant, enough_files};
use crate::child::{Cpus, Measurement};
use crate::series::Sample;

pub(super) const CASE: Case = Case {
    name: "http",
    about: "HTTP/1.1 keep-alive on 100 and 1000 connections, loaded by wrk",
    variants,
};

/// The systems with an HTTP server: the one in the harness, or their own.
const SYSTEMS: &[&str] = &["lisle", "may", "go", "tokio-ct", "threads"];

/// What wrk does.
pub(super) struct Load {
    connections: usize,
    warm_up_s: u64,
    measured_s: u64,
    /// wrk's CPU.
    cpu: usize,
}

fn variants(scale: Scale) -> Vec<Variant> {
    let (warm_up_s, measured_s) = if scale.quick { (1, 1) } else { (1, 4) };
    let new = |connections| Variant {
        id: format!("http-{connections}c"),
        title: format!("HTTP keep-alive, wrk on {connections} connections; workers: 1"),
        workers: 1,
        harness: "http",
        params: vec![("workers", 1)],
        limit: scale.limit(),
        note: None,
        only: SYSTEMS,
        unsliced: false,
        kind: Kind::Http(Load { connections, warm_up_s, measured_s, cpu: scale.cpus - 1 }),
    };
    vec![new(100), new(1000)]
}

impl Load {
    /// Whether this can be measured here.
    pub(super) fn ready(&self) -> Result<Option<String>, String> {
        enough_files(self.connections)?;
        // It prints its usage and fails; that it can be started is enough.
        match Command::new("wrk").output() {
            Ok(_) => Ok(None),
            Err(error) => Err(format!("wrk, the client, cannot be run: {error}")),
        }
    }

    /// Loads the server that was started. It is killed afterwards, as nothing else ends it.
    pub(super) fn measure(&self, mut server: Measurement) -> Result<Taken, String> {
        let port = port(&mut server)?;
        self.wrk(port, self.warm_up_s)?;
        let before = cpu_time(&server)?;
        let report = self.wrk(port, self.measured_s)?;
        let used = cpu_time(&server)?.saturating_sub(before);
        figures(&report, used).map(Taken::from)
    }

    fn wrk(&self, port: u16, seconds: u64) -> Result<Vec<String>, String> {
        let mut command = Command::new("wrk");
        command.args(["-t1", "--latency", "-c"]).arg(self.connections.to_string());
        command.arg("-d").arg(format!("{seconds}s")).arg(format!("http://127.0.0.1:{port}/"));
        let limit = Duration::from_secs(seconds + 20);
        Measurement::start(command, Cpus { first: self.cpu, count: 1 }, limit)?.lines()
    }
}

/// The figures in wrk's report, and the server's CPU time per request.
fn figures(report: &[String], used: Duration) -> Result<Vec<Sample>, String> {
    if let Some(line) = report.iter().find(|line| is_complaint(line)) {
        return Err(format!("wrk: {}", line.trim()));
    }
    // The lines are of the form "name value" or "value name", in columns.
    let value = |name: &str| {
        let line = report.iter().find(|line| line.contains(name))?;
        line.split_whitespace().find(|word| *word != name && !name.contains(word))
    };
    let read = || {
        let requests = value(" requests in ")?.parse().ok().filter(|n: &f64| *n > 0.0)?;
        Some(vec![
            Sample::new("requests", value("Requests/sec:")?.parse().ok()?, "1/s"),
            Sample::new("server_cpu", used.as_secs_f64() * 1e6 / requests, "us"),
            Sample::new("p50", microseconds(value(" 50% ")?)?, "us"),
            Sample::new("p99", microseconds(value(" 99% ")?)?, "us"),
        ])
    };
    read().ok_or_else(|| format!("wrk's report is incomplete: {report:?}"))
}

/// Whether wrk says that something went wrong. Answers after more than 2 s, its "timeouts", are
/// slow, not wrong.
fn is_complaint(line: &str) -> bool {
    line.contains("Non-2xx")
        || line.contains("Socket errors:") && !line.contains("connect 0, read 0, write 0,")
}

/// wrk's times have two decimals and a unit.
fn microseconds(text: &str) -> Option<f64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let scale = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Running 1s test @ http://127.0.0.1:1/
  1 threads and 100 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.57ms    1.50ms  13.37ms   82.92%
    Req/Sec    39.65k     4.10k   44.85k    80.00%
  Latency Distribution
     50%  950.00us
     75%    2.96ms
     90%    4.26ms
     99%    1.20s
  40000 requests in 1.01s, 4.85MB read
Requests/sec:  39603.96
Transfer/sec:      4.80MB
";

    fn read(report: &str) -> Result<Vec<Sample>, String> {
        let lines: Vec<_> = report.lines().map(str::to_owned).collect();
        figures(&lines, Duration::from_millis(400))
    }

    #[test]
    fn report_becomes_figures() {
        let expected = [
            Sample::new("requests", 39603.96, "1/s"),
            Sample::new("server_cpu", 10.0, "us"),
            Sample::new("p50", 950.0, "us"),
            Sample::new("p99", 1_200_000.0, "us"),
        ];
        assert_eq!(read(REPORT).unwrap(), expected);
    }

    #[test]
    fn errors_are_no_figures() {
        let bad = "  Socket errors: connect 0, read 7, write 0, timeout 0\n";
        assert!(read(&(REPORT.to_owned() + bad)).unwrap_err().contains("read 7"));
        let slow = "  Socket errors: connect 0, read 0, write 0, timeout 3\n";
        assert!(read(&(REPORT.to_owned() + slow)).is_ok());
        assert!(read(&(REPORT.to_owned() + "  Non-2xx or 3xx responses: 4\n")).is_err());
        assert!(read("").is_err());
    }
}
