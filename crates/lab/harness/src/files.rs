//! What the two kinds of systems share when they read a file: which blocks, until when, and what
//! is noted.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::quantiles::Times;
use crate::random::Random;
use crate::{Outcome, Params, report};

/// The size of a block.
const SIZE: usize = 4096;

/// How long the bystander sleeps.
pub(crate) const NAP: Duration = Duration::from_millis(100);

/// Memory for a block, aligned as reads past the page cache need it.
#[repr(align(4096))]
pub(crate) struct Block([u8; SIZE]);

impl Block {
    pub(crate) fn boxed() -> Box<Self> {
        Box::new(Block([0; SIZE]))
    }

    /// Reads block `number` of `file`.
    pub(crate) fn read(&mut self, file: &File, number: u64) -> io::Result<()> {
        file.read_exact_at(&mut self.0, number * SIZE as u64)
    }
}

/// One measurement, which all its tasks share.
pub(crate) struct Reading {
    pub(crate) file: File,
    blocks: u64,
    start: Instant,
    end: Instant,
    reads: Mutex<Times>,
    lateness: Mutex<Times>,
}

impl Reading {
    /// Opens the file `path` with the extra `flags` of open(2). The clock runs from now on for
    /// `ms`.
    pub(crate) fn start(params: &Params) -> Outcome<Self> {
        let (path, flags) = (params.text("path")?, params.get("flags")?);
        let open = || {
            let file = OpenOptions::new().read(true).custom_flags(flags as i32).open(path)?;
            Ok((file.metadata()?.len() / SIZE as u64, file))
        };
        let (blocks, file) = open().map_err(|error: io::Error| format!("{path}: {error}"))?;
        let ms = Duration::from_millis(params.get("ms")? as u64);
        let start = Instant::now();
        let (reads, lateness) = Default::default();
        Ok(Reading { file, blocks, start, end: start + ms, reads, lateness })
    }

    /// Task `index` begins.
    pub(crate) fn reader(&self, index: usize) -> Reader {
        let (random, times) = (Random::new(index), Times::default());
        Reader { random, blocks: self.blocks, before: self.start, end: self.end, times }
    }

    /// A task has ended.
    pub(crate) fn finish(&self, reader: Reader) {
        self.reads.lock().expect("no task panics").append(reader.times);
    }

    /// The bystander has slept since `start`. Whether it is to go on.
    pub(crate) fn slept(&self, start: Instant) -> bool {
        let lateness = start.elapsed().saturating_sub(NAP);
        self.lateness.lock().expect("no task panics").push(lateness);
        Instant::now() < self.end
    }

    /// Reports what was noted, when all tasks have ended.
    pub(crate) fn report(&self) {
        let elapsed = self.start.elapsed().as_secs_f64();
        let take =
            |times: &Mutex<Times>| std::mem::take(&mut *times.lock().expect("no task panics"));
        let reads = take(&self.reads);
        report("reads", reads.count() as f64 / elapsed, "1/s");
        reads.report(&[("p50", 0.5), ("p99", 0.99), ("max", 1.0)]);
        take(&self.lateness).report(&[("bystander_p50", 0.5), ("bystander_max", 1.0)]);
    }
}

/// A task's reads.
pub(crate) struct Reader {
    random: Random,
    blocks: u64,
    /// When the read before ended.
    before: Instant,
    end: Instant,
    times: Times,
}

impl Reader {
    /// The number of the next block.
    pub(crate) fn next_block(&mut self) -> u64 {
        self.random.below(self.blocks)
    }

    /// The block was read; whether to go on.
    ///
    /// A read lasts from the end of the one before it, and the first from the start of all: so a
    /// task that waits for its turn between two reads, or for its first, shows.
    pub(crate) fn has_read(&mut self) -> bool {
        let now = Instant::now();
        self.times.push(now - self.before);
        self.before = now;
        now < self.end
    }
}
