//! `lisle hooks` as a user runs it.

use std::process::Command;

/// What the command prints, and its exit status.
fn hooks(args: &[&str]) -> (String, i32) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_lisle")).arg("hooks").args(args).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

#[test]
fn a_symbol_is_explained() {
    let (text, status) = hooks(&["read", "dlsym", "getpid"]);
    assert_eq!(status, 0);
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    let [read, dlsym, getpid] = lines[..] else { panic!("{text}") };
    assert_eq!(read, "read: hooked");
    assert!(dlsym.starts_with("dlsym: not hooked; "), "{dlsym}");
    assert_eq!(getpid, "getpid: not hooked; it does not wait");
    for told in ["    how: ", "    differs: ", "    why: ", "    remedy: "] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn an_unknown_symbol_is_told_by_the_status() {
    let (text, status) = hooks(&["write", "no_such_function"]);
    assert_eq!(status, 1);
    assert!(text.contains("write: hooked"), "{text}");
    assert!(text.contains("no_such_function: unknown"), "{text}");
}

#[test]
fn without_symbols_all_are_told() {
    let (text, status) = hooks(&[]);
    assert_eq!(status, 0);
    for name in lisle_hook::table::rows().flat_map(|row| row.symbols.split_whitespace()) {
        assert!(text.split_whitespace().any(|word| word == name), "{name}");
    }
    assert!(text.contains("Not hooked"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn other_arguments_are_refused() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_lisle")).args(["hooks", "--all"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(hooks(&["--help"]).0.contains("Usage: lisle hooks"));
}

#[test]
fn what_lisle_run_defines_is_told() {
    let (text, status) = hooks(&["pthread_create", "execv", "read"]);
    assert_eq!(status, 0);
    let told = |name: &str| text.contains(&format!("{name}: defined anew under `lisle run`"));
    assert!(told("pthread_create") && !told("execv") && !told("read"), "{text}");
    assert!(hooks(&[]).0.contains("thrd_create"));
}
