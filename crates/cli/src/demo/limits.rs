//! How many connections this machine allows, and which limit says so.
//!
//! The limits are worked out beforehand, because not all can be run into without harm: a process
//! that has used up the system's threads keeps the others from working, and the Rust runtime gives
//! up the whole process when it can map no signal stack for a new thread.

use super::sample::{kernel_text, meminfo};
use crate::cgroup;

/// Descriptors that a process needs besides its connections.
const SPARE_FILES: u64 = 64;
/// Threads that are left to everybody else.
const SPARE_THREADS: u64 = 200;
/// Mappings that a process has besides those of its connections' threads.
const SPARE_MAPS: u64 = 500;
/// Mappings of a thread: stack, its guard, signal stack, its guard.
const MAPS_PER_THREAD: u64 = 4;
/// Generous memory of a connection: sockets on both sides, buffers, stack.
const BYTES_PER_CONNECTION: u64 = 24 << 10;
/// What a thread takes beyond that: kernel stack, kernel structures, touched pages, page tables.
const BYTES_PER_THREAD: u64 = 48 << 10;

/// A limit on the number of connections.
#[derive(Debug)]
pub(super) struct Ceiling {
    pub(super) connections: u64,
    /// The limit, and how it is raised.
    pub(super) reason: String,
}

impl Ceiling {
    fn new(connections: u64, reason: String) -> Ceiling {
        Ceiling { connections, reason }
    }
}

/// The lowest limit in force, with or without a thread a connection.
pub(super) fn lowest(threads: bool, asked: usize) -> Option<Ceiling> {
    let mut ceilings: Vec<Ceiling> = Vec::new();
    ceilings.extend(open_files(asked as u64));
    ceilings.extend(memory(threads));
    if threads {
        ceilings.extend(thread_ceilings());
    }
    ceilings.into_iter().min_by_key(|ceiling| ceiling.connections)
}

fn open_files(asked: u64) -> Option<Ceiling> {
    let hard = open_file_limit()?.rlim_max;
    Some(Ceiling::new(
        hard.saturating_sub(SPARE_FILES),
        format!("the open-file limit is {hard}: raise it with `ulimit -n {}`", asked + SPARE_FILES),
    ))
}

fn memory(threads: bool) -> Option<Ceiling> {
    let system = meminfo("MemAvailable")?;
    let available = cgroup::memory_left().map_or(system, |left| left.min(system));
    let each = BYTES_PER_CONNECTION + if threads { BYTES_PER_THREAD } else { 0 };
    Some(Ceiling::new(
        available / 10 * 9 / each,
        format!("{} MiB of memory are free: free some, or use a larger machine", available >> 20),
    ))
}

fn thread_ceilings() -> Vec<Ceiling> {
    let number = |path: &str| kernel_text(path).trim().parse::<u64>().ok();
    // "running/all" is the fourth field; all counts every thread of the system.
    let load = kernel_text("/proc/loadavg");
    let running = load
        .split_whitespace()
        .nth(3)
        .and_then(|field| field.split_once('/')?.1.parse().ok())
        .unwrap_or(0);
    let mut ceilings = Vec::new();
    for name in ["threads-max", "pid_max"] {
        ceilings.extend(number(&format!("/proc/sys/kernel/{name}")).map(|limit| {
            Ceiling::new(
                limit.saturating_sub(running + SPARE_THREADS),
                format!("the system has {limit} thread ids: raise it with `sysctl kernel.{name}`"),
            )
        }));
    }
    ceilings.extend(number("/proc/sys/vm/max_map_count").map(|limit| {
        Ceiling::new(
            limit.saturating_sub(SPARE_MAPS) / MAPS_PER_THREAD,
            format!(
                "a process has {limit} mappings, a thread takes {MAPS_PER_THREAD}: raise it with \
                 `sysctl vm.max_map_count`"
            ),
        )
    }));
    ceilings.extend(cgroup::pids_left().map(|left| {
        Ceiling::new(
            left.saturating_sub(SPARE_THREADS),
            format!("the control group has {left} threads left: raise its pids.max"),
        )
    }));
    ceilings
}

/// Raises the soft limit on open files to the hard one: as far as one may without asking anybody.
pub(super) fn raise_open_files() {
    if let Some(mut limit) = open_file_limit() {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: the pointer is to a live, initialized `rlimit`, which the call only reads. Should
        // it be refused, the old limit holds, and opening too many files says so.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}

fn open_file_limit() -> Option<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live `rlimit`, which the call fills in.
    let status = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (status == 0).then_some(limit)
}
