//! `lab bench` from end to end, on Lisle alone.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs, process};

fn lab(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lisle-lab")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path that no other test uses.
fn scratch(name: &str) -> PathBuf {
    env::temp_dir().join(format!("lisle-lab-{}-{name}", process::id()))
}

/// Checks every line of a CSV and returns the number of figures.
fn check_csv(csv: &str, systems: &[&str]) -> usize {
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("case,system,metric,value,unit,runs,min,max"));
    lines.map(|line| check_line(line, systems)).count()
}

fn check_line(line: &str, systems: &[&str]) {
    let fields: Vec<_> = line.split(',').collect();
    let [case, system, metric, value, unit, runs, min, max] = fields[..] else {
        panic!("not eight fields: {line}");
    };
    assert!(!case.is_empty() && systems.contains(&system), "{line}");
    assert!(metric != "failed" && !unit.is_empty(), "{line}");
    let number = |text: &str| text.parse::<f64>().unwrap();
    assert!(number(min) <= number(value) && number(value) <= number(max), "{line}");
    assert!(number(runs) >= 1.0 && number(min) > 0.0, "{line}");
}

#[test]
fn quick_yield_writes_csv_and_publishes() {
    let (csv, runs) = (scratch("out.csv"), scratch("runs"));
    let output = lab(&[
        "bench",
        "--quick",
        "--rounds",
        "2",
        "yield",
        "--systems",
        "lisle",
        "--csv",
        csv.to_str().unwrap(),
        "--publish",
        runs.to_str().unwrap(),
        "--host",
        "test",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let written = fs::read_to_string(&csv).unwrap();
    assert!(check_csv(&written, &["lisle"]) >= 2);
    assert!(text(&output.stdout).contains("| lisle "));

    let folder = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    assert!(folder.to_str().unwrap().ends_with("-test"));
    assert_eq!(fs::read_to_string(folder.join("raw.csv")).unwrap(), written);
    let summary = fs::read_to_string(folder.join("summary.md")).unwrap();
    assert!(summary.contains("- CPU: ") && summary.contains("## yield-2t-1w"));
    fs::remove_file(csv).unwrap();
    fs::remove_dir_all(runs).unwrap();
}

#[test]
fn every_case_of_the_harness_reports_figures() {
    let cases = [
        ("yield", "tasks=2"),
        ("park", ""),
        ("spawn-one", ""),
        ("spawn-waves", "tasks=10"),
        ("spawn-flood", "tasks=100"),
        ("mutex", "tasks=2"),
        ("mpsc", ""),
        ("memory", "tasks=100"),
    ];
    for (case, arg) in cases {
        let mut args = vec!["harness", case, "workers=1", "ms=2"];
        args.extend(Some(arg).filter(|arg| !arg.is_empty()));
        let output = lab(&args);
        assert!(output.status.success(), "{case}: {}", text(&output.stderr));
        let lines = text(&output.stdout);
        assert!(lines.lines().count() >= 1, "{case}");
        assert!(lines.lines().all(|line| line.split(' ').count() == 3), "{case}: {lines}");
    }
}

#[test]
fn quick_echo_measures_a_server() {
    let csv = scratch("echo.csv");
    let path = csv.to_str().unwrap();
    let output = lab(&[
        "bench",
        "--quick",
        "--rounds",
        "1",
        "--systems",
        "lisle",
        "--csv",
        path,
        "echo-100c",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let written = fs::read_to_string(&csv).unwrap();
    let shown = text(&output.stdout);
    // The sixth is the number of system calls, where something can count them.
    let uncounted = shown.contains("not counted") || shown.contains("left out");
    if uncounted {
        eprintln!("skipped: the count of system calls: {shown}");
    }
    assert_eq!(check_csv(&written, &["lisle"]), if uncounted { 5 } else { 6 }, "{shown}");
    fs::remove_file(csv).unwrap();
}

#[test]
fn unknown_names_are_refused() {
    for args in [["bench", "yeild"], ["bench", "--fast"], ["harness", "nap"], ["client", "x"]] {
        let output = lab(&args);
        assert!(!output.status.success(), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    assert!(text(&lab(&["list"]).stdout).contains("yield-2t-1w"));
}
