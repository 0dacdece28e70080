//! The style guide as a test: reads the repository's files and lists every offender.
//!
//! One test per rule. The rules are those of HACKING.md that rustfmt and clippy cannot check.
//! Sources are judged by their text alone; where a rule is about code, comments and the insides of
//! literals are blanked first, so that words in them do not count. What reads the texts is in
//! `tidy/reading.rs`, with tests of its own.

#[path = "tidy/reading.rs"]
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reading::{
    code_only, environment_variables, functions, has_word, layer_table, links, module_of, numbered,
    paths_from, root_names, unjustified, workspace_dependencies,
};

/// Most columns of a line.
const COLUMNS: usize = 100;
/// Most lines of a function, from its `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;
/// Most lines of a file.
const FILE_LINES: usize = 450;
/// Most lines of a file of tests, or of one architecture's assembly.
const LONG_FILE_LINES: usize = 700;

/// Which crates of the workspace a crate may depend on. Imports run in a line, so no row may name
/// a crate that names it back, directly or not.
const EDGES: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("sys", &[]),
    ("fiber", &["sys"]),
    ("rt", &["core", "sys", "fiber"]),
    ("hook", &["rt", "core", "sys"]),
    ("preload", &["rt", "hook"]),
    ("macros", &[]),
    ("lisle", &["rt", "hook", "macros"]),
    ("lab-harness", &[]),
    ("lab", &["lisle", "core", "lab-harness"]),
    ("cli", &["lisle", "hook", "preload", "sys", "lab"]),
];

/// Marks of unfinished work. Split, so that this file does not offend.
const UNFINISHED: &[&str] = &[
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("db", "g!"),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
];

// The rules.

#[test]
fn sources_open_with_what_they_are() {
    let mut offenders = Vec::new();
    for file in rust_files().iter().filter(|f| f.in_src()) {
        if !file.text.starts_with("//!") {
            offenders.push(format!("{}:1: does not open with a `//!` comment", file.path));
        }
    }
    report(offenders);
}

/// Programs in C and C++ that tests build.
#[test]
fn fixtures_open_with_what_they_are() {
    let mut offenders = Vec::new();
    for file in ["c", "cpp", "h"].into_iter().flat_map(files_with) {
        if !file.text.starts_with("/* ") && !file.text.starts_with("// ") {
            offenders.push(format!("{}:1: does not open with a comment", file.path));
        }
        for (number, line) in numbered(&file.text).filter(|(_, line)| line.len() > COLUMNS) {
            offenders.push(format!("{}:{number}: {} columns", file.path, line.len()));
        }
    }
    report(offenders);
}

#[test]
fn files_are_within_their_budget() {
    let mut offenders = Vec::new();
    for file in rust_files() {
        let (lines, budget) = (file.text.lines().count(), file.budget());
        if lines > budget {
            offenders.push(format!("{}:{lines}: {lines} lines, budget {budget}", file.path));
        }
    }
    report(offenders);
}

#[test]
fn functions_are_within_their_budget() {
    let mut offenders = Vec::new();
    for file in rust_files() {
        for (line, length) in functions(&code_only(&file.text)) {
            if length > FUNCTION_LINES {
                offenders.push(format!(
                    "{}:{line}: function of {length} lines, budget {FUNCTION_LINES}",
                    file.path
                ));
            }
        }
    }
    report(offenders);
}

#[test]
fn unsafe_code_is_justified() {
    let mut offenders = Vec::new();
    for file in rust_files() {
        for line in unjustified(&file.text) {
            offenders.push(format!("{}:{line}: unsafe without `SAFETY:` above it", file.path));
        }
    }
    report(offenders);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut offenders = Vec::new();
    for file in rust_files() {
        for (number, line) in numbered(&file.text) {
            for mark in UNFINISHED.iter().filter(|mark| has_word(line, mark)) {
                offenders.push(format!("{}:{number}: {mark}", file.path));
            }
        }
    }
    report(offenders);
}

#[test]
fn lines_are_within_their_columns() {
    let mut offenders = Vec::new();
    for file in rust_files() {
        for (number, line) in numbered(&file.text) {
            let columns = line.chars().count();
            if columns > COLUMNS {
                offenders.push(format!("{}:{number}: {columns} columns", file.path));
            }
        }
    }
    report(offenders);
}

#[test]
fn crates_import_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut offenders = Vec::new();
    for (name, path, manifest) in manifests() {
        let Some(allowed) = allowed.get(name.as_str()) else {
            offenders.push(format!("{path}:1: crate `{name}` has no row in EDGES"));
            continue;
        };
        for (line, dependency) in workspace_dependencies(&manifest) {
            if !allowed.contains(&dependency.as_str()) {
                offenders.push(format!("{path}:{line}: `{name}` may not import `{dependency}`"));
            }
        }
    }
    report(offenders);
}

