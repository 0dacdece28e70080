//! The cases, one per file: which variants there are and what they ask of a harness program.
//!
//! What a variant does is in `lisle-lab-harness` (and, for goroutines, in `rival/go`); here is how
//! often, with how many tasks, on how many CPUs.

mod call;
mod cancel;
mod channel;
mod echo;
mod fair;
mod files;
mod hogs;
mod http;
mod memory;
mod mpsc;
mod mutex;
mod park;
mod pthread;
mod scope;
mod select;
mod sleep;
mod spawn;
mod yield_now;

use std::process::Command;
use std::time::Duration;

use crate::child::{Cpus, Measurement, Own};
use crate::data::Access;
use crate::series::Sample;
use crate::sys;

/// All cases, in the order they are run in.
pub(crate) const CASES: [Case; 18] = [
    yield_now::CASE,
    spawn::CASE,
    park::CASE,
    mutex::CASE,
    pthread::CASE,
    mpsc::CASE,
    channel::CASE,
    select::CASE,
    scope::CASE,
    cancel::CASE,
    sleep::CASE,
    call::CASE,
    echo::CASE,
    http::CASE,
    files::CASE,
    memory::CASE,
    hogs::CASE,
    fair::CASE,
];

/// One experiment.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) variants: fn(Scale) -> Vec<Variant>,
}

/// How much is done.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) quick: bool,
    /// The number of CPUs, and of workers where all are used.
    pub(crate) cpus: usize,
}

impl Scale {
    /// The time that a figure is taken over, in milliseconds.
    fn ms(self) -> usize {
        if self.quick { 60 } else { 300 }
    }

    /// The greatest number of tasks at once, and its name.
    fn many(self) -> (usize, &'static str) {
        if self.quick { (10_000, "10k") } else { (100_000, "100k") }
    }

    /// The time after which a child counts as hung.
    fn limit(self) -> Duration {
        Duration::from_secs(if self.quick { 30 } else { 60 })
    }

    /// The numbers of workers that cases are run with: one, and as many as there are CPUs.
    fn workers(self) -> Vec<usize> {
        if self.cpus == 1 { vec![1] } else { vec![1, self.cpus] }
    }
}

/// A case with its parameters: one table, one name in the CSV.
pub(crate) struct Variant {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) workers: usize,
    /// The case's name in the harness programs.
    harness: &'static str,
    params: Vec<(&'static str, usize)>,
    limit: Duration,
    /// The systems that take part; all if empty.
    only: &'static [&'static str],
    /// What is to be said of those that do not.
    note: Option<&'static str>,
    /// Whether Lisle runs with its slices switched off.
    unsliced: bool,
    kind: Kind,
}

enum Kind {
    /// The harness program prints the figures.
    Inside,
    /// The harness program serves, and a client takes the figures.
    Echo(echo::Load),
    /// The harness program reads the file and prints the figures.
    Files(Access),
    /// The harness program serves, and wrk takes the figures.
    Http(http::Load),
}

impl Variant {
    /// A variant on `workers` workers and as many CPUs, measured inside the harness program.
    fn inside(scale: Scale, harness: &'static str, id: &str, title: &str, workers: usize) -> Self {
        Variant {
            id: format!("{id}-{workers}w"),
            title: format!("{title}; workers: {workers}"),
            workers,
            harness,
            params: vec![("workers", workers), ("ms", scale.ms())],
            limit: scale.limit(),
            only: &[],
            note: None,
            unsliced: false,
            kind: Kind::Inside,
        }
    }

    fn with(mut self, name: &'static str, value: usize) -> Self {
        self.params.push((name, value));
        self
    }

    /// Gives another value to a parameter that the variant has.
    fn set(&mut self, name: &str, value: usize) {
        let parameter = self.params.iter_mut().find(|(given, _)| *given == name);
        parameter.expect("the parameter is there").1 = value;
    }

