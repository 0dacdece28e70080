//! io_uring: whether there is one, and what it lacks.

use lisle_sys::{Errno, uring};

use super::{kernel_number, limit, shown};
use crate::doctor::report::Check;

const EFFECT: &str = "coroutines wait by epoll";

pub(super) fn checks() -> Vec<Check> {
    vec![available(), switch(), locked_memory()]
}

fn available() -> Check {
    let name = "io_uring";
    match uring::lacking() {
        Ok(missing) if missing.is_empty() => Check::good(name, "there, with all that is used"),
        Ok(missing) => Check::less(
            name,
            format!("lacks {}", missing.join(", ")),
            EFFECT,
            "a newer kernel: 6.0 has all; the numbers above tell since when each is there",
        ),
        Err(errno) => {
            let remedy = match errno {
                Errno::NOSYS => "Linux 6.0 or later, with CONFIG_IO_URING",
                Errno::PERM => {
                    "sysctl kernel.io_uring_disabled=0; in a container, a seccomp profile that \
                     allows io_uring_setup, io_uring_enter and io_uring_register"
                }
                Errno::NOMEM => "ulimit -l unlimited, or more memory",
                _ => "more open files (ulimit -n), more memory",
            };
            Check::less(name, format!("refused: {errno}"), EFFECT, remedy)
        }
    }
}

fn switch() -> Check {
    let name = "io_uring_disabled";
    match kernel_number("/proc/sys/kernel/io_uring_disabled") {
        None => Check::good(name, "the kernel has no such switch (6.6)"),
        Some(0) => Check::good(name, "0: all may use io_uring"),
        Some(1) => Check::less(
            name,
            "1: only those of kernel.io_uring_group, and who has CAP_SYS_ADMIN",
            "others wait by epoll",
            "sysctl kernel.io_uring_disabled=0, or join the group",
        ),
        Some(value) => Check::less(
            name,
            format!("{value}: nobody may use io_uring"),
            EFFECT,
            "sysctl kernel.io_uring_disabled=0",
        ),
    }
}

fn locked_memory() -> Check {
    let (soft, _) = limit(libc::RLIMIT_MEMLOCK);
    let value = format!("{}; only kernels before 5.12 count rings against it", shown(soft));
    Check::good("locked memory", value)
}
