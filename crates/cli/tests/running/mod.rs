//! What the tests of `lisle run` share: programs in C and C++, and running them with a watchdog.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::ffi::OsStr;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub(crate) const LISLE: &str = env!("CARGO_BIN_EXE_lisle");

/// What a program may take. Far more than any needs, since the machine may be busy.
const LIMIT: Duration = Duration::from_secs(100);

/// The ways in which programs are run: each must look like the C library's threads.
pub(crate) const WAYS: [&[&str]; 4] =
    [&["--workers", "1"], &[], &["--poller", "epoll", "--workers", "1"], &["--poller", "epoll"]];

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The exit status, or 1000 and the signal.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 1000 + self.status.signal().unwrap_or_default())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n--- stdout\n{}--- stderr\n{}---", self.status, self.stdout, self.stderr)
    }
}

/// A command without the environment's own settings.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LISLE_") {
            command.env_remove(name);
        }
    }
    command.env_remove("LD_PRELOAD");
    command
}

/// `lisle run` with these arguments.
pub(crate) fn lisle_run(args: &[&str]) -> Command {
    let mut command = command(LISLE);
    command.arg("run").args(args);
    command
}

/// Runs a command to its end. It and what it started are killed if that takes too long.
pub(crate) fn run(command: &mut Command) -> Ended {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let id = process.id() as libc::pid_t;
    let (done, waiting) = mpsc::channel();
    thread::spawn(move || done.send(process.wait_with_output()));
    let in_time = waiting.recv_timeout(LIMIT);
    let output = in_time.as_ref().ok().map_or_else(
        || {
            // SAFETY: a plain system call. The group's first process was not waited for, or its
            // end would have been told.
            unsafe { libc::kill(-id, libc::SIGKILL) };
            let rest = waiting.recv_timeout(Duration::from_secs(10));
            panic!("{command:?} did not end within {LIMIT:?}: {rest:?}")
        },
        |output| output.as_ref().expect("its output can be read"),
    );
    Ended {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a program natively and under `lisle run` in each way, and compares what it says and how it
/// ends. Returns how it ended natively.
#[track_caller]
pub(crate) fn compare(program: &Path, args: &[&str]) -> Ended {
    let native = run(command(program).args(args));
    for way in WAYS {
        let ended = run(lisle_run(way).arg("--").arg(program).args(args));
        assert!(
            ended.stdout == native.stdout && ended.code() == native.code(),
            "{} {args:?} differs under lisle run {way:?}\nnatively: {native}\nthere: {ended}",
            program.display(),
        );
    }
    native
}

/// Builds `tests/programs/<name>`, unless that was done before.
pub(crate) fn build(name: &str) -> PathBuf {
    build_with(name, &[])
}

/// The same with more flags.
pub(crate) fn build_with(name: &str, flags: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let source = folder.join(name);
    let text = std::fs::read(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
    let header = std::fs::read(folder.join("told.h")).unwrap();
    let (compiler, standard) =
        if name.ends_with(".cpp") { ("c++", "-std=c++17") } else { ("cc", "-std=gnu11") };
    let usual = [standard, "-O2", "-g", "-Wall", "-pthread"];
    let mut hasher = DefaultHasher::new();
    (text, header, flags, usual).hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join(format!("{name}-{:016x}", hasher.finish()));
    if program.exists() {
        return program;
    }
    // Several processes may do this at once: each makes its own, and the last one stays.
    let own = folder.join(format!("{name}-{}-{:?}", std::process::id(), thread::current().id()));
    let output = Command::new(compiler)
        .args(usual)
        .arg(&source)
        .arg("-o")
        .arg(&own)
        .args(flags)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}, which builds {name}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} {name}: {said}");
    // Warnings: other compilers have other ones, so that they are no failure.
    eprint!("{said}");
    std::fs::rename(&own, &program).unwrap();
    program
}

/// A folder of the test's own, gone at its end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("run-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    /// Writes an executable file.
    pub(crate) fn executable(&self, name: &str, content: &[u8]) -> PathBuf {
        self.file(name, content, 0o755)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, content: &[u8], mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