    /// For these systems alone.
    fn only(mut self, systems: &'static [&'static str]) -> Self {
        self.only = systems;
        self
    }

    /// Says something above the table.
    fn noting(mut self, note: &'static str) -> Self {
        self.note = Some(note).filter(|note| !note.is_empty());
        self
    }

    /// For Lisle with its slices switched off.
    fn without_slices(mut self) -> Self {
        self.unsliced = true;
        self.only(&["lisle"])
    }

    /// Whether this is the case of many tasks that compute.
    pub(crate) fn is_fair(&self) -> bool {
        self.harness == "fair"
    }

    /// Whether this is about the channels that a system has.
    pub(crate) fn is_of_channels(&self) -> bool {
        self.harness.starts_with("channel-")
    }

    /// Whether this is the TCP server, which the hand-written programs can do, too.
    pub(crate) fn is_echo(&self) -> bool {
        matches!(self.kind, Kind::Echo(_)) && self.id.starts_with("echo")
    }

    /// Whether this needs the file of [`data`](crate::data).
    pub(crate) fn reads_data(&self) -> bool {
        matches!(self.kind, Kind::Files(_))
    }

    /// Whether the system of this name has what the case is about.
    pub(crate) fn is_for(&self, system: &str) -> bool {
        self.only.is_empty() || self.only.contains(&system)
    }

    /// Prepares what all its runs share. Returns a note for the reader, or why there can be none.
    pub(crate) fn ready(&self) -> Result<Option<String>, String> {
        match &self.kind {
            Kind::Inside => Ok(self.note.map(str::to_owned)),
            Kind::Echo(load) => load.ready(),
            Kind::Http(load) => load.ready(),
            Kind::Files(access) => files::ready(*access),
        }
    }

    /// Takes the figures once: `program` is a system's harness program, `arg` what it is given
    /// besides the parameters.
    pub(crate) fn measure(
        &self,
        mut program: Command,
        arg: Option<&str>,
        own: &Own,
    ) -> Result<Taken, String> {
        program.arg(self.harness);
        program.args(self.params.iter().map(|(name, value)| format!("{name}={value}")));
        program.args(arg);
        if self.unsliced {
            program.env("LISLE_SLICE", "off");
        }
        if let Kind::Files(access) = self.kind {
            files::prepare(access, &mut program)?;
        }
        let cpus = Cpus { first: 0, count: self.workers };
        let child = Measurement::start(program, cpus, self.limit)?;
        match &self.kind {
            Kind::Echo(load) => load.measure(child, own),
            Kind::Http(load) => load.measure(child),
            Kind::Files(_) => files::measure(child),
            Kind::Inside => samples(child).map(Taken::from),
        }
    }
}

/// What one run brought.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) samples: Vec<Sample>,
    /// What is missing among them, and why.
    pub(crate) omitted: Option<String>,
}

impl From<Vec<Sample>> for Taken {
    fn from(samples: Vec<Sample>) -> Self {
        Taken { samples, omitted: None }
    }
}

/// The figures that a harness program prints.
fn samples(child: Measurement) -> Result<Vec<Sample>, String> {
    let parse = |line: String| Sample::parse(&line).ok_or(format!("not a figure: {line}"));
    let samples: Vec<_> = child.lines()?.into_iter().map(parse).collect::<Result<_, _>>()?;
    if samples.is_empty() { Err("ended without figures".to_owned()) } else { Ok(samples) }
}

/// Whether a process may have so many connections, and what it opens besides.
fn enough_files(connections: usize) -> Result<(), String> {
    let (needed, most) = (connections as u64 + 128, sys::most_files());
    match most.map_err(|error| format!("the limit of open files: {error}"))? {
        most if most < needed => Err(format!(
            "{needed} open files are needed, and the hard limit (`ulimit -Hn`) is {most}"
        )),
        _ => Ok(()),
    }
}

/// Variants for 2 and 100 tasks on each number of workers.
fn grid(scale: Scale, harness: &'static str, title: &str) -> Vec<Variant> {
    let mut variants = Vec::new();
    for workers in scale.workers() {
        for tasks in [2, 100] {
            let (id, title) = (format!("{harness}-{tasks}t"), format!("{tasks} {title}"));
            let variant = Variant::inside(scale, harness, &id, &title, workers);
            variants.push(variant.with("tasks", tasks));
        }
    }
    variants
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn variants_have_names_of_their_own() {
        let scale = Scale { quick: false, cpus: 2 };
        let mut seen = HashSet::new();
        for case in CASES {
            for variant in (case.variants)(scale) {
                assert!(variant.id.starts_with(case.name), "{}", variant.id);
                assert!(!variant.id.contains(','));
                assert!(seen.insert(variant.id));
            }
        }
    }

    #[test]
    fn one_cpu_has_no_variants_for_more() {
        let scale = Scale { quick: true, cpus: 1 };
        assert!(CASES.iter().flat_map(|case| (case.variants)(scale)).all(|v| v.workers == 1));
    }
}
