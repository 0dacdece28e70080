//! Which signals are blocked: a coroutine's own affair, wherever it runs.

mod util;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libc::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use util::signal::{
    blocked, blocked_by_kernel, count, counted, install, kill_process, mask, pending, set,
};
use util::{
    Lines, Random, alone_in_child, aside, everywhere, in_child, mixed, scaled, threads, twins,
    yield_until,
};

/// Signals that nothing in a test run sends, and whose default effect the tests never meet.
const SOME: [i32; 5] = [SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, 40];

#[test]
fn every_coroutine_has_its_own() {
    everywhere(|| {
        mixed(scaled(100, 20), |own| {
            let mut random = Random::new(own as u64);
            for step in 0..50 {
                let mine: Vec<i32> =
                    SOME.iter().copied().filter(|_| random.below(2) == 0).collect();
                mask(SIG_SETMASK, &mine);
                match random.below(4) {
                    0 => thread::sleep(Duration::from_micros(100)),
                    1 => lisle::blocking(|| {
                        assert_eq!(blocked_by_kernel(), mine, "on a spare carrier");
                    }),
                    _ => lisle::yield_now(),
                }
                assert_eq!(blocked(), mine, "of {own} after step {step}");
                assert_eq!(blocked_by_kernel(), mine, "of {own} after step {step}");
            }
        });
    });
}

#[test]
fn a_mask_is_inherited_and_not_shared() {
    twins(|coroutine| {
        mask(SIG_SETMASK, &[SIGUSR1, SIGHUP]);
        let inherited = aside(coroutine, || {
            let seen = blocked();
            mask(SIG_UNBLOCK, &[SIGHUP]);
            (seen, blocked(), blocked_by_kernel())
        });
        let mut lines = vec![format!("{:?}", inherited())];
        // What an OS thread inherits is the same.
        lines.push(format!("{:?}", thread::spawn(blocked).join().unwrap()));
        lines.push(format!("{:?}", blocked()));
        lines
    });
}

#[test]
fn changes_in_all_ways() {
    twins(|_| {
        let mut lines = Lines::new();
        let mut tell = |what: &str, result: i32| {
            lines.push(format!("{what}: {result} {:?} {:?}", blocked(), blocked_by_kernel()));
        };
        mask(SIG_SETMASK, &[SIGUSR1]);
        tell("set", 0);
        mask(SIG_BLOCK, &[SIGUSR2, libc::SIGKILL, libc::SIGSTOP]);
        tell("what cannot be blocked", 0);
        unsafe extern "C" {
            fn sighold(signal: i32) -> i32;
            fn sigrelse(signal: i32) -> i32;
            fn sigblock(mask: i32) -> i32;
            fn sigsetmask(mask: i32) -> i32;
        }
        // SAFETY: plain calls, live sets.
        unsafe {
            tell("sighold", sighold(SIGHUP));
            tell("sigrelse", sigrelse(SIGUSR1));
            tell("sighold of none", sighold(1000));
            tell("sigblock", sigblock(1 << (SIGWINCH - 1)));
            tell("sigsetmask", sigsetmask(1 << (SIGUSR2 - 1)));
            let new = set(&[SIGTERM, 34, 64]);
            let mut old = set(&[]);
            tell("sigprocmask", libc::sigprocmask(SIG_SETMASK, &raw const new, &raw mut old));
            tell("its old", libc::sigismember(&raw const old, SIGUSR2));
            tell("a bad way", libc::pthread_sigmask(77, &raw const new, &raw mut old));
            tell("a bad way", libc::sigprocmask(77, &raw const new, &raw mut old));
        }
        lisle::yield_now();
        tell("later", 0);
        mask(SIG_SETMASK, &[]);
        lines
    });
}

#[test]
fn blocked_signals_never_strike() {
    in_child(&[("LISLE_WORKERS", "2")], || {
        install(SIGUSR1, never_on_those_that_block, 0);
        let over = Arc::new(AtomicBool::new(false));
        // Half of them block the signal, and all change places all the time.
        let coroutines: Vec<_> = (0..40)
            .map(|own| {
                let over = Arc::clone(&over);
                lisle::spawn(move || {
                    if own % 2 == 0 {
                        mask(SIG_BLOCK, &[SIGUSR1]);
                    }
                    BLOCKS.set(own % 2 == 0);
                    while !over.load(Ordering::Relaxed) {
                        lisle::yield_now();
                    }
                })
            })
            .collect();
        for _ in 0..3000 {
            kill_process(SIGUSR1);
            thread::sleep(Duration::from_micros(20));
        }
        over.store(true, Ordering::Relaxed);
        coroutines.into_iter().for_each(|coroutine| coroutine.join().unwrap());
        assert!(counted() > 0, "no signal came");
        assert!(!STRUCK.load(Ordering::Relaxed), "it struck one that blocks it");
    })
    .expect_return();
}

