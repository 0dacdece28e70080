//! `lab bench`: builds what is needed, runs the rounds, and shows what came out.
//!
//! Rounds are interleaved: within a variant every system is run once, then every system again.
//! A machine that slows down for a while thus slows down all of them alike.

use std::fs;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::Command;

use crate::case::{CASES, Scale, Taken, Variant};
use crate::child::Own;
use crate::options::Options;
use crate::standing::Standing;
use crate::system::{SYSTEMS, System};
use crate::{csv, data, machine, publish, rivals, table};

/// A system whose harness program is there.
struct Contestant {
    system: System,
    /// The program; the laboratory's own executable if none.
    program: Option<PathBuf>,
}

impl Contestant {
    fn command(&self, own: &Own) -> Command {
        match &self.program {
            Some(program) if self.system.under_run => {
                let mut command = own.lisle();
                command.args(["run", "--"]).arg(program);
                command
            }
            Some(program) => Command::new(program),
            None => own.command("harness"),
        }
    }

    fn measure(&self, variant: &Variant, own: &Own) -> Result<Taken, String> {
        variant.measure(self.command(own), self.system.arg, own)
    }
}

/// Runs the benchmarks that the arguments after `bench` ask for.
pub(crate) fn run(args: impl Iterator<Item = String>, own: &Own) -> Result<(), String> {
    let options = Options::parse(args)?;
    let variants = chosen_variants(&options)?;
    let systems = chosen_systems(&options, &variants)?;
    let mut summary = Summary::default();
    summary.say(&intro(&options, own));
    let contestants = build(&systems, &mut summary);
    let mut rows = Vec::new();
    for variant in &variants {
        summary.say(&format!("## {}\n\n{}\n", variant.id, variant.title));
        match variant.ready() {
            Ok(None) => {}
            Ok(Some(note)) => summary.say(&format!("({note})\n")),
            Err(reason) => {
                summary.say(&format!("- skipped: {reason}\n"));
                continue;
            }
        }
        let standings = compete(variant, &contestants, &options, own);
        summary.say(&table::render(&standings));
        rows.extend(standings.iter().flat_map(|standing| standing.all_rows(&variant.id)));
    }
    if variants.iter().any(Variant::reads_data) {
        data::remove()?;
    }
    let csv = csv::write(&rows);
    if let Some(path) = &options.csv {
        fs::write(path, &csv).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if let (Some(dir), Some(host)) = (&options.publish, &options.host) {
        let folder = publish::publish(dir, host, &csv, &summary.text)?;
        println!("written to {}", folder.display());
    }
    Ok(())
}

/// Shows the cases, their variants and the systems.
pub(crate) fn list() {
    let scale = Scale { quick: false, cpus: machine::cpus() };
    for case in CASES {
        println!("{:8} {}", case.name, case.about);
        for variant in (case.variants)(scale) {
            println!("         {:16} {}", variant.id, variant.title);
        }
    }
    println!("\nsystems:");
    for system in SYSTEMS {
        println!("         {:16} {}", system.name, system.about);
    }
}

/// What is printed, and kept for a published run.
#[derive(Default)]
struct Summary {
    text: String,
}

impl Summary {
    fn say(&mut self, paragraph: &str) {
        println!("{paragraph}");
        self.text += paragraph;
        self.text.push('\n');
    }
}

fn chosen_variants(options: &Options) -> Result<Vec<Variant>, String> {
    let scale = Scale { quick: options.quick, cpus: machine::cpus() };
    let mut variants = Vec::new();
    let mut known = vec![false; options.cases.len()];
    for case in CASES {
        for variant in (case.variants)(scale) {
            let mut wanted = options.cases.is_empty();
            for (name, known) in options.cases.iter().zip(&mut known) {
                if *name == case.name || *name == variant.id {
                    (*known, wanted) = (true, true);
                }
            }
            if wanted {
                variants.push(variant);
            }
        }
    }
    match known.iter().position(|known| !known) {
        Some(index) => Err(format!("no such case here: {} (see `lab list`)", options.cases[index])),
        None => Ok(variants),
    }
}

fn chosen_systems(options: &Options, variants: &[Variant]) -> Result<Vec<System>, String> {
    let is_known = |name: &&String| SYSTEMS.iter().any(|system| system.name == *name);
    if let Some(name) = options.systems.iter().find(|name| !is_known(name)) {
        return Err(format!("no such system: {name} (see `lab list`)"));
    }
    let wanted = |system: &System| {
        (options.systems.is_empty() || options.systems.iter().any(|name| name == system.name))
            && variants.iter().any(|variant| system.takes_part(variant))
    };
    Ok(SYSTEMS.into_iter().filter(wanted).collect())
}

/// The heading: machine, tools, and how the figures were taken.
fn intro(options: &Options, own: &Own) -> String {
    let mut text = format!("# Lisle beside its rivals, {}\n\n", publish::today());
    for (name, value) in machine::facts() {
        text += &format!("- {name}: {value}\n");
    }
    // In a process of its own: this one is not to start a runtime.
    let mode = machine::first_line(own.command("harness").arg("mode"));
    text += &format!("- Lisle's mode: {mode}\n");
    if cfg!(debug_assertions) {
        text += "- Lisle was built without optimisation: its figures mean nothing\n";
    }
    let kind = if options.quick { "quick" } else { "full" };
    text += &format!("- rounds: {}, interleaved; {kind}; medians\n", options.rounds());
    text
}

fn build(systems: &[System], summary: &mut Summary) -> Vec<Contestant> {
    let mut contestants = Vec::new();
    for system in systems {
        progress(&format!("building {}", system.name));
        match rivals::build(system.program) {
            Ok(program) => contestants.push(Contestant { system: *system, program }),
            Err(reason) => summary.say(&format!("- {} skipped: {reason}", system.name)),
        }
    }
    contestants
}

/// All rounds of a variant.
fn compete(
    variant: &Variant,
    contestants: &[Contestant],
    options: &Options,
    own: &Own,
) -> Vec<Standing> {
    let takes_part = |contestant: &&Contestant| contestant.system.takes_part(variant);
    let mut field: Vec<_> = contestants
        .iter()
        .filter(takes_part)
        .map(|contestant| (contestant, Standing::new(contestant.system.name)))
        .collect();
    for round in 1..=options.rounds() {
        for (contestant, standing) in &mut field {
            if standing.is_hopeless() {
                continue;
            }
            progress(&format!("{} round {round}: {}", variant.id, standing.system));
            standing.add(&variant.id, contestant.measure(variant, own));
        }
    }
    progress("");
    field.into_iter().map(|(_, standing)| standing).collect()
}

/// Shows what is going on, where somebody may be looking.
fn progress(what: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
    }
}
