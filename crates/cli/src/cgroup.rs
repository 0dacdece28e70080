//! What the control groups of this process still allow: threads and memory.
//!
//! Both versions of the hierarchy are read, and each group up to the root, since every ancestor's
//! limit counts. In a container the path in `/proc/self/cgroup` may not exist below the mount
//! point; then the mount point itself is the container's group, which the walk ends at anyway.

use std::path::{Path, PathBuf};

/// Threads that may still be made; none if there is no limit.
pub(crate) fn pids_left() -> Option<u64> {
    left("pids", "pids.max", "pids.current", "pids.max", "pids.current")
}

/// Bytes that may still be used; none if there is no limit.
pub(crate) fn memory_left() -> Option<u64> {
    left("memory", "memory.max", "memory.current", "memory.limit_in_bytes", "memory.usage_in_bytes")
}

/// The least room of all groups; names are those of version 2, then of version 1.
fn left(
    controller: &str,
    max: &str,
    current: &str,
    old_max: &str,
    old_current: &str,
) -> Option<u64> {
    let memberships = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut least = None;
    for line in memberships.lines() {
        // "number:controllers:path"; no controllers in version 2.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, max, current) = if controllers.is_empty() {
            (PathBuf::from("/sys/fs/cgroup"), max, current)
        } else if controllers.split(',').any(|name| name == controller) {
            (Path::new("/sys/fs/cgroup").join(controllers), old_max, old_current)
        } else {
            continue;
        };
        let group = root.join(path.trim_start_matches('/'));
        for directory in group.ancestors().take_while(|directory| directory.starts_with(&root)) {
            let number = |name: &str| -> Option<u64> {
                std::fs::read_to_string(directory.join(name)).ok()?.trim().parse().ok()
            };
            // "max" is not a number: no limit there.
            if let (Some(max), Some(current)) = (number(max), number(current)) {
                let room = max.saturating_sub(current);
                least = Some(least.map_or(room, |least: u64| least.min(room)));
            }
        }
    }
    least
}
