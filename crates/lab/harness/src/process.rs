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

/// CPU time that all the process's threads have used, those that have ended too.
pub(crate) fn cpu_time() -> Outcome<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live place.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    match result {
        0 => Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32)),
        _ => Err(std::io::Error::last_os_error().to_string()),
    }
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
    fn work_takes_time() {
        let before = cpu_time().unwrap();
        std::hint::black_box((0..1000_u32).map(std::hint::black_box).sum::<u32>());
        assert!(cpu_time().unwrap() > before);
    }

    #[test]
    fn this_process_has_memory() {
        let now = Memory::now().unwrap();
        assert!(now.resident > 0.0 && now.page_tables > 0.0 && now.mappings > 1.0);
    }
}
