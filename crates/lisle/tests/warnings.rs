//! Warnings of who keeps a worker from others, and what the runtime counts.

mod util;

use std::time::{Duration, Instant};

use lisle::runtime::metrics;
use util::{in_child, threads};

/// Whether what follows a warning tells where in this program the coroutine is: as the innermost
/// frame, or as the caller of what it is in.
fn is_traced(stderr: &str) -> bool {
    let file = std::env::current_exe().unwrap();
    let own = format!("lisle:     {}+0x", file.file_name().unwrap().to_str().unwrap());
    // The name of the file is kept as far as there is room.
    let frames = stderr.lines().filter(|line| line.starts_with(&own[..own.len().min(30)]));
    frames.count() >= 2
}

/// Milliseconds for which somebody is in the others' way, until that was told in time: the monitor
/// of a busy machine may be late.
const SPANS: [&str; 3] = ["200", "1000", "5000"];
/// Tells a child which of them.
const SPAN: &str = "LISLE_TEST_SPAN";

/// In a child: for how long.
fn span() -> Duration {
    Duration::from_millis(std::env::var(SPAN).unwrap().parse().unwrap())
}

/// Computes for so long.
fn compute(span: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < span {
        std::hint::spin_loop();
    }
}

/// Waits in the kernel for so long, by an instruction that no symbol shows.
fn wait_in_the_kernel(span: Duration) {
    let time = libc::timespec {
        tv_sec: span.as_secs() as libc::time_t,
        tv_nsec: span.subsec_nanos().into(),
    };
    let mut result = libc::SYS_nanosleep;
    // SAFETY: a system call that reads a live place.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") result,
            in("rdi") &raw const time,
            in("rsi") 0,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    assert_eq!(result, 0);
}

#[test]
fn who_holds_a_worker_is_told() {
    for millis in SPANS {
        let ended =
            in_child(&[("LISLE_WARN", "50"), ("LISLE_WORKERS", "2"), (SPAN, millis)], || {
                let name = "a hog with a name of some length".to_owned();
                let hog = lisle::Builder::new().name(name).spawn(|| compute(span())).unwrap();
                hog.join().unwrap();
                if !threads() {
                    assert!(metrics().held >= 1, "{:?}", metrics());
                }
            });
        ended.expect_return();
        if threads() {
            return;
        }
        let told = "lisle: coroutine 'a hog with a name of som' (id ";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert!(ended.stderr.contains(" ms without suspending"), "{}", ended.stderr);
        if is_traced(&ended.stderr) {
            return;
        }
    }
    panic!("it was not told where the hog is");
}

#[test]
fn who_blocks_a_carrier_is_told() {
    for millis in SPANS {
        let ended =
            in_child(&[("LISLE_WARN", "50"), ("LISLE_WORKERS", "1"), (SPAN, millis)], || {
                let one = lisle::spawn(|| wait_in_the_kernel(span()));
                let other = lisle::spawn(|| lisle::sleep(Duration::from_millis(20)));
                one.join().unwrap();
                other.join().unwrap();
                if !threads() {
                    let metrics = metrics();
                    assert!(metrics.blocked >= 1 && metrics.substitutions >= 1, "{metrics:?}");
                }
            });
        ended.expect_return();
        if threads() {
            return;
        }
        let told = "in a call that is not hooked, or a page fault";
        assert!(ended.stderr.contains("'<unnamed>' (id "), "{}", ended.stderr);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        if is_traced(&ended.stderr) {
            return;
        }
    }
    panic!("it was not told where it is");
}

#[test]
fn warnings_are_rare_and_nobody_is_told_unasked() {
    let hogs = || {
        for _ in 0..10 {
            lisle::spawn(|| compute(Duration::from_millis(40))).join().unwrap();
        }
    };
    let ended = in_child(&[("LISLE_WARN", "10")], hogs);
    ended.expect_return();
    assert!(ended.stderr.matches("lisle: coroutine").count() <= 1, "{}", ended.stderr);
    let ended = in_child(&[], hogs);
    ended.expect_return();
    assert!(!ended.stderr.contains("lisle: coroutine"), "{}", ended.stderr);
}

#[test]
fn what_is_counted() {
    in_child(&[], || {
        if threads() {
            return assert_eq!(metrics(), lisle::runtime::Metrics::default());
        }
        let before = metrics();
        let all: Vec<_> = (0..100)
            .map(|own| {
                lisle::spawn(move || {
                    lisle::sleep(Duration::from_millis(1));
                    if own == 0 {
                        lisle::blocking(|| ());
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        // The end of a life is told before its stack is given back.
        let begin = Instant::now();
        while metrics().live != before.live && begin.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let after = metrics();
        assert_eq!((after.started - before.started, after.live), (100, before.live));
        assert!(after.suspensions - before.suspensions >= 200, "{after:?}");
        assert_eq!((after.hops - before.hops, after.carriers), (1, 1));
    })
    .expect_return();
}
