//! Where and with what a run was made: figures without this mean nothing.

use std::fs;
use std::process::Command;

use crate::rivals;

/// What is to be known of this machine and its tools, as names and values.
pub(crate) fn facts() -> Vec<(&'static str, String)> {
    let unknown = || "unknown".to_owned();
    let first = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    vec![
        ("CPU", cpu_model().unwrap_or_else(unknown)),
        ("CPUs", cpus().to_string()),
        ("kernel", first("/proc/sys/kernel/osrelease").unwrap_or_else(unknown)),
        // More than a little means that others were measured, too.
        ("load before", first("/proc/loadavg").unwrap_or_else(unknown)),
        ("max_map_count", first("/proc/sys/vm/max_map_count").unwrap_or_else(unknown)),
        ("rustc", first_line(Command::new("rustc").arg("--version"))),
        ("go", first_line(Command::new(rivals::go()).arg("version"))),
        ("wrk", wrk()),
        ("cc", first_line(Command::new("cc").arg("--version"))),
        ("crates", crates().unwrap_or_else(unknown)),
        ("commit", commit()),
    ]
}

/// The number of CPUs that this process may use.
pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn cpu_model() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let (model, family) = (field("model name")?, field("cpu family"));
    // Virtual machines often hide the name; family and model still tell the generation.
    let number = field("model\t");
    Some(match (family, number) {
        (Some(family), Some(number)) => format!("{model} (family {family}, model {number})"),
        _ => model,
    })
}

/// The commit the sources are at, and whether they were changed since.
fn commit() -> String {
    let git =
        |args: &[&str]| first_line(Command::new("git").args(args).current_dir(rivals::sources()));
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let hash = git(&["rev-parse", "--short=12", "HEAD"]);
    if changed.is_empty() || changed == ABSENT { hash } else { format!("{hash}, changed since") }
}

const ABSENT: &str = "absent";

/// wrk's version. It fails after printing it.
fn wrk() -> String {
    let output = Command::new("wrk").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = |text: String| Some(text.strip_prefix("wrk ")?.split_once(" [")?.0.to_owned());
    text.ok().and_then(version).unwrap_or_else(|| ABSENT.to_owned())
}

/// The first line that a program prints.
pub(crate) fn first_line(command: &mut Command) -> String {
    match command.output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            text.lines().next().unwrap_or_default().trim().to_owned()
        }
        _ => ABSENT.to_owned(),
    }
}

/// The rivals' versions, from their lock file.
fn crates() -> Option<String> {
    let lock = fs::read_to_string(rivals::sources().join("Cargo.lock")).ok()?;
    let version = |name: &str| {
        let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        Some(format!("{name} {}", rest.split('"').next()?))
    };
    let names =
        ["tokio", "hyper", "may", "smol", "crossbeam-channel", "async-channel", "flume", "rayon"];
    let versions: Option<Vec<_>> = names.into_iter().map(version).collect();
    versions.map(|versions| versions.join(", "))
}
