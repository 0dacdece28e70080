//! Limits on memory and mappings, and how many coroutines they allow.

use super::calls::try_light_guard;
use super::{kernel_number, kernel_text, limit, shown};
use crate::cgroup;
use crate::doctor::report::Check;

/// Address space of a coroutine with a stack of the default size, its guard included.
const RESERVED: u64 = 260 << 10;
/// Stacks of the default size in one reservation, which is one mapping with light guards.
const STACKS_IN_SLAB: u64 = 252;
/// Resident memory of a parked coroutine with its page tables.
const RESIDENT: u64 = 8_700;
/// As many coroutines as one could wish for.
const ENOUGH: u64 = 1_000_000;

pub(super) fn checks() -> Vec<Check> {
    vec![mappings(), address_space(), memory(), overcommit()]
}

fn mappings() -> Check {
    let name = "mappings";
    let Some(most) = kernel_number("/proc/sys/vm/max_map_count") else {
        return Check::good(name, "the number is unknown");
    };
    let used = kernel_text("/proc/self/maps").map_or(0, |text| text.lines().count() as u64);
    let left = most.saturating_sub(used);
    let coroutines = match try_light_guard() {
        Ok(()) => left * STACKS_IN_SLAB,
        Err(_) => left / 2,
    };
    let value = format!("{most} (vm.max_map_count), for about {coroutines} coroutines");
    if coroutines >= ENOUGH {
        return Check::good(name, value);
    }
    Check::less(
        name,
        value,
        "further coroutines fail to start",
        "sysctl vm.max_map_count=2100000, or Linux 6.13, which needs no mappings for guards",
    )
}

fn address_space() -> Check {
    let name = "address space";
    let Some(soft) = limit(libc::RLIMIT_AS).0 else {
        return Check::good(name, "unlimited");
    };
    let used = kernel_text("/proc/self/statm")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |pages| pages * lisle_sys::mmap::PAGE as u64);
    let coroutines = soft.saturating_sub(used) / RESERVED;
    Check::less(
        name,
        format!("{} MiB (ulimit -v), {} MiB in use", soft >> 20, used >> 20),
        format!("room for about {coroutines} coroutines; further ones fail to start"),
        "ulimit -v unlimited: stacks are reserved by address, and only touched pages count",
    )
}

fn memory() -> Check {
    let free = kernel_text("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
    });
    // Control groups of the first version write a number beyond all memory for none.
    let group = cgroup::memory_left().filter(|&bytes| bytes < 1 << 60);
    let mib = |bytes: Option<u64>| match bytes {
        Some(bytes) => format!("{} MiB", bytes >> 20),
        None => shown(None),
    };
    let room = [free, group].into_iter().flatten().min().map(|bytes| bytes / RESIDENT);
    let value = format!(
        "system {} free, control group {} (memory.max), for about {} coroutines",
        mib(free),
        mib(group),
        shown(room),
    );
    Check::good("memory", value)
}

fn overcommit() -> Check {
    let name = "overcommit";
    match kernel_number("/proc/sys/vm/overcommit_memory") {
        Some(2) => Check::less(
            name,
            "2: all reserved memory counts",
            "each stack counts with its full size, so coroutines fail to start early",
            "sysctl vm.overcommit_memory=0, or a higher vm.overcommit_ratio",
        ),
        value => Check::good(name, format!("{} (vm.overcommit_memory)", shown(value))),
    }
}
