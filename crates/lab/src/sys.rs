//! The kernel calls that std has no function for: affinity, limits, free space, other processes'
//! clocks.
//!
//! # Safety
//! Every call gets pointers to live locals of the type that the kernel expects, and no call keeps
//! them. What runs between `fork` and `exec` makes only system calls.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Binds the process that `command` starts to `count` CPUs from the `first` one on, counted among
/// those that this process may use, and lets it open as many files as it may.
pub(crate) fn bind_to_cpus(command: &mut Command, first: usize, count: usize) -> io::Result<()> {
    let allowed = allowed_cpus()?;
    // SAFETY: an all-zero cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    for cpu in allowed.into_iter().skip(first).take(count) {
        // SAFETY: the number comes from a set of the same size.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    let prepare = move || {
        raise_file_limit()?;
        // SAFETY: `set` lives and has the size given.
        check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) })
    };
    // SAFETY: `prepare` makes three system calls and allocates nothing.
    unsafe { command.pre_exec(prepare) };
    Ok(())
}

/// The CPUs that this process may use.
fn allowed_cpus() -> io::Result<Vec<usize>> {
    // SAFETY: an all-zero cpu_set_t is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `set` lives and has the size given.
    check(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) })?;
    // SAFETY: the numbers lie within the set.
    let is_allowed = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(is_allowed).collect())
}

/// Raises the limit of open files of this process as far as it may.
pub(crate) fn raise_file_limit() -> io::Result<()> {
    let mut limit = file_limit()?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` lives.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })
}

/// The number of files that this process, and each child of it, may open once the limit is raised.
pub(crate) fn most_files() -> io::Result<u64> {
    Ok(file_limit()?.rlim_max)
}

fn file_limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok(limit)
}

/// The number of bytes that may be written in the file system of `folder`.
pub(crate) fn free_space(folder: &Path) -> io::Result<u64> {
    let folder = CString::new(folder.as_os_str().as_bytes())?;
    // SAFETY: all-zero numbers are numbers.
    let mut figures: libc::statvfs = unsafe { mem::zeroed() };
    // SAFETY: the path is terminated, and `figures` lives.
    check(unsafe { libc::statvfs(folder.as_ptr(), &raw mut figures) })?;
    Ok(figures.f_bavail.saturating_mul(figures.f_frsize))
}

/// Asks process `id`, which must be a child that was not waited for, to end as `^C` does.
pub(crate) fn interrupt(id: u32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::kill(id.cast_signed(), libc::SIGINT) })
}

/// CPU time that process `id` has used, in user and in kernel mode.
///
/// The sum of `utime` and `stime` in `/proc/ID/stat`, but in nanoseconds instead of ticks.
pub(crate) fn cpu_time(id: u32) -> io::Result<Duration> {
    let mut clock = 0;
    // SAFETY: `clock` lives.
    let error = unsafe { libc::clock_getcpuclockid(id.cast_signed(), &raw mut clock) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives.
    check(unsafe { libc::clock_gettime(clock, &raw mut time) })?;
    Ok(Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32))
}

/// The context switches of all threads of process `id` so far, of those that there are.
pub(crate) fn context_switches(id: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let of_one = |thread: std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let counts = status.lines().filter(|line| line.contains("voluntary_ctxt_switches"));
        counts.filter_map(number_in).sum::<u64>()
    };
    threads.map(of_one).sum()
}

/// The memory of the machine that is free or can be freed, in KiB: what a process takes in the
/// kernel, for stacks of threads above all, is missing there, too.
pub(crate) fn available_memory() -> u64 {
    let all = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    all.lines().find(|line| line.starts_with("MemAvailable:")).and_then(number_in).unwrap_or(0)
}

/// The number in a line `name: number unit`.
fn number_in(line: &str) -> Option<u64> {
    line.split_once(':')?.1.split_whitespace().next()?.parse().ok()
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_grows() {
        let own = std::process::id();
        let before = cpu_time(own).unwrap();
        let mut x = 1_u64;
        for i in 0..5_000_000 {
            x = std::hint::black_box(x.wrapping_mul(i | 1));
        }
        assert!(cpu_time(own).unwrap() > before);
    }
}
