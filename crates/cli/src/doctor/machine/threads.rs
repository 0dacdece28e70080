//! Limits on open files and on OS threads.

use lisle::runtime;

use super::{kernel_number, limit, shown};
use crate::cgroup;
use crate::doctor::report::Check;

pub(super) fn checks() -> Vec<Check> {
    vec![open_files(), threads()]
}

/// A server's worth of connections.
const ENOUGH_FILES: u64 = 65_536;

fn open_files() -> Check {
    let name = "open files";
    let (soft, hard) = limit(libc::RLIMIT_NOFILE);
    let value = format!("{}, at most {} (ulimit -n)", shown(soft), shown(hard));
    let Some(soft) = soft.filter(|&soft| soft < ENOUGH_FILES) else {
        return Check::good(name, value);
    };
    let remedy = match hard {
        Some(hard) if hard < ENOUGH_FILES => format!(
            "raise the second number, as root: a line in /etc/security/limits.conf, LimitNOFILE= \
             of a service, --ulimit nofile= of a container; then ulimit -n {ENOUGH_FILES}"
        ),
        _ => format!("ulimit -n {ENOUGH_FILES}"),
    };
    let own = 2 * runtime::workers() as u64;
    let left = soft.saturating_sub(own);
    Check::less(name, value, format!("about {left} descriptors for a program"), remedy)
}

/// Spare carriers that there may be.
const SPARE: u64 = 512;

fn threads() -> Check {
    let name = "OS threads";
    let own = limit(libc::RLIMIT_NPROC).0;
    let system = kernel_number("/proc/sys/kernel/threads-max");
    let group = cgroup::pids_left();
    let value = format!(
        "user {} (ulimit -u), system {} (threads-max), control group {} (pids.max)",
        shown(own),
        shown(system),
        shown(group),
    );
    let workers = runtime::workers() as u64;
    // Substitutes, the monitor, and what makes threads.
    let wanted = SPARE + workers + workers.max(4) + 2;
    let Some(least) = [own, system, group].into_iter().flatten().min() else {
        return Check::good(name, value);
    };
    if least >= wanted {
        return Check::good(name, value);
    }
    Check::less(
        name,
        value,
        format!(
            "fewer than the {wanted} that Lisle may want: calls that need a spare OS thread may \
             block their worker instead"
        ),
        "raise the lowest of them: ulimit -u 4096, sysctl kernel.threads-max=100000, pids.max",
    )
}
