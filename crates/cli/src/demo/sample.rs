//! Samples of a process, out of `/proc`.

use std::time::Duration;

use super::Failure;

/// Ticks per second of the times in `/proc/PID/stat`. `sysconf` can say only this on Linux: it is
/// part of the kernel's interface (`USER_HZ`), whatever the kernel's own clock.
const TICKS_PER_SECOND: u64 = 100;

/// What a process uses and has used.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Resident memory in bytes.
    pub(super) rss: u64,
    pub(super) threads: u64,
    /// Processor time of all threads, in user space and in the kernel.
    pub(super) cpu: Duration,
    /// Context switches of the threads that are alive. Those of ended ones are lost, so they are
    /// compared only while all connections stay open.
    pub(super) voluntary: u64,
    pub(super) involuntary: u64,
    /// Kernel stacks of the whole system, in bytes: the kernel does not tell them by process.
    pub(super) kernel_stacks: u64,
}

impl Sample {
    /// A thorough sample. It reads a file a thread, so it is for when nothing is being timed.
    pub(super) fn take(pid: u32) -> Result<Sample, Failure> {
        let stat = process_text(pid, "stat")?;
        // The command's name may hold anything, so fields are counted from its closing bracket.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse().ok());
        let ticks: u64 = field(14).unwrap_or(0) + field(15).unwrap_or(0);
        let (mut voluntary, mut involuntary) = (0, 0);
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
            .map_err(|error| format!("cannot list the threads of the server: {error}"))?;
        for task in tasks.flatten() {
            // A thread may end between the listing and the reading.
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            voluntary += number_of(&status, "voluntary_ctxt_switches").unwrap_or(0);
            involuntary += number_of(&status, "nonvoluntary_ctxt_switches").unwrap_or(0);
        }
        Ok(Sample {
            rss: exact_rss(pid).map_or_else(|| rss(pid), Ok)?,
            threads: field(20).unwrap_or(0),
            cpu: Duration::from_secs(ticks) / TICKS_PER_SECOND as u32,
            voluntary,
            involuntary,
            kernel_stacks: meminfo("KernelStack").unwrap_or(0),
        })
    }
}

/// Resident memory, cheap enough to be read under load: the kernel's own count, which may be off
/// by some pages a processor.
pub(super) fn rss(pid: u32) -> Result<u64, Failure> {
    let status = process_text(pid, "status")?;
    Ok(number_of(&status, "VmRSS").unwrap_or(0) << 10)
}

/// Resident memory by a walk over the page tables; not every kernel has it.
fn exact_rss(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    Some(number_of(&text, "Rss")? << 10)
}

/// A value of `/proc/meminfo`, in bytes.
pub(super) fn meminfo(name: &str) -> Option<u64> {
    Some(number_of(&kernel_text("/proc/meminfo"), name)? << 10)
}

/// The text of a file of the kernel's, or nothing: for facts that one can do without.
pub(super) fn kernel_text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn process_text(pid: u32, name: &str) -> Result<String, Failure> {
    let path = format!("/proc/{pid}/{name}");
    std::fs::read_to_string(&path).map_err(|error| {
        format!("cannot read {path}: {error}; the demo needs /proc mounted, and its server alive")
    })
}

/// The number after `name:` at the start of a line.
fn number_of(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_whole_name() {
        let status = "VmRSS:\t  12 kB\nvoluntary_ctxt_switches:\t3\nnonvoluntary_ctxt_switches:\t4";
        assert_eq!(number_of(status, "VmRSS"), Some(12));
        assert_eq!(number_of(status, "voluntary_ctxt_switches"), Some(3));
        assert_eq!(number_of(status, "nonvoluntary_ctxt_switches"), Some(4));
        assert_eq!(number_of(status, "Threads"), None);
    }

    #[test]
    fn this_process() {
        let sample = Sample::take(std::process::id()).unwrap();
        assert!(sample.rss > 100 << 10, "{sample:?}");
        assert!(sample.threads >= 1, "{sample:?}");
    }

    #[test]
    fn a_process_that_is_gone() {
        let failure = Sample::take(u32::MAX).unwrap_err();
        assert!(failure.contains("/proc"), "{failure}");
    }
}