/// The layers of the scheduler stand as a table in the documentation of its `lib.rs`.
///
/// In a fenced block titled "layers", lines of the form `N  name name ...`, each name a module. A
/// file may name modules of its own layer and of those below it.
#[test]
fn scheduler_layers_import_downwards() {
    let files = rust_files();
    let files: Vec<&Source> =
        files.iter().filter(|f| f.path.starts_with("crates/rt/src/")).collect();
    let modules: BTreeSet<&str> = files.iter().filter_map(|f| module_of(&f.path)).collect();
    let lib =
        files.iter().find(|f| f.path == "crates/rt/src/lib.rs").expect("crates/rt/src/lib.rs");
    let (layers, mut offenders) = layer_table(&lib.text, &modules);
    assert!(!layers.is_empty(), "crates/rt/src/lib.rs has no table of layers");
    for module in modules.iter().filter(|m| !layers.contains_key(**m)) {
        offenders.push(format!("crates/rt/src/lib.rs:1: module `{module}` is in no layer"));
    }
    for file in files {
        let Some(layer) = module_of(&file.path).and_then(|module| layers.get(module)) else {
            continue;
        };
        let code = code_only(&file.text);
        let paths = root_names(&file.path).into_iter().flat_map(|root| paths_from(&code, root));
        for (line, name) in paths {
            match layers.get(name.as_str()) {
                Some(other) if other <= layer => {}
                Some(other) => offenders.push(format!(
                    "{}:{line}: layer {layer} imports `{name}` of layer {other}",
                    file.path
                )),
                // Reported above, once.
                None if modules.contains(name.as_str()) => {}
                None => offenders.push(format!(
                    "{}:{line}: `crate::{name}` hides the module it comes from",
                    file.path
                )),
            }
        }
    }
    report(offenders);
}

#[test]
fn linked_files_exist() {
    let mut offenders = Vec::new();
    for file in files_with("md") {
        let folder = root().join(&file.path).parent().expect("a file has a folder").to_owned();
        for (line, target) in links(&file.text) {
            if !folder.join(&target).exists() {
                offenders.push(format!("{}:{line}: `{target}` does not exist", file.path));
            }
        }
    }
    report(offenders);
}

#[test]
fn environment_variables_are_documented() {
    let Ok(manual) = fs::read_to_string(root().join("PLATFORM.md")) else {
        println!("there is no PLATFORM.md yet");
        return;
    };
    let documented: BTreeSet<String> =
        numbered(&manual).flat_map(|(_, line)| environment_variables(line)).collect();
    let mut offenders = Vec::new();
    for file in rust_files().iter().filter(|f| f.in_src()) {
        for (number, line) in numbered(&file.text) {
            for variable in environment_variables(line) {
                if !documented.contains(&variable) {
                    offenders
                        .push(format!("{}:{number}: {variable} is not in PLATFORM.md", file.path));
                }
            }
        }
    }
    report(offenders);
}

/// Fails with the whole list.
#[track_caller]
fn report(offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{} offender(s):\n{}", offenders.len(), offenders.join("\n"));
}

// The repository.

/// A file, by its path from the repository's root, with forward slashes.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Whether the file is a part of a crate, not a test, an example or a harness of a rival.
    fn in_src(&self) -> bool {
        self.path.split('/').nth(2) == Some("src")
    }

    fn budget(&self) -> usize {
        let mut folders = self.path.split('/');
        if folders.any(|folder| folder == "arch" || folder == "tests") {
            LONG_FILE_LINES
        } else {
            FILE_LINES
        }
    }
}

/// The root of the checkout these tests were built in.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    assert!(
        manifest.contains("[workspace]") && root.join("crates/lisle/tests/tidy.rs").exists(),
        "{} is not the root of a checkout: these tests read the repository's files",
        root.display()
    );
    root
}

fn rust_files() -> Vec<Source> {
    files_with("rs")
}

/// The files with this extension in the root folder and, at any depth, in `crates`.
fn files_with(extension: &str) -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    for entry in entries(&root) {
        if entry.is_file() {
            paths.push(entry);
        }
    }
    walk(&root.join("crates"), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|e| e == extension));
    assert!(!paths.is_empty(), "no .{extension} files found under {}", root.display());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let path = path.strip_prefix(&root).expect("walked from the root");
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        Source { path: parts.join("/"), text }
    };
    paths.into_iter().map(read).collect()
}

/// Adds every file below `folder`, except in build folders.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in entries(folder) {
        if !entry.is_dir() {
            files.push(entry);
        } else if !entry.join("CACHEDIR.TAG").exists() {
            walk(&entry, files);
        }
    }
}

/// What a folder holds, in order, without hidden names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')));
    paths.sort();
    paths
}

/// The crates of the workspace: folder's name, path of the manifest, its text.
fn manifests() -> Vec<(String, String, String)> {
    let toml = files_with("toml");
    let named = toml.into_iter().filter_map(|file| {
        let name = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?.to_owned();
        (!name.contains('/')).then_some((name, file.path, file.text))
    });
    named.collect()
}