thread_local! {
    static BLOCKS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

static STRUCK: AtomicBool = AtomicBool::new(false);

extern "C" fn never_on_those_that_block(signal: i32) {
    if BLOCKS.get() {
        STRUCK.store(true, Ordering::Relaxed);
    }
    count(signal);
}

#[test]
fn what_a_child_process_inherits() {
    twins(|_| {
        mask(SIG_SETMASK, &[SIGUSR2, SIGHUP]);
        lisle::yield_now();
        let output =
            std::process::Command::new("grep").args(["SigBlk", "/proc/self/status"]).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        // SAFETY: the child does but what is allowed after a fork.
        let forked = unsafe {
            let child = libc::fork();
            if child == 0 {
                let mine = blocked_by_kernel() == [SIGHUP, SIGUSR2];
                libc::_exit(i32::from(mine));
            }
            let mut status = 0;
            libc::waitpid(child, &raw mut status, 0);
            libc::WEXITSTATUS(status)
        };
        mask(SIG_SETMASK, &[]);
        vec![text, forked.to_string()]
    });
}

#[test]
fn a_mask_saved_with_a_place_to_jump_to() {
    unsafe extern "C" {
        fn __sigsetjmp(buffer: *mut u64, save: i32) -> i32;
        fn siglongjmp(buffer: *mut u64, value: i32) -> !;
    }
    twins(|_| {
        let mut lines = Lines::new();
        mask(SIG_SETMASK, &[SIGUSR1]);
        let mut buffer = [0_u64; 32];
        let jumped = AtomicBool::new(false);
        // SAFETY: nothing with a destructor lies between the place and the jump, and what changes
        // in between is read through memory.
        unsafe {
            if __sigsetjmp(buffer.as_mut_ptr(), 1) == 0 {
                mask(SIG_SETMASK, &[SIGUSR2]);
                jumped.store(true, Ordering::SeqCst);
                siglongjmp(buffer.as_mut_ptr(), 1);
            }
        }
        lines.push(format!("{:?} {:?}", jumped, blocked()));
        lisle::yield_now();
        lines.push(format!("{:?}", blocked_by_kernel()));
        mask(SIG_SETMASK, &[]);
        lines
    });
}

#[test]
fn one_that_is_pending_strikes_when_it_is_unblocked() {
    twins(|_| {
        let before = counted();
        install(SIGWINCH, count, 0);
        mask(SIG_BLOCK, &[SIGWINCH]);
        // SAFETY: a plain call.
        unsafe { libc::raise(SIGWINCH) };
        let mut lines = vec![format!("{:?} {}", pending(), counted() - before)];
        mask(SIG_UNBLOCK, &[SIGWINCH]);
        lines.push(format!("{:?} {}", pending(), counted() - before));
        lines
    });
}

#[test]
fn a_program_that_blocks_a_signal_everywhere_is_not_struck() {
    // By a main function that is a coroutine, after the runtime has started.
    alone_in_child(&[("LISLE_WORKERS", "4")], || {
        lisle::run_main(|| {
            lisle::spawn(|| lisle::blocking(|| ())).join().unwrap();
            for _ in 0..20 {
                mask(SIG_BLOCK, &[SIGTERM]);
                kill_process(SIGTERM);
                let waiter = lisle::spawn(|| {
                    let (set, mut signal) = (set(&[SIGTERM]), 0);
                    // SAFETY: live places.
                    assert_eq!(unsafe { libc::sigwait(&raw const set, &raw mut signal) }, 0);
                    signal
                });
                assert_eq!(waiter.join().unwrap(), SIGTERM);
                mask(SIG_UNBLOCK, &[SIGTERM]);
                thread::sleep(Duration::from_millis(1));
            }
        });
    });
}

#[test]
fn a_main_thread_that_blocks_before_the_start() {
    alone_in_child(&[("LISLE_WORKERS", "3")], || {
        mask(SIG_BLOCK, &[SIGTERM, SIGUSR1]);
        let waiter = lisle::spawn(|| {
            let (set, mut signal) = (set(&[SIGTERM]), 0);
            // SAFETY: live places.
            assert_eq!(unsafe { libc::sigwait(&raw const set, &raw mut signal) }, 0);
            signal
        });
        lisle::spawn(|| lisle::blocking(|| ())).join().unwrap();
        kill_process(SIGUSR1);
        kill_process(SIGTERM);
        assert_eq!(waiter.join().unwrap(), SIGTERM);
        assert_eq!(pending(), [SIGUSR1]);
    });
}

#[test]
fn a_signal_that_nobody_blocks_finds_idle_workers() {
    alone_in_child(&[("LISLE_WORKERS", "2")], || {
        install(SIGUSR1, count, 0);
        let (over, ended) = std::sync::mpsc::channel::<()>();
        let suspended = lisle::spawn(move || ended.recv().is_err());
        mask(SIG_BLOCK, &[SIGUSR1]);
        for sent in 1..=20 {
            kill_process(SIGUSR1);
            yield_until(|| counted() == sent);
        }
        drop(over);
        assert!(suspended.join().unwrap());
    });
}

#[test]
fn signals_for_the_process_interrupt_its_main_function() {
    alone_in_child(&[("LISLE_WORKERS", "2")], || {
        install(SIGUSR1, count, 0);
        lisle::run_main(|| {
            for round in 1..=20 {
                let returned = Arc::new(AtomicBool::new(false));
                let theirs = Arc::clone(&returned);
                let sender = lisle::spawn(move || {
                    while !theirs.load(Ordering::SeqCst) {
                        util::a_moment();
                        kill_process(SIGUSR1);
                    }
                });
                if threads() {
                    // The main function's thread is not the main thread, which is what the kernel
                    // gives signals to first.
                    returned.store(true, Ordering::SeqCst);
                } else {
                    // SAFETY: no entries.
                    let result = unsafe { libc::poll(std::ptr::null_mut(), 0, -1) };
                    let error = std::io::Error::last_os_error().raw_os_error();
                    returned.store(true, Ordering::SeqCst);
                    assert_eq!((result, error), (-1, Some(libc::EINTR)), "in round {round}");
                }
                sender.join().unwrap();
            }
        });
    });
}

#[test]
fn descriptors_that_signals_are_read_from() {
    for poller in ["uring", "epoll"] {
        alone_in_child(&[("LISLE_WORKERS", "1"), ("LISLE_POLLER", poller)], || {
            mask(SIG_BLOCK, &[SIGUSR2, SIGHUP]);
            let read = |coroutine: bool| {
                let of = set(&[SIGUSR2, SIGHUP]);
                // SAFETY: a live set; a live place for what is read; a descriptor of our own.
                unsafe {
                    let fd = libc::signalfd(-1, &raw const of, 0);
                    let mut lines = Lines::new();
                    for signal in [SIGUSR2, SIGHUP] {
                        let sender = aside(coroutine, move || {
                            util::a_moment();
                            kill_process(signal);
                        });
                        let mut info: libc::signalfd_siginfo = std::mem::zeroed();
                        let size = size_of_val(&info);
                        let got = libc::read(fd, (&raw mut info).cast(), size);
                        lines.push(format!("{} {}", got == size as isize, info.ssi_signo));
                        sender();
                    }
                    libc::close(fd);
                    lines.push(format!("{:?}", pending()));
                    lines
                }
            };
            let native = thread::spawn(move || read(false)).join().unwrap();
            assert_eq!(native, lisle::spawn(move || read(true)).join().unwrap());
        });
    }
}

#[test]
fn timers_of_the_process() {
    alone_in_child(&[("LISLE_WORKERS", "2")], || {
        install(SIGUSR2, count, libc::SA_RESTART);
        // SAFETY: all-zero is a valid value to fill in; live places.
        let timer = unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_SIGNAL;
            event.sigev_signo = SIGUSR2;
            let mut timer: libc::timer_t = std::ptr::null_mut();
            let id = libc::CLOCK_MONOTONIC;
            assert_eq!(libc::timer_create(id, &raw mut event, &raw mut timer), 0);
            let every = libc::timespec { tv_sec: 0, tv_nsec: 300_000 };
            let time = libc::itimerspec { it_interval: every, it_value: every };
            assert_eq!(libc::timer_settime(timer, 0, &raw const time, std::ptr::null_mut()), 0);
            timer
        };
        let work = |_| {
            lisle::spawn(|| {
                while counted() < 200 {
                    let (sender, receiver) = std::sync::mpsc::channel();
                    lisle::spawn(move || sender.send(1).unwrap());
                    assert_eq!(receiver.recv(), Ok(1));
                }
            })
        };
        let workers: Vec<_> = (0..4).map(work).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        // SAFETY: the timer exists.
        assert_eq!(unsafe { libc::timer_delete(timer) }, 0);
    });
}
