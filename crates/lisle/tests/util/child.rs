//! Tests in a process of their own: for settings read at start, and for ends that end a process.
//!
//! The child is this very test binary, told to run one test; an environment variable tells that
//! test that it is the child.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::watchdog::LIMIT;

/// Set in child processes, to the name of the test.
const CHILD: &str = "LISLE_TEST_CHILD";

/// A child is killed later than its own watchdog would strike, so that its message comes first.
const KILL_AFTER: Duration = Duration::from_secs(LIMIT.as_secs() + 15);

/// How a child process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Panics unless the child ran exactly one test and that passed.
    pub(crate) fn expect_success(&self) {
        // Without the count a wrong name, which selects no test at all, would pass.
        let passed = self.stdout.contains("test result: ok. 1 passed");
        assert!(self.status.success() && passed, "the child process failed: {self}");
    }

    /// Panics unless the child ran the body of [`in_child`] to its end.
    pub(crate) fn expect_return(&self) {
        let returned = self.stdout.contains(RETURNED);
        assert!(self.status.success() && returned, "the child process failed: {self}");
    }

    /// Panics unless the child was ended by `SIGABRT`.
    pub(crate) fn expect_abort(&self) {
        assert_eq!(self.status.signal(), Some(libc::SIGABRT), "the child did not abort: {self}");
        assert!(!self.stderr.contains("watchdog:"), "the child hung: {self}");
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.status)?;
        writeln!(f, "--- its stdout\n{}", self.stdout)?;
        write!(f, "--- its stderr\n{}---", self.stderr)
    }
}

/// Printed by a child whose body returned.
const RETURNED: &str = "the body returned";

/// Whether this process is such a child.
pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs the test named `test` of this binary in a child process with `environment` added.
pub(crate) fn child(test: &str, environment: &[(&str, &str)]) -> Ended {
    assert!(!is_child(), "{test} wants a child of a child");
    let mut command = Command::new(env::current_exe().expect("the path of this binary"));
    command
        .args(["--exact", test, "--nocapture", "--include-ignored", "--test-threads=1"])
        .env("RUST_BACKTRACE", "0")
        .env(CHILD, test)
        .envs(environment.iter().copied());
    run_for(test, &mut command, KILL_AFTER)
}

/// Runs `body` in a child process with `environment` added and tells how that ended. In the child
/// itself, runs `body` on the calling OS thread and exits.
pub(crate) fn in_child<F: FnOnce()>(environment: &[(&str, &str)], body: F) -> Ended {
    let test = super::test_name::<F>();
    if !is_child() {
        return child(&test, environment);
    }
    super::within(&test, LIMIT, body);
    println!("{RETURNED}");
    std::process::exit(0);
}

/// As [`in_child`], with `body` on the only thread of its process: that of a fork of the child. The
/// threads of the harness take no signals there.
pub(crate) fn alone_in_child<F: FnOnce()>(environment: &[(&str, &str)], body: F) {
    let test = super::test_name::<F>();
    if !is_child() {
        return child(&test, environment).expect_return();
    }
    super::within(&test, LIMIT, || {
        // SAFETY: nothing but the calling thread holds anything: the harness waits for this test.
        let process = unsafe { libc::fork() };
        if process == 0 {
            // SAFETY: a plain call. Dies with the watched process.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(i32::from(outcome.is_err())) };
        }
        let mut status = 0;
        // SAFETY: a live place.
        assert_eq!(unsafe { libc::waitpid(process, &raw mut status, 0) }, process);
        assert_eq!(status, 0, "of the forked process");
    });
    println!("{RETURNED}");
    std::process::exit(0);
}

/// Runs `command` to its end, with its output captured, and kills it after `limit`.
pub(crate) fn run_for(what: &str, command: &mut Command, limit: Duration) -> Ended {
    let process = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the child process starts");
    let pid = process.id() as libc::pid_t;
    let (done, waiting) = mpsc::channel();
    thread::spawn(move || done.send(process.wait_with_output()));
    let output = match waiting.recv_timeout(limit) {
        Ok(output) => output.expect("the child's output can be read"),
        Err(_) => {
            // SAFETY: a plain system call. The child has not been waited for: its end would have
            // been received.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            match waiting.recv_timeout(Duration::from_secs(5)) {
                Ok(Ok(output)) => {
                    let ended = to_ended(output);
                    panic!("{what}: the child process was killed after {limit:?}: {ended}")
                }
                _ => panic!("{what}: the child process outlived {limit:?} and a kill"),
            }
        }
    };
    to_ended(output)
}

fn to_ended(output: std::process::Output) -> Ended {
    Ended {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Another process that holds a lock of a file, of the kind that belongs to processes.
pub(crate) struct LockHolder {
    process: std::process::Child,
    input: Option<std::process::ChildStdin>,
}

/// Starts one; it has the lock when this returns.
pub(crate) fn lock_holder(path: &std::path::Path) -> LockHolder {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::process::CommandExt;
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let fd = file.as_raw_fd();
    let mut command = Command::new("sh");
    command.args(["-c", "echo; read -r line"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // A lock stays with a process when it executes a program, if its descriptor does.
    // SAFETY: after the fork only system calls, on live places.
    unsafe {
        command.pre_exec(move || {
            let mut lock: libc::flock = std::mem::zeroed();
            lock.l_type = libc::F_WRLCK as libc::c_short;
            if libc::fcntl(fd, libc::F_SETLKW, &raw const lock) != 0
                || libc::fcntl(fd, libc::F_SETFD, 0) != 0
            {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let mut process = command.spawn().unwrap();
    // One byte says that it runs.
    process.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    LockHolder { input: process.stdin.take(), process }
}

impl LockHolder {
    /// Ends the process, and with it the lock.
    pub(crate) fn release(&mut self) {
        drop(self.input.take());
        self.process.wait().unwrap();
    }
}
