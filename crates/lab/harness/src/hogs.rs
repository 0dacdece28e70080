//! Tasks that compute and do not wait, and what they do to others.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::process::cpu_time;
use crate::quantiles::Times;
use crate::{Outcome, Params, report};

/// The Fibonacci number, by the definition: work that neither waits nor allocates.
pub fn fib(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { fib(black_box(n) - 1) + fib(n - 2) }
}

/// What a hog computes between two looks at the clock: some tens of microseconds.
const CHUNK: u32 = 18;

/// Hogs, which compute until they are told to end, or for a bounded time: where nobody is
/// preempted, who would tell them does not run.
pub(crate) struct Hogs {
    over: AtomicBool,
    begin: Instant,
    most: Duration,
    chunks: AtomicU64,
    /// CPU time that the process had used at the beginning.
    used: Outcome<Duration>,
}

impl Hogs {
    pub(crate) fn new(most: Duration) -> Arc<Self> {
        let begin = Instant::now();
        let (over, chunks) = (AtomicBool::new(false), AtomicU64::new(0));
        Arc::new(Hogs { over, begin, most, chunks, used: cpu_time() })
    }

    /// Hogs that compute as long as the process lives, beside a server.
    pub(crate) fn for_ever() -> Arc<Self> {
        Self::new(Duration::MAX)
    }

    /// What each of them does.
    pub(crate) fn compute(&self) {
        while !self.over.load(Ordering::Relaxed) && self.begin.elapsed() < self.most {
            black_box(fib(black_box(CHUNK)));
            self.chunks.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Reports how much they have computed, when all have ended: in a second, and in a second of
    /// CPU time, of which the scheduler and its threads have their part. On a machine that is
    /// shared the latter says more.
    ///
    /// # Errors
    /// If the CPU time cannot be read.
    pub(crate) fn report(&self) -> Outcome<()> {
        let done = self.chunks.load(Ordering::Relaxed) as f64;
        report("chunks", done / self.begin.elapsed().as_secs_f64(), "1/s");
        let used = cpu_time()?.saturating_sub(self.used.clone()?);
        report("chunks_cpu", done / used.as_secs_f64(), "1/s");
        Ok(())
    }
}

/// By how much a sleeper was late.
pub(crate) fn report_lateness(times: Times) {
    times.report(&[("late_p50", 0.5), ("late_p99", 0.99), ("late_max", 1.0)]);
}

/// Very many tasks that compute for some milliseconds each, and a small one that comes when all of
/// these wait: how long the whole takes, when each has ended, how long the small one waits.
pub struct Fair {
    begin: Instant,
    work: u32,
    late: Duration,
    ended: Box<[AtomicU64]>,
    left: AtomicUsize,
    waited: AtomicU64,
}

/// The work of the task that comes late.
const SMALL: u32 = 15;

impl Fair {
    /// Of the parameters `tasks`, `fib` (the work of each) and `late` (milliseconds after which the
    /// small one comes).
    ///
    /// # Errors
    /// If one is missing.
    pub fn new(params: &Params) -> Outcome<Arc<Self>> {
        let tasks = params.get("tasks")?;
        Ok(Arc::new(Fair {
            begin: Instant::now(),
            work: params.get("fib")? as u32,
            late: Duration::from_millis(params.get("late")? as u64),
            ended: (0..tasks).map(|_| AtomicU64::new(0)).collect(),
            left: AtomicUsize::new(tasks),
            waited: AtomicU64::new(0),
        }))
    }

    /// The number of tasks.
    pub fn tasks(&self) -> usize {
        self.ended.len()
    }

    /// What task `index` does.
    pub fn work(&self, index: usize) {
        black_box(fib(black_box(self.work)));
        self.ended[index].store(self.begin.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.left.fetch_sub(1, Ordering::Release);
    }

    /// How long to wait until the small task is due.
    pub fn until_late(&self) -> Duration {
        self.late.saturating_sub(self.begin.elapsed())
    }

    /// What the small task does.
    pub fn small(&self) {
        black_box(fib(black_box(SMALL)));
        let waited = self.begin.elapsed().saturating_sub(self.late);
        self.waited.store(waited.as_nanos() as u64, Ordering::Release);
    }

    /// Whether all have ended, the small one too.
    pub fn is_over(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0 && self.waited.load(Ordering::Acquire) != 0
    }

    /// Reports when which share of the tasks had ended, and what the small one waited.
    pub fn report(&self) {
        let ended = || self.ended.iter().map(|time| time.load(Ordering::Relaxed));
        let shares = [("done_10", 0.1), ("done_50", 0.5), ("done_90", 0.9), ("total", 1.0)];
        let first = ended().min().unwrap_or(0);
        report("done_first", first as f64 / 1e3, "us");
        ended().collect::<Times>().report(&shares);
        report("late_task", self.waited.load(Ordering::Relaxed) as f64 / 1e3, "us");
    }
}
