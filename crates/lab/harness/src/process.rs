//! What the kernel says of this process: memory and CPU time.

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use crate::{Outcome, report};

/// Memory of the process at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    resident: f64,
    page_tables: f64,
    mappings: f64,
}

impl Memory {
    /// Reads it from `/proc/self`.
    pub(crate) fn now() -> Outcome<Self> {
        let status = fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
        let maps = fs::File::open("/proc/self/maps").map_err(|e| e.to_string())?;
        Ok(Memory {
            resident: kilobytes(&status, "VmRSS:")? * 1024.0,
            page_tables: kilobytes(&status, "VmPTE:")? * 1024.0,
            mappings: BufReader::new(maps).split(b'\n').count() as f64,
        })
    }

    /// Reports what `tasks` tasks took since `before`.
    pub(crate) fn report_since(self, before: Memory, tasks: usize) {
        let each = 1.0 / tasks as f64;
        report("resident", (self.resident - before.resident) * each, "B");
        report("page_tables", (self.page_tables - before.page_tables) * each, "B");
        report("mappings", self.mappings - before.mappings, "total");
    }
}

fn kilobytes(status: &str, field: &str) -> Outcome<f64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok())
        .ok_or(format!("no {field} in /proc/self/status"))
}

/// CPU time of all the process's threads, in steps of 10 ms.
pub(crate) fn cpu_time() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|e| e.to_string())?;
    ticks(&stat)
        .map(|ticks| Duration::from_millis(10 * ticks))
        .ok_or(format!("no times in /proc/self/stat: {stat}"))
}

/// The sum of `utime` and `stime`. The kernel shows 100 ticks a second, whatever it counts.
fn ticks(stat: &str) -> Option<u64> {
    // The name before them is in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_field() {
        let status = "VmHWM:\t 9 kB\nVmRSS:\t  1234 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Ok(1234.0));
        assert!(kilobytes(status, "VmPTE:").is_err());
    }

    #[test]
    fn ticks_are_behind_the_name() {
        assert_eq!(ticks("1 (a) b) R 1 1 1 0 -1 0 0 0 0 0 30 12 0 0 20"), Some(42));
        assert!(cpu_time().is_ok());
    }

    #[test]
    fn this_process_has_memory() {
        let now = Memory::now().unwrap();
        assert!(now.resident > 0.0 && now.page_tables > 0.0 && now.mappings > 1.0);
    }
}
