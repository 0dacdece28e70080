//! [`lisle::main`] and [`lisle::test`].

mod util;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, SystemTime};

use util::Ended;

#[lisle::test]
fn a_test_is_a_coroutine() {
    // Not the thread that runs the test, which has its name.
    assert_ne!(thread::current().name(), Some("a_test_is_a_coroutine"));
    lisle::yield_now();
    assert_eq!(lisle::spawn(|| 1).join().unwrap(), 1);
}

#[lisle::test]
fn a_test_may_return_a_result() -> Result<(), Box<dyn std::error::Error>> {
    let number: u32 = "42".parse()?;
    assert_eq!(number, 42);
    io::Result::Ok(())?;
    Ok(())
}

#[lisle::test]
#[should_panic(expected = "on purpose")]
fn a_test_may_panic() {
    lisle::yield_now();
    panic!("on purpose");
}

#[lisle::test]
fn a_test_may_borrow_in_scopes() {
    let text = String::from("borrowed");
    assert_eq!(lisle::scope(|s| s.spawn(|| text.len()).join().unwrap()), 8);
}

/// `main` on any function: the body is a coroutine, the rest stays as written.
#[lisle::main]
fn doubled<T: Send + Copy + std::ops::Add<Output = T>>(number: T) -> T {
    lisle::yield_now();
    number + number
}

#[test]
fn arguments_and_generics_are_kept() {
    assert_eq!(doubled(21), 42);
    assert_eq!(doubled(0.5), 1.0);
}

/// Builds `programs/entry.rs` against the library that these tests were built with.
///
/// Cargo builds no programs for tests of a library, and how a process ends is told by a process.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let us = std::env::current_exe().unwrap();
        let deps = us.parent().unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let output = folder.join(format!("entry-{}", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/entry.rs");
        let mut complaints = String::new();
        // Other settings of the library may have been built as well; the newest is the likeliest.
        for library in libraries(deps) {
            let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
            rustc.args(["--edition", "2024", "-C", "debuginfo=0"]).arg(&source);
            rustc.arg("--extern").arg(format!("lisle={}", library.display()));
            rustc.arg("-L").arg(format!("dependency={}", deps.display()));
            let built = rustc.arg("-o").arg(&output).output().expect("rustc runs");
            if built.status.success() {
                // One name for all runs, so that none leaves its own behind.
                std::fs::rename(&output, folder.join("entry")).unwrap();
                return folder.join("entry");
            }
            complaints += &String::from_utf8_lossy(&built.stderr);
        }
        panic!("cannot build {}: {complaints}", source.display());
    })
}

/// The builds of the library in `deps`, newest first.
fn libraries(deps: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(deps)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| {
            let name = entry.file_name().into_string().unwrap_or_default();
            name.starts_with("liblisle-") && name.ends_with(".rlib")
        })
        .map(|entry| (entry.metadata().unwrap().modified().unwrap(), entry.path()))
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, path)| path).collect()
}

fn end_of_program(way: &str) -> Ended {
    let mut command = Command::new(program());
    command.arg(way).env("RUST_BACKTRACE", "0");
    util::run_for(way, &mut command, Duration::from_secs(30))
}

#[test]
fn main_ends_as_its_result_says() {
    let value = end_of_program("value");
    assert_eq!(value.status.code(), Some(0), "{value}");
    assert!(value.stdout.ends_with("the end\n"), "{value}");
    let error = end_of_program("error");
    assert_eq!(error.status.code(), Some(1), "{error}");
    assert!(error.stderr.contains("Error: \"gone wrong\""), "{error}");
}

#[test]
fn main_panics_with_the_status_of_std() {
    let panics = end_of_program("panic");
    assert_eq!(panics.status.code(), Some(101), "{panics}");
    assert_eq!(panics.stderr.matches("gone badly wrong").count(), 1, "{panics}");
}

#[test]
fn main_does_not_wait_for_coroutines() {
    let early = end_of_program("early");
    assert_eq!(early.status.code(), Some(0), "{early}");
    assert!(early.stdout.ends_with("the end\n"), "{early}");
}

#[test]
fn main_is_a_coroutine() {
    let value = end_of_program("value");
    assert!(value.stdout.contains("on the main thread: false"), "{value}");
}
