//! Reading a file at random places: from the page cache, where a read returns at once, and past
//! it, where it waits for the disk.
//!
//! A read of a file cannot be waited for by readiness, so a system needs threads, io_uring or the
//! patience of its other tasks. The bystander is such a task: it sleeps 100 ms in a loop and notes
//! by how much it was late. How many threads the process has is sampled from outside.

use std::process::Command;
use std::time::Duration;

use super::{Case, Kind, Scale, Taken, Variant, samples};
use crate::child::Measurement;
use crate::data::{self, Access};
use crate::peak::Peak;
use crate::series::Sample;

pub(super) const CASE: Case = Case {
    name: "files",
    about: "256 tasks read random 4 KiB blocks of a 1 GiB file, from the page cache and past it",
    variants,
};

/// The systems that can read a file without harm, and threads. may's coroutines would block their
/// workers, which it leaves to its users.
const SYSTEMS: &[&str] = &["lisle", "go", "tokio-mt", "smol", "threads"];

const TASKS: usize = 256;

/// How often the threads are counted.
const INTERVAL: Duration = Duration::from_millis(5);

fn variants(scale: Scale) -> Vec<Variant> {
    let workers = scale.cpus.min(2);
    let new = |access, name: &str, what: &str| {
        let title = format!("{TASKS} tasks read random 4 KiB of a 1 GiB file {what}");
        let id = format!("files-{name}");
        let mut variant = Variant::inside(scale, "files", &id, &title, workers).only(SYSTEMS);
        variant.set("ms", if scale.quick { 1000 } else { 4000 });
        variant.kind = Kind::Files(access);
        variant.with("tasks", TASKS).with("flags", access.flags() as usize)
    };
    vec![
        new(Access::Cached, "cached", "in the page cache"),
        new(Access::Direct, "direct", "with O_DIRECT"),
    ]
}

/// Makes the file, if there is none, and tries the access.
pub(super) fn ready(access: Access) -> Result<Option<String>, String> {
    data::ready(data::BYTES)?;
    access.try_out(&data::path())?;
    Ok(Some(format!("threads: the most in the process, looked at every {INTERVAL:?}")))
}

/// Tells `program` where the file is. What is to be cached is brought there again before each run,
/// whatever happened since the last.
pub(super) fn prepare(access: Access, program: &mut Command) -> Result<(), String> {
    program.arg(format!("path={}", data::path().display()));
    if access == Access::Cached { data::warm() } else { Ok(()) }
}

/// The harness program's figures, and the most threads it had.
pub(super) fn measure(child: Measurement) -> Result<Taken, String> {
    let peak = Peak::watch(child.id(), INTERVAL);
    let mut samples = samples(child)?;
    samples.push(Sample::new("threads", peak.stop() as f64, "most"));
    Ok(samples.into())
}
