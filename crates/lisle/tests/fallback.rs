//! 1:1 mode where coroutines cannot be had: the same program, and one line that says why.

mod util;

use lisle::runtime::{Mode, mode};
use util::in_child;

/// Whether OS threads were asked for; does not start the runtime, unlike [`mode`].
fn threads() -> bool {
    std::env::var("LISLE_MODE").is_ok_and(|mode| mode == "threads")
}

/// Leaves the process without a single descriptor to spare, so that there is no poller to be had.
fn exhaust_descriptors() {
    // SAFETY: plain calls; the limit is read from the local value. The number of a duplicate is
    // the lowest that is free.
    let lowered = unsafe {
        let free = libc::dup(0);
        libc::close(free);
        let limit = libc::rlimit { rlim_cur: free as u64, rlim_max: free as u64 };
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
    };
    assert_eq!(lowered, 0);
}

#[test]
fn the_program_runs_on_threads_and_says_why() {
    if threads() {
        // They were asked for: nothing to fall back from.
        return;
    }
    let ended = in_child(&[("LISLE_POLLER", "epoll")], || {
        exhaust_descriptors();
        assert_eq!(mode(), Mode::Threads);
        let all: Vec<_> = (0..8).map(|own| lisle::spawn(move || own * own)).collect();
        let sum: i32 = all.into_iter().map(|one| one.join().unwrap()).sum();
        assert_eq!(sum, 140);
        lisle::scope(|s| assert_eq!(s.spawn(|| sum + 1).join().unwrap(), 141));
        lisle::yield_now();
    });
    ended.expect_return();
    let notices: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("lisle: ")).collect();
    let [notice] = notices[..] else { panic!("one line, not {notices:?}") };
    assert!(notice.contains("OS thread") && notice.contains("epoll"), "{notice}");
}

#[test]
fn threads_that_were_asked_for_need_no_notice() {
    let ended = in_child(&[("LISLE_MODE", "threads")], || {
        assert_eq!(mode(), Mode::Threads);
        assert_eq!(lisle::spawn(|| 5).join().unwrap(), 5);
    });
    ended.expect_return();
    assert!(!ended.stderr.contains("lisle: "), "{}", ended.stderr);
}

#[test]
fn a_value_that_makes_no_sense_is_told_and_ignored() {
    let wrong = [
        ("LISLE_WORKERS", "many"),
        ("LISLE_MODE", "fibres"),
        ("LISLE_STACK_SIZE", "0"),
        ("LISLE_MAX_CARRIERS", "-1"),
    ];
    let ended = in_child(&wrong, || assert_eq!(lisle::spawn(|| 5).join().unwrap(), 5));
    ended.expect_return();
    if !threads() {
        for (name, value) in wrong {
            let told = format!("ignoring {name}={value}");
            assert!(ended.stderr.contains(&told), "{told}: {}", ended.stderr);
        }
    }
}
