//! `lab bench` from end to end, on Lisle alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
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
fn published_run_of_the_fair_case_has_its_picture() {
    let (csv, runs) = (scratch("fair.csv"), scratch("fair-runs"));
    let (path, folder) = (csv.to_str().unwrap(), runs.to_str().unwrap());
    let what = ["bench", "--quick", "--rounds", "1", "fair", "--systems", "lisle"];
    let output =
        lab(&[&what[..], &["--csv", path, "--publish", folder, "--host", "test"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let published = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let picture = fs::read_to_string(published.join("fair.svg")).unwrap();
    assert!(picture.starts_with("<svg ") && picture.contains(">lisle<"), "{picture}");

    // The command draws the same from the figures alone.
    let output = lab(&["plot", path]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(csv.with_extension("svg")).unwrap(), picture);
    fs::write(&csv, lisle_lab::csv::write(&[])).unwrap();
    assert!(!lab(&["plot", path]).status.success(), "there is nothing to draw");
    fs::remove_file(csv.with_extension("svg")).unwrap();
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
        ("pthread-mutex", "tasks=2"),
        ("pthread-rwlock", "tasks=2"),
        ("pthread-cond", ""),
        ("pthread-sem", ""),
        ("pthread-barrier", "tasks=2"),
        ("mpsc", ""),
        ("channel-round-trip", "capacity=0"),
        ("channel-flow", "senders=2 receivers=2 capacity=0"),
        ("channel-flow", "senders=2 receivers=2"),
        ("channel-select", "channels=2 capacity=1"),
        ("channel-select", "channels=10 capacity=1"),
        ("scope", "tasks=10"),
        ("cancel", "tasks=100 sleeps=0"),
        ("memory", "tasks=100"),
        ("sleep-short", "us=50"),
        ("sleep-many", "tasks=100"),
    ];
    for (case, arg) in cases {
        let mut args = vec!["workers=1", "ms=2"];
        args.extend(arg.split_whitespace());
        assert!(!harness(case, &args).is_empty(), "{case}");
    }
}

/// Runs a case of Lisle and returns its figures: metric and value.
fn harness(case: &str, args: &[&str]) -> Vec<(String, f64)> {
    let output = lab(&[&["harness", case], args].concat());
    assert!(output.status.success(), "{case}: {}", text(&output.stderr));
    let figure = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let [metric, value, _unit] = words[..] else { panic!("{case}: {line}") };
        (metric.to_owned(), value.parse().unwrap())
    };
    text(&output.stdout).lines().map(figure).collect()
}

#[test]
fn every_family_of_calls_is_measured_in_three_ways() {
    let list = text(&lab(&["list"]).stdout);
    let families: Vec<_> =
        list.split_whitespace().filter(|word| word.starts_with("call-")).collect();
    assert!(families.len() > 20, "{list}");
    for family in families {
        let case = family.strip_suffix("-1w").expect("on one worker");
        let figures = harness(case, &["workers=1", "ms=2"]);
        let names: Vec<_> = figures.iter().map(|(metric, _)| metric.as_str()).collect();
        assert_eq!(names, ["plain", "thread", "coroutine", "thread_more", "coroutine_more"]);
        assert!(figures[..3].iter().all(|(_, value)| *value > 0.0), "{case}: {figures:?}");
    }
}

#[test]
fn short_sleep_is_no_shorter_than_asked() {
    let figures = harness("sleep-short", &["workers=1", "ms=50", "us=50"]);
    assert!(figures.iter().all(|(_, microseconds)| *microseconds >= 50.0), "{figures:?}");
    assert_eq!(figures.len(), 2);
}

#[test]
fn blocks_of_a_file_are_read_in_both_ways() {
    // In the target directory, as in the laboratory: `/tmp` may be memory.
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("data-{}", process::id()));
    fs::write(&path, vec![7; 64 << 12]).unwrap();
    let argument = format!("path={}", path.display());
    for flags in [0, libc::O_DIRECT] {
        let open = fs::OpenOptions::new().read(true).custom_flags(flags).open(&path);
        if let Err(error) = open {
            eprintln!("skipped: O_DIRECT is refused here: {error}");
            continue;
        }
        let flags = format!("flags={flags}");
        let figures = harness("files", &["workers=2", "ms=20", "tasks=8", &flags, &argument]);
        let names: Vec<_> = figures.iter().map(|(metric, _)| metric.as_str()).collect();
        assert_eq!(names, ["reads", "p50", "p99", "max", "bystander_p50", "bystander_max"]);
        assert!(figures.iter().all(|(_, value)| *value > 0.0), "{figures:?}");
    }
    fs::remove_file(path).unwrap();
}

/// A server of the harness that is killed in the end.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(case: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lisle-lab"));
        command.args(["harness", case, "workers=1"]).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim_end().strip_prefix("port ").expect("a port");
        Server { process, address: format!("127.0.0.1:{port}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn http_server_answers_until_it_is_told_to_close() {
    let server = Server::start("http");
    let mut stream = TcpStream::connect(&server.address).unwrap();
    // Two at once, then one in two parts.
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HT").unwrap();
    stream.write_all(b"TP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{answers}");
    assert_eq!(answers.matches("Hello, World!").count(), 3, "{answers}");
}

#[test]
fn client_sends_by_schedule_and_repeats_on_request() {
    let server = Server::start("echo");
    let (_, port) = server.address.split_once(':').unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lisle-lab"));
    command.args(["client", port, "70", "64", "2000", "50", "200"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = command.spawn().unwrap();
    client.stdin.take().unwrap().write_all(b"count 100\n").unwrap();
    let shown = text(&client.wait_with_output().unwrap().stdout);
    let lines: Vec<_> = shown.lines().collect();
    let [start, stop, report, counted] = lines[..] else { panic!("{shown}") };
    assert_eq!((start, stop), ("start", "stop"));
    assert!(report.starts_with("{\"connections\":70,\"requests\":"), "{report}");
    // Most of the 200 that are due, if the machine is busy; never more.
    let requests: u64 = counted.strip_prefix("counted ").unwrap().parse().unwrap();
    assert!((1..=201).contains(&requests), "{counted}");
}

#[test]
fn quick_http_measures_a_server() {
    if let Err(error) = Command::new("wrk").output() {
        eprintln!("skipped: wrk cannot be run: {error}");
        return;
    }
    let csv = scratch("http.csv");
    let path = csv.to_str().unwrap();
    let common = ["bench", "--quick", "--rounds", "1", "--systems", "lisle"];
    let output = lab(&[&common[..], &["--csv", path, "http-100c"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let written = fs::read_to_string(&csv).unwrap();
    assert_eq!(check_csv(&written, &["lisle"]), 4, "{}", text(&output.stdout));
    fs::remove_file(csv).unwrap();
}

#[test]
fn what_cannot_be_measured_is_skipped_with_the_reason() {
    let output = Command::new(env!("CARGO_BIN_EXE_lisle-lab"))
        .args(["bench", "--quick", "--rounds", "1", "--systems", "lisle", "http-100c"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("- skipped: wrk, the client, cannot be run"), "{shown}");
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
    // The seventh is the number of system calls, where something can count them.
    let uncounted = shown.contains("not counted") || shown.contains("left out");
    if uncounted {
        eprintln!("skipped: the count of system calls: {shown}");
    }
    assert_eq!(check_csv(&written, &["lisle"]), if uncounted { 6 } else { 7 }, "{shown}");
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
