//! What concerns the whole process: forks made by coroutines, changes of user, exec.

mod util;

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use util::{here, in_child};

/// Forks; the child runs `body` and ends with what it returns. The parent waits for it and returns
/// its exit status.
fn forked(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child goes on with this thread alone, which is what is tested.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    if pid == 0 {
        std::process::exit(body());
    }
    let mut status = 0;
    // SAFETY: a live place for the status.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "the child ended by {status:#x}");
    libc::WEXITSTATUS(status)
}

#[test]
fn the_child_of_a_fork_goes_on_as_a_thread() {
    for workers in ["1", "2"] {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            here(|| {
                let other = lisle::spawn(|| thread::sleep(Duration::from_millis(100)));
                let status = forked(|| {
                    let lock = std::sync::Mutex::new(40);
                    *lock.lock().unwrap() += 2;
                    thread::sleep(Duration::from_millis(1));
                    *lock.lock().unwrap()
                });
                assert_eq!(status, 42);
                other.join().unwrap();
            });
        });
        ended.expect_return();
    }
}

#[test]
fn the_child_of_a_fork_may_spawn_coroutines() {
    let ended = in_child(&[], || {
        here(|| {
            // One that waits for a word when the process forks: it does not exist in the child.
            let (keep, wait) = std::sync::mpsc::channel::<()>();
            let waiting = lisle::spawn(move || wait.recv().is_err());
            lisle::yield_now();
            let status = forked(|| {
                let all: Vec<_> = (0..10).map(|own| lisle::spawn(move || own)).collect();
                all.into_iter().map(|one| one.join().unwrap()).sum()
            });
            assert_eq!(status, 45);
            drop(keep);
            assert!(waiting.join().unwrap());
        });
    });
    ended.expect_return();
}

#[test]
fn a_forked_coroutine_that_returns_ends_the_child() {
    let ended = in_child(&[], || {
        // Not joined in the child, where this is the only thread.
        let forker = lisle::spawn(|| {
            // SAFETY: as in `forked`.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                return 0;
            }
            let mut status = -1;
            // SAFETY: a live place for the status.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert_eq!(status, 0);
            pid
        });
        assert!(forker.join().unwrap() > 0);
    });
    ended.expect_return();
}

#[test]
fn waiting_for_a_stranger_fails_at_once() {
    here(|| {
        let mut status = 0;
        // SAFETY: a live place for the status.
        let result = unsafe { libc::waitpid(1, &raw mut status, 0) };
        let errno = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((result, errno), (-1, Some(libc::ECHILD)));
    });
}

#[test]
fn programs_are_executed_with_and_without_a_fork() {
    here(|| {
        let output = Command::new("sh").args(["-c", "echo spawned; exit 4"]).output().unwrap();
        assert_eq!((&output.stdout[..], output.status.code()), (&b"spawned\n"[..], Some(4)));
        let mut forked = Command::new("sh");
        forked.args(["-c", "echo forked"]);
        // SAFETY: the closure does nothing; its presence makes std fork.
        unsafe { forked.pre_exec(|| Ok(())) };
        assert_eq!(forked.output().unwrap().stdout, b"forked\n");
    });
}

#[test]
fn a_change_of_user_reaches_workers_that_run_coroutines() {
    for workers in ["1", "2"] {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            let (stop, running) =
                (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            let (stopped, started) = (Arc::clone(&stop), Arc::clone(&running));
            let busy = lisle::spawn(move || {
                started.store(true, Ordering::Release);
                while !stopped.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
            });
            while !running.load(Ordering::Acquire) {
                thread::yield_now();
            }
            let begin = Instant::now();
            // SAFETY: to the user that the process already is.
            let result = unsafe { libc::setuid(libc::getuid()) };
            // Without the wrapper it would return when the coroutine ends: never.
            assert_eq!(result, 0);
            assert!(begin.elapsed() < Duration::from_secs(10));
            stop.store(true, Ordering::Release);
            busy.join().unwrap();
            here(|| {
                // SAFETY: as above.
                assert_eq!(unsafe { libc::setuid(libc::getuid()) }, 0);
            });
        });
        ended.expect_return();
    }
}
