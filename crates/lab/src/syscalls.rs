//! How many system calls another process makes: counted from outside, by `perf` or `strace`.
//!
//! Both slow the process down, so this belongs in a phase of its own and never in a timed one.
//! `perf` counts a tracepoint of the kernel; `strace` stops the process at every call, and is for
//! where `perf` is missing or not allowed. Neither runs other code in the process, and both count
//! every thread. Where neither works there is no count, and a reason.
//!
//! ```text
//! parent                 perf or strace              server
//!   attach ──────────────▶ attached ─ ─ ─ ─ ─ ─ ─ ─ ▶ silent
//!   (client: `count MS`)                              under load
//!   finish ──────────────▶ total, end                 silent
//! ```

use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{Cpus, Measurement};
use crate::sys;

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Perf,
    Strace,
}

/// The best tool that works here, or why none does. Found out once.
pub(crate) fn tool() -> Result<Tool, String> {
    static TOOL: OnceLock<Result<Tool, String>> = OnceLock::new();
    let find = || {
        let first = match Tool::Perf.try_out() {
            Ok(()) => return Ok(Tool::Perf),
            Err(reason) => reason,
        };
        match Tool::Strace.try_out() {
            Ok(()) => Ok(Tool::Strace),
            Err(second) => Err(format!("{first}; {second}")),
        }
    };
    TOOL.get_or_init(find).clone()
}

/// A count that is under way.
pub(crate) struct Counter {
    tool: Tool,
    counting: Measurement,
}

impl Tool {
    /// The tool's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tool::Perf => "perf",
            Tool::Strace => "strace",
        }
    }

    /// The fewest requests per connection for a count that is to be trusted.
    ///
    /// `perf` counts calls that begin, and as many wait at the end as at the start. `strace`
    /// counts calls of which it saw both begin and end: one less for each that waits.
    pub(crate) fn least_requests(self) -> f64 {
        match self {
            Tool::Perf => f64::MIN_POSITIVE,
            Tool::Strace => 20.0,
        }
    }

    /// Counts the calls of process `id` from the moment that this returns. The tool runs on `cpus`.
    pub(crate) fn attach(self, id: u32, cpus: Cpus, limit: Duration) -> Result<Counter, String> {
        let pid = id.to_string();
        let mut command = Command::new(self.name());
        // What is printed goes to standard output.
        match self {
            // A total of the process `-p` for as long as `cat` runs.
            Tool::Perf => command
                .args(["stat", "-x,", "-o", "/dev/stdout", "-e", "raw_syscalls:sys_enter"])
                .args(["-p", &pid, "--", "cat"]),
            Tool::Strace => command.args(["-f", "-c", "-qq", "-o", "/dev/stdout", "-p", &pid]),
        };
        let mut counting = Measurement::start_listening(command, cpus, limit)?;
        match self {
            // `cat` is started after the counters, so its echo says that they run.
            Tool::Perf => {
                counting.tell("on")?;
                counting.next_line()?.ok_or("it ended at once")?;
            }
            Tool::Strace => {
                if let Err(reason) = await_tracer(id, Instant::now() + limit) {
                    return Err(counting.finish().err().unwrap_or(reason));
                }
            }
        }
        Ok(Counter { tool: self, counting })
    }

    /// Whether it counts at all, and why not.
    fn try_out(self) -> Result<(), String> {
        let name = self.name();
        self.count_cat().map_err(|reason| match reason.starts_with(name) {
            true => reason,
            false => format!("{name}: {reason}"),
        })
    }

    /// Counts the calls of a `cat` that copies a line.
    fn count_cat(self) -> Result<(), String> {
        let (cpus, limit) = (Cpus { first: 0, count: 1 }, Duration::from_secs(5));
        let mut cat = Measurement::start_listening(Command::new("cat"), cpus, limit)?;
        let counter = self.attach(cat.id(), cpus, limit)?;
        cat.tell("line")?;
        cat.next_line()?;
        match counter.finish()? {
            0 => Err("it counts nothing".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Counter {
    /// Stops counting and returns the number of calls.
    pub(crate) fn finish(self) -> Result<u64, String> {
        let lines = match self.tool {
            Tool::Perf => self.counting.finish()?,
            Tool::Strace => interrupt(self.counting)?,
        };
        total(self.tool, &lines).ok_or(format!("no total in {lines:?}"))
    }
}

/// Makes `strace` let go and print its table. Only that is read: it ends by the signal.
fn interrupt(mut counting: Measurement) -> Result<Vec<String>, String> {
    sys::interrupt(counting.id()).map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    while let Some(line) = counting.next_line()? {
        lines.push(line);
        if lines.last().is_some_and(|line| line.ends_with(" total")) {
            break;
        }
    }
    Ok(lines)
}

/// Waits until every thread of process `id` is traced.
fn await_tracer(id: u32, deadline: Instant) -> Result<(), String> {
    let is_traced = || -> std::io::Result<bool> {
        for task in fs::read_dir(format!("/proc/{id}/task"))? {
            let status = fs::read_to_string(task?.path().join("status"))?;
            if status.lines().any(|line| line == "TracerPid:\t0") {
                return Ok(false);
            }
        }
        Ok(true)
    };
    while !is_traced().map_err(|error| error.to_string())? {
        if Instant::now() >= deadline {
            return Err("it did not attach".to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The number in the tool's report.
fn total(tool: Tool, lines: &[String]) -> Option<u64> {
    match tool {
        // 772,,raw_syscalls:sys_enter,6751648,100.00,,
        Tool::Perf => {
            let line = lines.iter().find(|line| line.contains("raw_syscalls:sys_enter"))?;
            line.split(',').next()?.parse().ok()
        }
        // 100.00    0.011371          13       858        12 total
        Tool::Strace => {
            let line = lines.iter().find(|line| line.ends_with(" total"))?;
            line.split_whitespace().nth(3)?.parse().ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tool: Tool, report: &str) -> Option<u64> {
        let lines: Vec<_> = report.lines().map(str::to_owned).collect();
        total(tool, &lines)
    }

    #[test]
    fn totals_are_found() {
        let report = "# started\n\n772,,raw_syscalls:sys_enter,6751648,100.00,,\n";
        assert_eq!(read(Tool::Perf, report), Some(772));
        let report = "% time calls\n 9.0 0.1 2 429  read\n100.00 0.0 13 858 12 total\n";
        assert_eq!(read(Tool::Strace, report), Some(858));
    }

    #[test]
    fn what_was_not_counted_is_no_number() {
        assert_eq!(read(Tool::Perf, "<not counted>,,raw_syscalls:sys_enter,0,0.00,,"), None);
    }

    #[test]
    fn each_tool_works_or_says_why_not() {
        for tool in [Tool::Perf, Tool::Strace] {
            match tool.try_out() {
                Ok(()) => {}
                Err(reason) => {
                    assert!(!reason.is_empty());
                    eprintln!("skipped: {} cannot count system calls: {reason}", tool.name());
                }
            }
        }
    }
}
