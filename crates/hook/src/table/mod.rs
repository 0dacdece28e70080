//! Which functions of the C library are hooked, how, and what is known to differ; which can wait
//! and are not hooked, and why; which do not wait.
//!
//! The three together name every function that the C library exports, each once. A test holds them
//! to it (`tests/coverage.rs`), another one holds the first to the hooks that there are
//! (`tests/table.rs`). PLATFORM.md renders the first two, `lisle hooks` prints them.
//!
//! # Adding a hook
//!
//! Add its name to a row, or a row to a family, in the file of its kind; take the name out of
//! `unhooked/` or `harmless.txt`; have the tests write PLATFORM.md anew:
//! `LISLE_TEST_UPDATE=1 cargo test -p lisle-hook --test table`.

mod databases;
mod files;
mod locks;
mod markdown;
mod programs;
mod queues;
mod run;
mod signals;
mod streams;
mod transfer;
mod unhooked;
mod waiting;

pub use markdown::{BEGIN, END, render};
pub use run::RUN;

/// Rows that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// A heading.
    pub title: &'static str,
    /// Its rows.
    pub rows: &'static [Row],
}

/// Functions that are hooked in the same way.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Their names, with spaces between.
    pub symbols: &'static str,
    /// What they do on a coroutine that can suspend.
    pub how: &'static str,
    /// What is known to differ from the original; empty if nothing.
    pub differs: &'static str,
}

/// Functions that can wait and are deliberately not hooked.
#[derive(Clone, Copy, Debug)]
pub struct Unhooked {
    /// What they are.
    pub what: &'static str,
    /// Their names, with spaces between.
    pub symbols: &'static str,
    /// What they wait for, and why no hook helps.
    pub why: &'static str,
    /// What a program can do.
    pub remedy: &'static str,
}

/// All hooks.
pub const TABLE: &[Family] = &[
    transfer::BYTES,
    transfer::MESSAGES,
    transfer::READINESS,
    transfer::DESCRIPTORS,
    files::PATHS,
    files::FOLDERS,
    files::CONTENTS,
    streams::STREAMS,
    waiting::TIME,
    waiting::THREADS,
    locks::LOCKS,
    signals::SIGNALS,
    queues::QUEUES,
    queues::ASYNCHRONOUS,
    waiting::CHILDREN,
    programs::PROGRAMS,
    programs::LOGS,
    databases::HOSTS,
    databases::USERS,
    databases::TABLES,
];

/// All that can wait and is not hooked. Such a call blocks its worker.
pub const UNHOOKED: &[&[Unhooked]] = unhooked::ALL;

/// The names of what does not wait, and prefixes of names: see the file.
const HARMLESS: &str = include_str!("harmless.txt");

/// What is known of a function.
#[derive(Clone, Copy, Debug)]
pub enum Finding {
    /// It is hooked.
    Hooked(&'static Row),
    /// It can wait and is not hooked.
    Unhooked(&'static Unhooked),
    /// It does not wait.
    Harmless,
}

/// Looks a function up by its name.
pub fn find(name: &str) -> Option<Finding> {
    let named = |symbols: &str| symbols.split_whitespace().any(|symbol| symbol == name);
    if let Some(row) = rows().find(|row| named(row.symbols)) {
        return Some(Finding::Hooked(row));
    }
    if let Some(group) = unhooked().find(|group| named(group.symbols)) {
        return Some(Finding::Unhooked(group));
    }
    let covers = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    };
    harmless().any(covers).then_some(Finding::Harmless)
}

/// What a function is under `lisle run`, if that defines it itself. Elsewhere it is what [`find`]
/// says.
pub fn under_run(name: &str) -> Option<&'static Row> {
    RUN.rows.iter().find(|row| row.symbols.split_whitespace().any(|symbol| symbol == name))
}

/// All rows of [`TABLE`].
pub fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().flat_map(|family| family.rows)
}

/// All groups of [`UNHOOKED`].
pub fn unhooked() -> impl Iterator<Item = &'static Unhooked> {
    UNHOOKED.iter().copied().flatten()
}

/// The names of what does not wait, and, with a star at the end, what others of them begin with.
pub fn harmless() -> impl Iterator<Item = &'static str> {
    let lines = HARMLESS.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace)
}
