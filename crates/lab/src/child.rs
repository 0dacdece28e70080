//! One measurement is one child process: started, read line by line, killed at its deadline.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::sys;

/// How the laboratory starts itself again.
pub(crate) struct Own {
    executable: PathBuf,
    /// What leads to the laboratory: `lab` in the `lisle` command.
    prefix: Vec<OsString>,
}

impl Own {
    /// `args` are those that [`main`](crate::main) got: the last ones of the process's.
    pub(crate) fn from_args(args: &[String]) -> Self {
        let all: Vec<_> = std::env::args_os().skip(1).collect();
        let prefix = all[..all.len().saturating_sub(args.len())].to_vec();
        // Where the path cannot be had, the link leads to the same file.
        let executable = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
        Own { executable, prefix }
    }

    /// The command `lisle`, which is this very file or lies beside it.
    pub(crate) fn lisle(&self) -> Command {
        Command::new(self.executable.with_file_name("lisle"))
    }

    /// A command of the laboratory.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(&self.prefix).arg(name);
        command
    }
}

/// The CPUs that a child is bound to, counted among those that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cpus {
    pub(crate) first: usize,
    pub(crate) count: usize,
}

/// A running child. Dropping it kills it.
pub(crate) struct Measurement {
    child: Child,
    /// Its standard input, if somebody is to talk to it.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    complaints: Option<JoinHandle<String>>,
    deadline: Instant,
}

impl Measurement {
    /// Starts `command`, which must end within `limit`.
    pub(crate) fn start(command: Command, cpus: Cpus, limit: Duration) -> Result<Self, String> {
        Self::start_with(command, cpus, limit, Stdio::null())
    }

    /// The same with a way to [`tell`](Self::tell) it something.
    pub(crate) fn start_listening(
        command: Command,
        cpus: Cpus,
        limit: Duration,
    ) -> Result<Self, String> {
        Self::start_with(command, cpus, limit, Stdio::piped())
    }

    fn start_with(
        mut command: Command,
        cpus: Cpus,
        limit: Duration,
        input: Stdio,
    ) -> Result<Self, String> {
        sys::bind_to_cpus(&mut command, cpus.first, cpus.count)
            .map_err(|error| format!("the CPUs to run on: {error}"))?;
        // A complaint is one line here.
        command.env("RUST_BACKTRACE", "0");
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = Path::new(command.get_program()).display().to_string();
        let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        let input = child.stdin.take();
        let lines = read_lines(child.stdout.take().expect("standard output is a pipe"));
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let complaints = Some(thread::spawn(move || telling_line(stderr)));
        Ok(Measurement { child, input, lines, complaints, deadline: Instant::now() + limit })
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) -> Result<(), String> {
        let input = self.input.as_mut().expect("it was started to listen");
        writeln!(input, "{line}").map_err(|error| format!("cannot be told {line:?}: {error}"))
    }

    /// All further lines after its standard input was closed, until it has ended well.
    pub(crate) fn finish(mut self) -> Result<Vec<String>, String> {
        self.input = None;
        self.lines()
    }

    /// The next line of its output, or none when it has ended well.
    pub(crate) fn next_line(&mut self) -> Result<Option<String>, String> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => self.end().map(|()| None),
            Err(RecvTimeoutError::Timeout) => Err(self.give_up()),
        }
    }

    /// All further lines, until it has ended well.
    pub(crate) fn lines(mut self) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        while let Some(line) = self.next_line()? {
            lines.push(line);
        }
        Ok(lines)
    }

    /// Waits for the end of a process that has closed its output.
    fn end(&mut self) -> Result<(), String> {
        let status = loop {
            match self.child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => break status,
                None if Instant::now() >= self.deadline => {
                    return Err(self.give_up());
                }
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        if status.success() { Ok(()) } else { Err(self.reason(status)) }
    }

    /// Kills a process that is past its deadline.
    fn give_up(&mut self) -> String {
        // Fails only if it has just ended.
        let _ = self.child.kill();
        match self.complaint() {
            Some(line) => format!("hung, killed at its deadline; it had said: {line}"),
            None => "hung, killed at its deadline".to_owned(),
        }
    }

    /// Why it failed: its complaint, or what the kernel says of it.
    fn reason(&mut self, status: ExitStatus) -> String {
        match (status.code(), self.complaint()) {
            (Some(_), Some(line)) => line,
            (None, Some(line)) => format!("{status}: {line}"),
            (_, None) => status.to_string(),
        }
    }

    /// The telling line on standard error of a process that has ended.
    fn complaint(&mut self) -> Option<String> {
        let line = self.complaints.take()?.join().ok()?;
        Some(line).filter(|line| !line.is_empty())
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// The line that says why: the message of the first panic, as others often follow from it, else
/// the last line of all.
fn telling_line(pipe: impl Read) -> String {
    let (mut last, mut panicked) = (String::new(), false);
    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
        let line = line.trim();
        if line.is_empty() || panicked && !last.contains(" panicked at ") {
            continue;
        }
        panicked |= line.contains(" panicked at ");
        line.clone_into(&mut last);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Vec<String>, String> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        Measurement::start(command, Cpus { first: 0, count: 1 }, limit)?.lines()
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn output_is_read() {
        assert_eq!(shell("echo a; echo b", LONG), Ok(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn failure_has_the_last_complaint() {
        assert_eq!(shell("echo x; echo first >&2; echo why >&2; exit 1", LONG), Err("why".into()));
    }

    #[test]
    fn first_panic_is_the_reason() {
        let text =
            "note\nthread 'a' panicked at x.rs:1:\nroot\nthread 'b' panicked at y.rs:\nend\n";
        assert_eq!(telling_line(text.as_bytes()), "root");
    }

    #[test]
    fn listening_child_is_told() {
        let mut child =
            Measurement::start_listening(Command::new("cat"), Cpus { first: 0, count: 1 }, LONG)
                .unwrap();
        child.tell("a").unwrap();
        assert_eq!(child.next_line(), Ok(Some("a".to_owned())));
        child.tell("b").unwrap();
        assert_eq!(child.finish(), Ok(vec!["b".to_owned()]));
    }

    #[test]
    fn hung_child_is_killed() {
        let outcome = shell("exec sleep 100", Duration::from_millis(50));
        assert!(outcome.unwrap_err().starts_with("hung"));
    }

    #[test]
    fn signal_is_named() {
        assert!(shell("kill -SEGV $$", LONG).unwrap_err().contains("SIGSEGV"));
    }
}
