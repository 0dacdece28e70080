//! `lisle demo` as a user runs it, at a size that fits a test.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const LISLE: &str = env!("CARGO_BIN_EXE_lisle");

fn lisle(args: &[&str]) -> Output {
    Command::new(LISLE).args(args).stdin(Stdio::null()).output().unwrap()
}

/// A path of its own for each test and purpose.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn both_systems_are_measured_and_reported() {
    let (json, html) = (scratch("figures.json"), scratch("report.html"));
    let started = Instant::now();
    let output = Command::new(LISLE)
        .args(["demo", "--connections", "200", "--seconds", "1", "--json"])
        .args([&json, &PathBuf::from("--report"), &html])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());

    let figures: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let columns = figures["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 2);
    for (column, system) in columns.iter().zip(["coroutines", "threads"]) {
        assert_eq!(column["system"], system);
        assert_eq!(column["connections"], 200, "{column}");
        assert_eq!(column["errors"], 0, "{column}");
        assert!(column["requests"].as_u64().unwrap() > 200, "{column}");
        assert!(column["requests_per_second"].as_f64().unwrap() > 0.0, "{column}");
        assert!(column["memory"]["per_connection"].as_f64().unwrap() > 0.0, "{column}");
        assert!(column["cpu_us_per_request"].as_f64().unwrap() > 0.0, "{column}");
        let latency = |name: &str| column["latency"][name].as_u64().unwrap();
        assert!(latency("p50_us") > 0 && latency("p50_us") <= latency("p99_us"), "{column}");
        assert!(latency("p999_us") <= latency("max_us"), "{column}");
        assert!(!column["rate"].as_array().unwrap().is_empty(), "{column}");
    }
    assert_eq!(columns[1]["mode"], "threads");
    assert!(columns[1]["os_threads"].as_u64().unwrap() >= 200);

    let table = text(&output.stdout);
    assert!(table.contains("requests/s") && table.contains("p99.9"), "{table}");
    assert!(table.contains(&html.display().to_string()), "{table}");
    check_report(&std::fs::read_to_string(&html).unwrap());
    for path in [json, html] {
        std::fs::remove_file(path).unwrap();
    }
}

/// That the page is whole, balanced, and needs nothing from elsewhere.
fn check_report(html: &str) {
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"), "{html}");
    for tag in ["table", "tr", "figure", "svg", "ul", "style", "p", "text"] {
        let opened =
            html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
    assert_eq!(html.matches("<svg").count(), 6);
    assert_eq!(html.matches("<polyline").count(), 4);
    for elsewhere in ["http:", "https:", "src=", "@import", "url(", "NaN", "inf,"] {
        assert!(!html.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn a_low_limit_on_open_files_lowers_the_number() {
    let json = scratch("limited.json");
    let script = format!(
        "ulimit -n 100 && exec '{LISLE}' demo --connections 500 --seconds 0.2 --json '{}' \
         --report '{}'",
        json.display(),
        scratch("limited.html").display(),
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    for column in figures["columns"].as_array().unwrap() {
        assert_eq!(column["connections_asked"], 500);
        let connections = column["connections"].as_u64().unwrap();
        assert!((1..100).contains(&connections), "{column}");
        assert_eq!(column["errors"], 0, "{column}");
    }
    for said in [text(&output.stdout), text(&output.stderr)] {
        assert!(said.contains("open-file limit is 100"), "{said}");
        assert!(said.contains("ulimit -n"), "{said}");
    }
}

#[test]
fn bad_arguments_are_told_from_failures() {
    for args in [
        &["demo", "--connections", "many"][..],
        &["demo", "--seconds"],
        &["demo", "--faster"],
        &["dmeo"],
        &[],
    ] {
        let output = lisle(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains("Usage: lisle"), "{output:?}");
    }
    let output = lisle(&["demo", "--report", "/nonexistent/report.html"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no directory /nonexistent"), "{output:?}");
}

#[test]
fn help_and_version() {
    assert!(text(&lisle(&["--help"]).stdout).contains("demo"));
    assert!(text(&lisle(&["demo", "--help"]).stdout).contains("--connections"));
    assert_eq!(
        text(&lisle(&["--version"]).stdout),
        concat!("lisle ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

/// The demo is killed in the midst of it: nothing that it started may stay.
#[test]
fn children_end_with_the_demo() {
    let mut demo = Command::new(LISLE)
        .args(["demo", "--connections", "20", "--seconds", "600"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = demo.id();
    let children = wait_for(|| {
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let children: Vec<u32> = list.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        (children.len() == 2).then_some(children)
    });
    demo.kill().unwrap();
    demo.wait().unwrap();
    for child in children {
        wait_for(|| {
            // A zombie that nobody has collected yet is dead enough.
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
    }
}

fn wait_for<T>(mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < deadline, "nothing happened within half a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}
