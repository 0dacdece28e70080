//! What a hook adds to a call that does not have to wait.
//!
//! A family of calls is repeated in three ways: by the C library's own functions on an OS thread,
//! by those that the program is linked with on an OS thread, and by the same on a task. The ways
//! take turns in short slices, so that a machine that slows down slows down all of them alike, and
//! the figures are medians over the slices. Each way has objects of its own: pipes, locks.
//!
//! The OS thread is the main one. While a task has its slice it waits, as does the worker in the
//! other slices. A coroutine must give way after some calls on descriptors in a row if others are
//! ready; here nobody is, and what asking costs is in the figure.

mod descriptors;
mod files;
mod locks;
mod others;
mod way;

use std::time::{Duration, Instant};

use self::way::{Loop, Way};
use super::{Blocking, on_task, target};
use crate::clock::{Count, Pace};
use crate::{Outcome, Params, report_ns};

/// Slices of each way. A slice should be shorter than the time that a scheduler gives a process, so
/// that on a busy machine some are undisturbed.
const SLICES: u32 = 100;

/// Makes the objects of a family and the loop that calls its functions in this way.
type Family = fn(Way) -> Outcome<Loop>;

fn family(name: &str) -> Option<Family> {
    Some(match name {
        "pipe" => descriptors::pipe,
        "tcp" => descriptors::tcp_as_std,
        "tcp-noflag" => descriptors::tcp,
        "udp" => descriptors::datagrams,
        "poll-0" => descriptors::poll_at_once,
        "poll" => descriptors::poll,
        "epoll" => descriptors::epoll,
        "fcntl" => descriptors::flags,
        "dup" => descriptors::duplicate,
        "pread" => files::read_cached,
        "write" => files::write,
        "stat" => files::stat,
        "fputc" => files::put_byte,
        "fwrite" => files::put_bytes,
        "mutex" => locks::mutex,
        "recursive" => locks::recursive,
        "rwlock" => locks::read,
        "sem" => locks::semaphore,
        "signal" => locks::signal,
        "once" => locks::once,
        "futex" => locks::futex_wake,
        "yield" => others::give_way,
        "sleep-0" => others::sleep_for_nothing,
        "resolve" => others::resolve,
        _ => return None,
    })
}

/// One way to make the calls, measured bit by bit.
struct Course {
    /// There between slices.
    calls: Option<Loop>,
    run: fn(Slice) -> Ran,
    /// Calls in a slice.
    count: Count,
    /// Nanoseconds of a call, in each slice.
    slices: Vec<f64>,
}

/// Calls to make.
struct Slice {
    calls: Loop,
    count: Count,
}

/// The loop is handed back, with how long it took.
type Ran = (Loop, Outcome<Duration>);

impl Slice {
    fn run(mut self) -> Ran {
        // The first ones find cold caches, left by another way.
        let warm = (self.calls)(self.count / 8 + 1);
        let start = Instant::now();
        let result = warm.and_then(|()| (self.calls)(self.count)).map(|()| start.elapsed());
        (self.calls, result)
    }
}

impl Course {
    /// Finds the number of calls that fill a slice of that length.
    fn new(calls: Loop, run: fn(Slice) -> Ran, length: Duration) -> Outcome<Self> {
        let mut course = Course { calls: Some(calls), run, count: 0, slices: Vec::new() };
        let mut pace = Pace::new(length);
        while let Some(count) = pace.next() {
            course.count = count;
            pace.took(course.slice()?);
        }
        Ok(course)
    }

    fn slice(&mut self) -> Outcome<Duration> {
        let calls = self.calls.take().expect("a slice that fails is the last");
        let (calls, took) = (self.run)(Slice { calls, count: self.count });
        self.calls = Some(calls);
        took
    }

    fn measure(&mut self) -> Outcome<()> {
        let took = self.slice()?;
        self.slices.push(took.as_nanos() as f64 / self.count as f64);
        Ok(())
    }

    /// The median of what it takes longer than `other`, slice by slice.
    fn more_than(&self, other: &Course) -> f64 {
        median(self.slices.iter().zip(&other.slices).map(|(own, other)| own - other))
    }
}

/// Reports the three figures and the differences. Called on an OS thread.
pub(super) fn cost<S: Blocking>(name: &str, params: &Params) -> Outcome<()> {
    let family = family(name).ok_or_else(|| format!("no such family of calls: {name}"))?;
    let length = target(params)? / (3 * SLICES);
    let on_task = |slice| on_task::<S, _>(move || Slice::run(slice));
    let of_task = self::on_task::<S, _>(move || family(Way::Linked))?;
    let mut courses = [
        Course::new(family(Way::Plain)?, Slice::run, length)?,
        Course::new(family(Way::Linked)?, Slice::run, length)?,
        Course::new(of_task, on_task, length)?,
    ];
    for round in 0..SLICES as usize {
        // Each is the first in turn: a scheduler that takes the processor away once in a round
        // would otherwise do so to the same one for long.
        for turn in 0..courses.len() {
            let next = (round + turn) % courses.len();
            courses[next].measure()?;
        }
    }
    let [plain, thread, coroutine] = &courses;
    for (metric, course) in [("plain", plain), ("thread", thread), ("coroutine", coroutine)] {
        report_ns(metric, median(course.slices.iter().copied()));
    }
    report_ns("thread_more", thread.more_than(plain));
    report_ns("coroutine_more", coroutine.more_than(plain));
    Ok(())
}

/// The middle one; the upper one of two.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
