//! What the demo is doing, on standard error: one changing line on a terminal, else plain ones.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a plain line is added, so that a log does not fill with them.
const PLAIN_INTERVAL: Duration = Duration::from_secs(1);

/// The progress line.
pub(super) struct Progress {
    terminal: bool,
    /// When a plain line was last written.
    written: Instant,
    /// Characters on the terminal's line, which the next text must cover.
    width: usize,
}

impl Progress {
    pub(super) fn new() -> Progress {
        Progress { terminal: io::stderr().is_terminal(), written: Instant::now(), width: 0 }
    }

    /// Something new begins.
    pub(super) fn phase(&mut self, text: &str) {
        if self.terminal {
            return self.update(text);
        }
        eprintln!("{text}");
        self.written = Instant::now();
    }

    /// How far it has got.
    pub(super) fn update(&mut self, text: &str) {
        if self.terminal {
            eprint!("\r{text:<width$}", width = self.width);
            let _ = io::stderr().flush();
            self.width = text.chars().count();
        } else if self.written.elapsed() >= PLAIN_INTERVAL {
            eprintln!("{text}");
            self.written = Instant::now();
        }
    }

    /// Something to be kept on the screen.
    pub(super) fn note(&mut self, text: &str) {
        self.finish();
        eprintln!("note: {text}");
    }

    /// Leaves an empty line to others.
    pub(super) fn finish(&mut self) {
        if self.terminal && self.width > 0 {
            eprint!("\r{:width$}\r", "", width = self.width);
            self.width = 0;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
