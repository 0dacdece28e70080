//! Pipes and child processes of std on coroutines.

mod util;

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use util::{Actor, everywhere, mixed, spawn_running};

#[test]
fn a_pipe_carries_bytes() {
    everywhere(|| {
        for writer in 0..2 {
            let (mut reader, mut pipe) = io::pipe().unwrap();
            let writer = Actor::spawn(writer, move || {
                for byte in 0..100 {
                    pipe.write_all(&[byte]).unwrap();
                    lisle::yield_now();
                }
            });
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            assert!(all.into_iter().eq(0..100));
            writer.join();
        }
    });
}

#[test]
fn a_full_pipe_holds_the_writer() {
    everywhere(|| {
        let (mut reader, mut pipe) = io::pipe().unwrap();
        let writer = spawn_running(move || pipe.write(&vec![1; 4 << 20]).unwrap());
        assert!(!writer.is_finished());
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        // A blocking pipe takes all of it in one call.
        assert_eq!((writer.join().unwrap(), all.len()), (4 << 20, 4 << 20));
    });
}

#[test]
fn a_pipe_without_a_reader_is_broken() {
    everywhere(|| {
        let (reader, mut pipe) = io::pipe().unwrap();
        let writer = spawn_running(move || pipe.write_all(&vec![1; 4 << 20]).unwrap_err().kind());
        // std ignores SIGPIPE; whoever waits for room learns of the end too.
        drop(reader);
        assert_eq!(writer.join().unwrap(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn many_rings_of_pipes() {
    everywhere(|| {
        mixed(10, |_| {
            let (mut there, mut to) = io::pipe().unwrap();
            let (mut here, mut back) = io::pipe().unwrap();
            let other = lisle::spawn(move || {
                let mut byte = [0];
                while there.read(&mut byte).unwrap() == 1 {
                    back.write_all(&[byte[0].wrapping_add(1)]).unwrap();
                }
            });
            let mut byte = [0];
            for _ in 0..200 {
                to.write_all(&byte).unwrap();
                here.read_exact(&mut byte).unwrap();
            }
            drop(to);
            other.join().unwrap();
            assert_eq!(byte[0], 200);
        });
    });
}

#[test]
fn a_child_echoes() {
    everywhere(|| {
        let mut cat =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = cat.stdin.take().unwrap();
        let writer = lisle::spawn(move || input.write_all(&vec![b'x'; 1 << 20]).unwrap());
        let mut all = Vec::new();
        cat.stdout.take().unwrap().read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 1 << 20);
        writer.join().unwrap();
        assert!(cat.wait().unwrap().success());
    });
}

#[test]
fn the_output_of_a_child_is_whole() {
    everywhere(|| {
        let script = "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2; exit 3";
        let all: Vec<_> = (0..2)
            .map(|own| {
                Actor::spawn(own, move || Command::new("sh").args(["-c", script]).output().unwrap())
            })
            .collect();
        for one in all {
            let output = one.join();
            assert_eq!((output.stdout.len(), output.stderr.len()), (3_000_000, 2_000_000));
            assert_eq!(output.status.code(), Some(3));
        }
    });
}

#[test]
fn waiting_for_a_child_lets_others_run() {
    everywhere(|| {
        // The child ends when the pipe is closed, by a coroutine that runs during the wait.
        let mut cat =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let input = cat.stdin.take().unwrap();
        let (waits, waiting) = mpsc::channel();
        let waiter = lisle::spawn(move || {
            waits.send(()).unwrap();
            cat.wait().unwrap()
        });
        let closer = lisle::spawn(move || {
            waiting.recv().unwrap();
            lisle::sleep(std::time::Duration::from_millis(20));
            drop(input);
        });
        assert!(waiter.join().unwrap().success());
        closer.join().unwrap();
    });
}

#[test]
fn many_children_at_once() {
    everywhere(|| {
        let codes = mixed(12, |own| {
            let script = format!("exit {own}");
            Command::new("sh").args(["-c", &script]).status().unwrap().code().unwrap()
        });
        assert!(codes.into_iter().eq(0..12));
    });
}

#[test]
fn try_wait_and_kill() {
    everywhere(|| {
        let mut sleeper = Command::new("sleep").arg("3600").spawn().unwrap();
        assert!(sleeper.try_wait().unwrap().is_none());
        let ended = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&ended);
        let pid = sleeper.id() as libc::pid_t;
        let waiter = spawn_running(move || {
            let status = sleeper.wait().unwrap();
            theirs.store(true, Ordering::Relaxed);
            (status, sleeper)
        });
        assert!(!ended.load(Ordering::Relaxed));
        // SAFETY: a plain call; the child has not been waited for, so the number is its own.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
        let (status, mut sleeper) = waiter.join().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
        assert_eq!(sleeper.try_wait().unwrap(), Some(status));
    });
}

#[test]
fn kill_ends_a_child() {
    everywhere(|| {
        let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        cat.kill().unwrap();
        assert_eq!(cat.wait().unwrap().signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn what_cannot_be_run_is_an_error() {
    everywhere(|| {
        let error = Command::new("/nonexistent/program").spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn children_inherit_blocking_descriptors() {
    everywhere(|| {
        // Of a pipe on which a coroutine has waited: the child's reads must still block.
        let (mut reader, mut pipe) = io::pipe().unwrap();
        let first = spawn_running(move || reader.read(&mut [0; 1]).map(|_| reader).unwrap());
        pipe.write_all(b"a").unwrap();
        let reader = first.join().unwrap();
        let cat = Command::new("cat").stdin(reader).stdout(Stdio::piped()).spawn().unwrap();
        let output = lisle::spawn(move || cat.wait_with_output().unwrap());
        lisle::sleep(std::time::Duration::from_millis(20));
        pipe.write_all(b"bcd").unwrap();
        drop(pipe);
        let output = output.join().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout, b"bcd");
    });
}
