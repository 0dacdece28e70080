//! Every function of the installed C library is hooked, listed as not hooked, or known not to wait.

mod elf;

use lisle_hook::table::{self, Finding};

#[test]
fn every_function_of_the_c_library_is_sorted() {
    let c_library = elf::c_library();
    let (hooks, old) = (elf::hooks(&c_library), elf::old());
    let mut unknown = Vec::new();
    for name in &c_library {
        match table::find(name) {
            Some(Finding::Hooked(_)) => {
                assert!(hooks.contains(name) || old.contains(name), "{name} is not hooked");
            }
            Some(_) => assert!(!hooks.contains(name), "{name} is hooked, and listed as not"),
            None => unknown.push(name.as_str()),
        }
    }
    assert!(
        unknown.is_empty(),
        "nobody has looked yet whether these functions of the C library can wait:\n  {}\n\
         Each must be put in one of three places, see crates/hook/src/table/mod.rs:\n\
         - if it can wait: hook it, and name it in a row of crates/hook/src/table/;\n\
         - if it can wait and no hook is possible: name it in crates/hook/src/table/unhooked/,\n\
           with the reason and with what a program can do;\n\
         - if it does not wait: name it in crates/hook/src/table/harmless.txt.",
        unknown.join("\n  "),
    );
}

#[test]
fn the_lists_are_what_they_say() {
    let kind = |name: &str| match table::find(name) {
        Some(Finding::Hooked(_)) => "hooked",
        Some(Finding::Unhooked(_)) => "unhooked",
        Some(Finding::Harmless) => "harmless",
        None => "unknown",
    };
    let samples = [
        ("read", "hooked"),
        ("getaddrinfo", "hooked"),
        ("mount", "hooked"),
        ("fopen", "hooked"),
        ("sigwait", "hooked"),
        ("dlsym", "unhooked"),
        // A prefix would make it harmless.
        ("strftime", "unhooked"),
        ("strlen", "harmless"),
        ("getpid", "harmless"),
        ("pthread_self", "harmless"),
        ("no_function_of_this_name", "unknown"),
        ("rea", "unknown"),
    ];
    for (name, wanted) in samples {
        assert_eq!(kind(name), wanted, "{name}");
    }
}

#[test]
fn harmless_prefixes_are_long_enough_to_be_safe() {
    for prefix in table::harmless().filter_map(|pattern| pattern.strip_suffix('*')) {
        // Three letters and nothing before them: the shortest that name one kind of functions.
        assert!(prefix.len() >= 3 && !prefix.contains('*'), "{prefix}*");
        let others = table::rows().map(|row| row.symbols);
        for name in others.flat_map(str::split_whitespace) {
            assert!(!name.starts_with(prefix), "{prefix}* begins like the hooked {name}");
        }
    }
}

#[test]
fn the_list_of_harmless_functions_is_in_order() {
    let text = include_str!("../src/table/harmless.txt");
    for group in text.split("\n\n") {
        let lines = group.lines().filter(|line| !line.starts_with('#'));
        let names: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        assert!(names.is_sorted(), "out of order: {:?}", names.windows(2).find(|w| w[0] > w[1]));
    }
    assert!(text.lines().all(|line| line.len() <= 100), "a line has more than 100 columns");
}
