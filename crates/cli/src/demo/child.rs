//! A child process that speaks in lines, is waited for with a deadline, and ends with its parent.
//!
//! The child ends when its standard input does ([`end_with_parent`]). That needs no signal set-up,
//! works wherever there are pipes, and holds even if the parent is killed: the kernel closes the
//! pipe. Ctrl-C reaches parent and children alike, since they are one foreground group.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Failure;

/// A child that is silent for so long is taken for hung; all have something to say sooner.
const SILENCE: Duration = Duration::from_secs(30);
/// Lines of its errors that are kept: the first ones, which tell causes.
const KEPT_ERRORS: usize = 20;

/// A running child; killed on drop.
pub(super) struct Helper {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Arc<Mutex<Vec<String>>>,
}

impl Helper {
    /// Starts this very program with `args`, in the given mode.
    pub(super) fn start(
        name: &'static str,
        mode: &str,
        args: &[String],
    ) -> Result<Helper, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            format!("cannot find this program's file: {error}; is /proc there?")
        })?;
        let mut child = Command::new(program)
            .args(args)
            .env("LISLE_MODE", mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start the {name}: {error}"))?;
        let (sender, lines) = mpsc::channel();
        let errors = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&errors);
        each_line(child.stdout.take(), move |line| _ = sender.send(line));
        each_line(child.stderr.take(), move |line| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT_ERRORS {
                kept.push(line);
            }
        });
        let stdin = child.stdin.take();
        Ok(Helper { name, child, stdin, lines, errors })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line.
    pub(super) fn tell(&mut self, line: &str) -> Result<(), Failure> {
        let sent = self.stdin.as_mut().map(|stdin| writeln!(stdin, "{line}"));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.obituary()),
        }
    }

    /// The next message. An error if the child has ended, or says nothing for so long that it must
    /// be taken for hung.
    pub(super) fn hear<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        match self.lines.recv_timeout(SILENCE) {
            Ok(line) => serde_json::from_str(&line)
                .map_err(|_| format!("the {} said {line:?}, which makes no sense", self.name)),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("the {} has said nothing for {} s", self.name, SILENCE.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.obituary()),
        }
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The first thing that the child wrote to standard error.
    pub(super) fn first_error(&self) -> Option<String> {
        self.kept_errors().first().cloned()
    }

    /// The last thing that was kept of what it wrote to standard error.
    pub(super) fn last_error(&self) -> Option<String> {
        self.kept_errors().last().cloned()
    }

    fn kept_errors(&self) -> MutexGuard<'_, Vec<String>> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is known of why the child is gone.
    pub(super) fn obituary(&mut self) -> Failure {
        // Its last words may still be on their way.
        let status = self.wait(Duration::from_secs(2));
        thread::sleep(Duration::from_millis(50));
        let end = status.map_or_else(|| "stopped answering".to_owned(), |s| format!("ended: {s}"));
        match self.kept_errors().as_slice() {
            [] => format!("the {} {end}", self.name),
            lines => format!("the {} {end}; it said: {}", self.name, lines.join("; ")),
        }
    }

    fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                _ => return None,
            }
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.stdin = None;
        // It may be dead already, and one that survives being killed is beyond help.
        let _ = self.child.kill();
        self.wait(Duration::from_secs(30));
    }
}

/// Feeds the lines of a child's output to `take` on a thread, so that the child never blocks on it.
fn each_line(
    output: Option<impl Read + Send + 'static>,
    mut take: impl FnMut(String) + Send + 'static,
) {
    let Some(output) = output else { return };
    thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).for_each(&mut take));
}

/// In a child: hands each line of standard input to `take`, and ends the process when it ends.
pub(super) fn end_with_parent(take: impl FnMut(String)) -> ! {
    std::io::stdin().lines().map_while(Result::ok).for_each(take);
    std::process::exit(0)
}

/// In a child: sends a message to the parent, if there still is one.
pub(super) fn report<T: Serialize>(message: &T) {
    let line = serde_json::to_string(message).expect("messages are plain data");
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}
