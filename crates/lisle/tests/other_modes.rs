//! The same tests in other modes: every other test binary once more with `LISLE_MODE=threads`, and
//! with `LISLE_POLLER=epoll`.
//!
//! What passes on coroutines must pass on OS threads behind the same API, and the other way round:
//! that is what it means that a coroutine behaves as a thread. And nobody may be able to tell by
//! which mechanism of the kernel coroutines wait.

mod util;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use lisle::runtime::{Poller, poller, uring_unavailable};

/// Not of this kind: this one, and those that ask nothing of a coroutine.
const EXCEPT: [&str; 3] = ["other_modes", "tidy", "example_http"];

/// What one binary may take.
const LIMIT: Duration = Duration::from_secs(180);

/// The names of the test binaries of this crate.
fn suites() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !EXCEPT.contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// The newest build of the test binary `suite`, next to this one.
fn newest(suite: &str) -> PathBuf {
    let us = std::env::current_exe().unwrap();
    let is_build_of = |name: &str| {
        let hash = name.strip_prefix(suite).and_then(|rest| rest.strip_prefix('-'));
        hash.is_some_and(|hash| hash.chars().all(|digit| digit.is_ascii_hexdigit()))
    };
    std::fs::read_dir(us.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| is_build_of(&entry.file_name().to_string_lossy()))
        .map(|entry| (entry.metadata().unwrap().modified().unwrap(), entry.path()))
        .max()
        .map(|(_, path): (SystemTime, PathBuf)| path)
        .unwrap_or_else(|| panic!("{suite} is not built: run all tests, cargo test -p lisle"))
}

#[test]
fn every_suite_passes_on_os_threads() {
    if std::env::var("LISLE_MODE").is_ok_and(|mode| mode == "threads") {
        // They are run so already.
        return;
    }
    every_suite_passes_with("LISLE_MODE", "threads");
}

#[test]
fn every_suite_passes_on_epoll() {
    if poller() != Some(Poller::Uring) {
        eprintln!("skipped: coroutines wait by epoll already: {:?}", uring_unavailable());
        return;
    }
    every_suite_passes_with("LISLE_POLLER", "epoll");
}

fn every_suite_passes_with(name: &str, value: &str) {
    let suites = suites();
    assert!(suites.len() > 15, "only {suites:?}");
    for suite in suites {
        let mut command = Command::new(newest(&suite));
        command.arg("--quiet").env(name, value);
        let ended = util::run_for(&suite, &mut command, LIMIT);
        assert!(ended.status.success(), "{suite}, with {name}={value}: {ended}");
    }
}

#[test]
fn the_mode_is_as_asked_for() {
    let ended = util::in_child(&[("LISLE_MODE", "threads")], || {
        assert_eq!(lisle::runtime::mode(), lisle::runtime::Mode::Threads);
        let [one, other] = [0; 2].map(|_| lisle::spawn(std::process::id).join().unwrap());
        assert_eq!(one, other);
        assert!(lisle::runtime::workers() > 0);
    });
    ended.expect_return();
}

#[test]
fn the_poller_is_as_asked_for() {
    let asked = [("LISLE_MODE", "coroutines"), ("LISLE_POLLER", "epoll")];
    let ended = util::in_child(&asked, || {
        assert_eq!(poller(), Some(Poller::Epoll));
        assert_eq!(uring_unavailable(), None);
    });
    ended.expect_return();
}

#[test]
fn the_program_decides_over_the_environment() {
    let asked = [("LISLE_MODE", "coroutines"), ("LISLE_POLLER", "uring")];
    let ended = util::in_child(&asked, || {
        lisle::runtime::Builder::new().poller(Poller::Epoll).install().unwrap();
        assert_eq!(poller(), Some(Poller::Epoll));
    });
    ended.expect_return();
}

#[test]
fn os_threads_have_no_poller() {
    let ended = util::in_child(&[("LISLE_MODE", "threads")], || assert_eq!(poller(), None));
    ended.expect_return();
}
