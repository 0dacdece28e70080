//! Backtraces on coroutines: the callers in order, and an end.

mod util;

use std::backtrace::Backtrace;
use std::hint::black_box;

use util::{everywhere, here, in_child, mixed};

#[inline(never)]
fn innermost_of_three() -> String {
    black_box(Backtrace::force_capture().to_string())
}

#[inline(never)]
fn middle_of_three() -> String {
    black_box(innermost_of_three())
}

#[inline(never)]
fn outermost_of_three() -> String {
    black_box(middle_of_three())
}

/// The lines that name frames, as `12: path::of::function`.
fn frames(text: &str) -> Vec<&str> {
    let name = |line: &'_ str| {
        let (number, _) = line.trim_start().split_once(": ")?;
        number.chars().all(|digit| digit.is_ascii_digit()).then_some(())
    };
    text.lines().filter(|line| name(line).is_some()).collect()
}

/// Panics unless `text` has the three functions in order and ends soon after them.
fn check(text: &str) {
    let frames = frames(text);
    let place = |name| {
        let found = frames.iter().position(|frame| frame.contains(name));
        found.unwrap_or_else(|| panic!("{name} is not in\n{text}"))
    };
    let inner = place("innermost_of_three");
    assert_eq!(place("middle_of_three"), inner + 1, "{text}");
    assert_eq!(place("outermost_of_three"), inner + 2, "{text}");
    assert!(frames.len() < 60, "{} frames, is there an end to them?\n{text}", frames.len());
    // A walk that leaves the stack finds addresses that belong to no function.
    let last = frames.last().unwrap();
    assert!(!last.contains("<unknown>"), "the last frame is none:\n{text}");
}

#[test]
fn callers_are_in_order() {
    everywhere(|| {
        check(&outermost_of_three());
        check(&lisle::spawn(outermost_of_three).join().unwrap());
    });
}

#[test]
fn suspended_and_moved_coroutines_have_the_same_callers() {
    everywhere(|| {
        mixed(4, |_| {
            let before = outermost_of_three();
            (0..100).for_each(|_| lisle::yield_now());
            lisle::sleep(std::time::Duration::from_millis(1));
            let after = outermost_of_three();
            check(&before);
            check(&after);
            assert_eq!(frames(&before).len(), frames(&after).len());
        });
    });
}

#[test]
fn a_backtrace_fits_the_default_stack() {
    here(|| {
        let all: Vec<_> = (0..4).map(|_| lisle::spawn(outermost_of_three)).collect();
        all.into_iter().for_each(|one| check(&one.join().unwrap()));
    });
}

#[test]
fn a_pinned_and_a_blocking_coroutine_have_them_too() {
    everywhere(|| {
        let text = lisle::spawn(|| {
            let _pinned = lisle::pin_to_os_thread();
            outermost_of_three()
        });
        check(&text.join().unwrap());
        check(&lisle::spawn(|| lisle::blocking(outermost_of_three)).join().unwrap());
    });
}

#[inline(never)]
fn innermost_that_panics() {
    panic!("with a backtrace");
}

#[inline(never)]
fn outermost_that_panics() {
    innermost_that_panics();
    black_box(());
}

#[test]
fn a_panic_prints_its_backtrace() {
    for style in ["1", "full"] {
        let ended = in_child(&[("RUST_BACKTRACE", style)], || {
            assert!(lisle::spawn(outermost_that_panics).join().is_err());
        });
        ended.expect_return();
        let text = &ended.stderr;
        let place = |name| text.find(name).unwrap_or_else(|| panic!("{name} is not in\n{text}"));
        assert!(place("with a backtrace") < place("backtrace::innermost_that_panics"), "{text}");
        assert!(
            place("backtrace::innermost_that_panics") < place("backtrace::outermost_that_panics"),
            "{text}"
        );
        assert!(frames(text).len() < 60, "{text}");
    }
}
