//! Forks, programs and the end of the process while requests to the kernel are under way.

mod util;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use util::{allow_files, child, in_child, is_child, on_workers, scaled};

/// Coroutines that wait for a byte each, and what ends their waits.
struct Waiting {
    readers: Vec<lisle::JoinHandle<u8>>,
    writers: Vec<UnixStream>,
}

impl Waiting {
    /// Starts `count` of them; returns when all are about to wait.
    fn start(count: usize) -> Self {
        let begun = Arc::new(AtomicUsize::new(0));
        let mut writers = Vec::new();
        let readers = (0..count)
            .map(|_| {
                let (mut ours, theirs) = UnixStream::pair().unwrap();
                writers.push(theirs);
                let begun = Arc::clone(&begun);
                lisle::spawn(move || {
                    begun.fetch_add(1, Ordering::AcqRel);
                    let mut byte = [0];
                    ours.read_exact(&mut byte).unwrap();
                    ours.write_all(&byte).unwrap();
                    byte[0]
                })
            })
            .collect();
        util::yield_until(|| begun.load(Ordering::Acquire) == count);
        // As far as they get, which is to wait.
        (0..100).for_each(|_| lisle::yield_now());
        Waiting { readers, writers }
    }

    /// Ends the waits, each with a byte of its own.
    fn end(mut self) {
        for (number, writer) in self.writers.iter_mut().enumerate() {
            writer.write_all(&[number as u8]).unwrap();
        }
        for (number, reader) in self.readers.into_iter().enumerate() {
            assert_eq!(reader.join().unwrap(), number as u8);
        }
        for (number, writer) in self.writers.iter_mut().enumerate() {
            let mut byte = [0];
            writer.read_exact(&mut byte).unwrap();
            assert_eq!(byte[0], number as u8);
        }
    }
}

/// Round trips between coroutines of this process, which may be a new one.
fn round_trips(count: usize) {
    let pairs: Vec<_> = (0..8)
        .map(|_| {
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            let echo = lisle::spawn(move || {
                let mut byte = [0];
                while theirs.read(&mut byte).unwrap() == 1 {
                    theirs.write_all(&byte).unwrap();
                }
            });
            let asks = lisle::spawn(move || {
                for number in 0..count {
                    let mut byte = [number as u8];
                    ours.write_all(&byte).unwrap();
                    ours.read_exact(&mut byte).unwrap();
                    assert_eq!(byte[0], number as u8);
                }
            });
            (echo, asks)
        })
        .collect();
    for (echo, asks) in pairs {
        asks.join().unwrap();
        echo.join().unwrap();
    }
}

/// Forks; the child runs `body` and ends. Returns the child's number.
fn fork(body: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child goes on with this thread alone, which is what is tested.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    if pid == 0 {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        std::process::exit(if result.is_ok() { 42 } else { 1 });
    }
    pid
}

/// Waits for a child that [`fork`] made.
fn expect_its_end(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: a live place for the status.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    let ended = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    assert_eq!(ended, Some(42), "the child ended by {status:#x}");
}

#[test]
fn both_go_on_after_a_fork_by_a_coroutine() {
    on_workers(|| {
        for _ in 0..3 {
            let waiting = Waiting::start(scaled(300, 50));
            let pid = fork(|| round_trips(30));
            round_trips(30);
            expect_its_end(pid);
            waiting.end();
        }
    });
}

#[test]
fn both_go_on_after_a_fork_by_an_os_thread() {
    on_workers(|| {
        let waiting = Waiting::start(scaled(300, 50));
        let forks = thread::spawn(|| {
            for _ in 0..3 {
                expect_its_end(fork(|| round_trips(30)));
            }
        });
        round_trips(30);
        forks.join().unwrap();
        waiting.end();
    });
}

#[test]
fn a_fork_of_a_fork() {
    on_workers(|| {
        let waiting = Waiting::start(20);
        let pid = fork(|| {
            let waiting = lisle::spawn(|| Waiting::start(20)).join().unwrap();
            // By a coroutine of the first child, with requests of its own under way.
            lisle::spawn(|| expect_its_end(fork(|| round_trips(10)))).join().unwrap();
            lisle::spawn(move || waiting.end()).join().unwrap();
        });
        expect_its_end(pid);
        waiting.end();
    });
}

#[test]
fn a_program_is_run_while_others_wait() {
    on_workers(|| {
        let waiting = Waiting::start(scaled(300, 50));
        let runs: Vec<_> = (0..6)
            .map(|own| {
                lisle::spawn(move || {
                    let script = format!("read line; echo \"$line {own}\"; exit {own}");
                    let mut child = Command::new("sh")
                        .args(["-c", &script])
                        .stdin(std::process::Stdio::piped())
                        .stdout(std::process::Stdio::piped())
                        .spawn()
                        .unwrap();
                    child.stdin.take().unwrap().write_all(b"line\n").unwrap();
                    let output = child.wait_with_output().unwrap();
                    assert_eq!(output.stdout, format!("line {own}\n").as_bytes());
                    assert_eq!(output.status.code(), Some(own));
                })
            })
            .collect();
        runs.into_iter().for_each(|one| one.join().unwrap());
        waiting.end();
    });
}

#[test]
fn a_program_takes_the_place_of_the_process() {
    let test = "a_program_takes_the_place_of_the_process";
    if is_child() {
        util::here(|| {
            let _waiting = Waiting::start(scaled(1000, 50));
            let error = std::os::unix::process::CommandExt::exec(
                Command::new("sh").args(["-c", "echo the program; exit 7"]),
            );
            panic!("{error}");
        });
        return;
    }
    for workers in ["1", "4"] {
        let ended = child(test, &[("LISLE_WORKERS", workers)]);
        assert_eq!(ended.status.code(), Some(7), "{ended}");
        assert!(ended.stdout.contains("the program"), "{ended}");
    }
}

#[test]
fn exit_while_thousands_wait() {
    let test = "exit_while_thousands_wait";
    if is_child() {
        allow_files(20_000);
        util::here(|| {
            let waiting = Waiting::start(scaled(4000, 100));
            // Some of them done, some under way.
            let Waiting { writers, .. } = &waiting;
            writers.iter().step_by(3).for_each(|mut writer| writer.write_all(b"x").unwrap());
            std::process::exit(9);
        });
        return;
    }
    for workers in ["1", "4"] {
        let ended = child(test, &[("LISLE_WORKERS", workers)]);
        assert_eq!(ended.status.code(), Some(9), "{ended}");
    }
}

#[test]
fn the_end_of_main_while_thousands_wait() {
    for workers in ["1", "4"] {
        // The harness returns from its main function when the body has.
        if is_child() {
            allow_files(20_000);
            util::here(|| {
                let waiting = Waiting::start(scaled(4000, 100));
                let Waiting { writers, .. } = &waiting;
                writers.iter().step_by(3).for_each(|mut writer| writer.write_all(b"x").unwrap());
                std::mem::forget(waiting);
            });
            return;
        }
        let test = "the_end_of_main_while_thousands_wait";
        child(test, &[("LISLE_WORKERS", workers)]).expect_success();
    }
}

#[test]
fn exit_in_the_child_of_a_fork_leaves_the_parent_s_requests_alone() {
    for workers in ["1", "4"] {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            lisle::spawn(|| {
                let waiting = Waiting::start(scaled(200, 50));
                for _ in 0..10 {
                    expect_its_end(fork(|| ()));
                }
                waiting.end();
            })
            .join()
            .unwrap();
        });
        ended.expect_return();
    }
}
