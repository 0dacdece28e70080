//! What was measured: the values behind the table, the report and `--json`.
//!
//! Everything that is a quotient is worked out here once, so that the three cannot disagree.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sample::{Sample, kernel_text};

/// The two ways in which the server is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum System {
    Coroutines,
    Threads,
}

impl System {
    /// The heading of the system's column.
    pub(super) fn title(self) -> &'static str {
        match self {
            System::Coroutines => "coroutines",
            System::Threads => "OS threads",
        }
    }

    /// The value of `LISLE_MODE` that selects it.
    pub(super) fn mode(self) -> &'static str {
        match self {
            System::Coroutines => "coroutines",
            System::Threads => "threads",
        }
    }
}

/// A whole run of the demo.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) machine: Machine,
    /// Seconds of load on each system.
    pub(super) seconds: f64,
    pub(super) columns: Vec<Column>,
}

/// Where the figures were taken. They mean little without it.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) version: &'static str,
    pub(super) kernel: String,
    pub(super) cpu: String,
    pub(super) cpus: usize,
    pub(super) memory_bytes: u64,
}

impl Machine {
    pub(super) fn read() -> Machine {
        let cpuinfo = kernel_text("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        Machine {
            version: env!("CARGO_PKG_VERSION"),
            kernel: kernel_text("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpu: model.unwrap_or("").trim_start_matches([' ', '\t', ':']).to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: super::sample::meminfo("MemTotal").unwrap_or(0),
        }
    }
}

/// One system under load.
#[derive(Debug, Serialize)]
pub(super) struct Column {
    pub(super) system: System,
    /// The mode that the server said it ran in; 1:1 where the platform has no other.
    pub(super) mode: String,
    pub(super) connections_asked: usize,
    pub(super) connections: usize,
    /// Requests answered in all, those that were under way when the time was up included.
    pub(super) requests: u64,
    pub(super) requests_per_second: f64,
    pub(super) errors: u64,
    pub(super) latency: Latency,
    pub(super) memory: Memory,
    /// OS threads of the server while the connections are idle.
    pub(super) os_threads: u64,
    pub(super) voluntary_switches: u64,
    pub(super) involuntary_switches: u64,
    pub(super) voluntary_switches_per_request: f64,
    pub(super) involuntary_switches_per_request: f64,
    pub(super) cpu_us_per_request: f64,
    /// Time in seconds, and requests per second since the time before.
    pub(super) rate: Vec<(f64, f64)>,
    /// What the reader must know to judge the figures.
    pub(super) notes: Vec<String>,
}

/// Resident memory of the server, in bytes.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    pub(super) before: u64,
    pub(super) idle: u64,
    pub(super) peak: u64,
    pub(super) per_connection: f64,
    /// Growth of all kernel stacks in the system: what threads cost beyond their process.
    pub(super) kernel_stack_per_connection: f64,
}

/// What the client tells at the end of the load.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Load {
    /// Replies within the time of the load.
    pub(super) in_time: u64,
    /// Replies in all.
    pub(super) replies: u64,
    pub(super) errors: u64,
    /// The first thing that went wrong.
    pub(super) first_error: Option<String>,
    pub(super) latency: Latency,
}

/// Latencies of all replies, in microseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) p999_us: u64,
    pub(super) max_us: u64,
    pub(super) mean_us: f64,
    /// Quantile and latency, for the curve.
    pub(super) curve: Vec<(f64, u64)>,
}

/// The server's samples at the turning points of a measurement.
#[derive(Debug)]
pub(super) struct Samples {
    pub(super) before: Sample,
    pub(super) idle: Sample,
    pub(super) after: Sample,
    /// The most resident memory that was seen.
    pub(super) peak_rss: u64,
}

/// What else a column is made of.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) system: System,
    pub(super) mode: String,
    pub(super) connections_asked: usize,
    pub(super) connections: usize,
    pub(super) rate: Vec<(f64, f64)>,
    pub(super) notes: Vec<String>,
}

impl Column {
    pub(super) fn new(facts: Facts, load: Load, samples: &Samples, time: Duration) -> Column {
        let Samples { before, idle, after, peak_rss } = samples;
        let per_connection = |more: u64, less: u64| {
            more.saturating_sub(less) as f64 / facts.connections.max(1) as f64
        };
        // Without a reply there is nothing to divide by, and what was spent was spent for nothing.
        let per_request = |amount: f64| amount / load.replies.max(1) as f64;
        let voluntary = after.voluntary.saturating_sub(idle.voluntary);
        let involuntary = after.involuntary.saturating_sub(idle.involuntary);
        let cpu = after.cpu.saturating_sub(idle.cpu);
        Column {
            system: facts.system,
            mode: facts.mode,
            connections_asked: facts.connections_asked,
            connections: facts.connections,
            requests: load.replies,
            requests_per_second: load.in_time as f64 / time.as_secs_f64(),
            errors: load.errors,
            latency: load.latency,
            memory: Memory {
                before: before.rss,
                idle: idle.rss,
                peak: *peak_rss.max(&after.rss).max(&idle.rss),
                per_connection: per_connection(idle.rss, before.rss),
                kernel_stack_per_connection: per_connection(
                    idle.kernel_stacks,
                    before.kernel_stacks,
                ),
            },
            os_threads: idle.threads,
            voluntary_switches: voluntary,
            involuntary_switches: involuntary,
            voluntary_switches_per_request: per_request(voluntary as f64),
            involuntary_switches_per_request: per_request(involuntary as f64),
            cpu_us_per_request: per_request(cpu.as_secs_f64() * 1e6),
            rate: facts.rate,
            notes: facts.notes,
        }
    }
}
