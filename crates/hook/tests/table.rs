//! The table of hooks tells what there is: no more, no less.

mod elf;

use std::collections::BTreeSet;
use std::path::Path;

use lisle_hook::table::{self, BEGIN, END};

/// The names of the table's symbols, with repetitions.
fn symbols() -> impl Iterator<Item = &'static str> {
    table::rows().flat_map(|row| row.symbols.split_whitespace())
}

#[test]
fn the_table_names_the_hooks_that_there_are() {
    let c_library = elf::c_library();
    let hooks = elf::hooks(&c_library);
    let hooks: BTreeSet<&str> = hooks.iter().map(String::as_str).collect();
    let told: BTreeSet<&str> = symbols().collect();
    let untold: Vec<_> = hooks.difference(&told).collect();
    assert!(untold.is_empty(), "hooked, and not in crates/hook/src/table: {untold:?}");
    // A hook for what this C library lacks is not exported.
    let old = elf::old();
    let wanted = |name: &&&str| c_library.contains(**name) && !old.contains(**name);
    let missing: Vec<_> = told.difference(&hooks).filter(wanted).collect();
    assert!(missing.is_empty(), "in crates/hook/src/table, and not hooked: {missing:?}");
}

#[test]
fn hooks_are_in_the_table_also_where_the_c_library_lacks_the_function() {
    // Names that the executable defines and no C library known here exports cannot be told from
    // the program's own, so this looks at the sources.
    let told: BTreeSet<&str> = symbols().collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let mut defined = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for (_, after) in
            text.match_indices("#[unsafe(no_mangle)]").map(|(at, _)| text.split_at(at))
        {
            let name = after.split_once(" fn ").map(|(_, rest)| rest.split('(').next().unwrap());
            // Names that start with a dollar sign are those of a macro.
            let name = name.filter(|name| !name.starts_with('$'));
            if let Some(name) = name {
                defined += 1;
                assert!(told.contains(name), "{}: {name} is not in the table", path.display());
            }
        }
    }
    assert!(defined > 40, "only {defined} definitions found");
}

#[test]
fn no_symbol_is_named_twice() {
    let unhooked = table::unhooked().flat_map(|group| group.symbols.split_whitespace());
    let mut seen = BTreeSet::new();
    for name in symbols().chain(unhooked).chain(table::harmless()) {
        assert!(seen.insert(name), "{name} stands twice in crates/hook/src/table");
    }
}

#[test]
fn every_row_says_something() {
    for row in table::rows() {
        assert!(!row.symbols.is_empty() && !row.how.is_empty(), "{row:?}");
    }
    for group in table::unhooked() {
        let texts = [group.what, group.symbols, group.why, group.remedy];
        assert!(texts.iter().all(|text| !text.is_empty()), "{group:?}");
    }
    // Cells of a table: one line, and no bar that would end the cell.
    let text = table::render();
    let bars = |line: &str| line.matches('|').count();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        assert!(matches!(bars(line), 4 | 5), "{line}");
    }
}

#[test]
fn platform_md_shows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../PLATFORM.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("PLATFORM.md has the first mark");
    let (shown, after) = rest.split_once(END).expect("PLATFORM.md has the second mark");
    let wanted = format!("\n{}", table::render());
    if std::env::var_os("LISLE_TEST_UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    let stale = wanted.lines().zip(shown.lines()).find(|(wanted, shown)| wanted != shown);
    assert!(
        wanted == shown,
        "PLATFORM.md does not show the table of hooks, for instance (wanted, shown) {stale:?}.\n\
         To write it anew: LISLE_TEST_UPDATE=1 cargo test -p lisle-hook --test table",
    );
}
