//! The cases for systems whose tasks are written like threads.
//!
//! A system is a type that implements [`Blocking`]; [`run`] is its harness program. Everything is
//! generic, so a case compiles to direct calls of the system.

mod call;
mod channel;
mod echo;
mod files;
mod hogs;
mod http;
mod memory;
mod pthread;
mod sleep;
mod spawn;
mod structured;
mod switch;
mod sync;

use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

pub use channel::Channels;

use crate::{Outcome, Params};

/// What a system must provide. All functions but [`start`](Self::start) are called on tasks.
pub trait Blocking: 'static {
    /// The right to join a task. Dropping it detaches the task.
    type Join: Send;
    /// The name by which a task is unparked.
    type Task: Send + Sync + 'static;
    /// A counter behind the system's mutex.
    type Counter: Send + Sync + 'static;
    /// The sending half of an unbounded channel.
    type Sender: Send + 'static;
    /// The receiving half of an unbounded channel.
    type Receiver: Send + 'static;
    /// A listening TCP socket.
    type Listener: Send + 'static;
    /// A connection.
    type Stream: Read + Write + Send + 'static;
    /// Tasks that can be told to stop.
    type Group;

    /// The greatest number of tasks that may be tried at once, if the machine rather than the
    /// system sets a limit.
    fn most_tasks() -> usize {
        usize::MAX
    }

    /// Sets up the runtime, on the main thread, before anything else.
    ///
    /// # Errors
    /// If this system cannot run with that many workers.
    fn start(workers: usize) -> Outcome<()>;

    /// Starts a task.
    ///
    /// # Errors
    /// If the system cannot make one more.
    fn spawn(f: impl FnOnce() + Send + 'static) -> io::Result<Self::Join>;

    /// Waits for a task to end.
    fn join(task: Self::Join);

    /// Lets other tasks run.
    fn yield_now();

    /// The calling task.
    fn current() -> Self::Task;

    /// Waits for [`unpark`](Self::unpark); may return for no reason.
    fn park();

    /// Ends the task's current or next [`park`](Self::park).
    fn unpark(task: &Self::Task);

    /// Waits for that time to pass.
    fn sleep(duration: Duration);

    /// A counter that is 0.
    fn counter() -> Self::Counter;

    /// Locks, adds one, unlocks.
    fn add_one(counter: &Self::Counter);

    /// An unbounded channel.
    fn channel() -> (Self::Sender, Self::Receiver);

    /// Sends without waiting.
    fn send(sender: &Self::Sender, value: u64);

    /// Waits for a value; none when the sender is gone.
    fn receive(receiver: &Self::Receiver) -> Option<u64>;

    /// Starts so many tasks that do nothing in a scope, which ends when they have.
    fn scope(tasks: usize);

    /// Starts a task for each of these, which can be told to stop.
    ///
    /// # Errors
    /// If the system cannot make one more, or none of this kind.
    fn group<F: FnOnce() + Send + 'static>(bodies: impl Iterator<Item = F>)
    -> Outcome<Self::Group>;

    /// Tells all of them to stop, and waits until they have ended.
    fn cancel(group: Self::Group);

    /// Listens on any free port of the loopback interface and returns that port.
    ///
    /// # Errors
    /// With the kernel's error.
    fn listen() -> io::Result<(Self::Listener, u16)>;

    /// Waits for a connection and switches Nagle's algorithm off.
    ///
    /// # Errors
    /// With the kernel's error.
    fn accept(listener: &Self::Listener) -> io::Result<Self::Stream>;
}

/// Runs the case that `params` name, with the channels that programs on this system use.
///
/// # Errors
/// If there is no such case or it could not be measured.
pub fn run<S: Blocking, C: Channels>(params: &Params) -> Outcome<()> {
    S::start(params.get("workers")?)?;
    if let Some(family) = params.case().strip_prefix("call-") {
        return call::cost::<S>(family, params);
    }
    let params = params.clone();
    on_task::<S, _>(move || match params.case() {
        "yield" => switch::yields::<S>(&params),
        "park" => switch::park::<S>(&params),
        "spawn-one" => spawn::one::<S>(&params),
        "spawn-waves" => spawn::waves::<S>(&params),
        "spawn-flood" => spawn::flood::<S>(&params),
        "mutex" => sync::mutex::<S>(&params),
        "pthread-mutex" => pthread::mutex::<S>(&params),
        "pthread-rwlock" => pthread::read_write::<S>(&params),
        "pthread-cond" => pthread::condition::<S>(&params),
        "pthread-sem" => pthread::semaphore::<S>(&params),
        "pthread-barrier" => pthread::barrier::<S>(&params),
        "mpsc" => sync::channel::<S>(&params),
        "channel-round-trip" => channel::round_trip::<S, C>(&params),
        "channel-flow" => channel::flow::<S, C>(&params),
        "channel-select" => channel::select::<S, C>(&params),
        "scope" => structured::scope::<S>(&params),
        "cancel" => structured::cancel::<S, C>(&params),
        "memory" => memory::parked::<S>(&params),
        "echo" => {
            hogs::beside::<S>(&params)?;
            echo::serve::<S>()
        }
        "hogs-sleeper" => hogs::sleeper::<S>(&params),
        "hogs-alone" => hogs::alone::<S>(&params),
        "fair" => hogs::fair::<S>(&params),
        "files" => files::read::<S>(&params),
        "sleep-short" => sleep::short::<S>(&params),
        "sleep-many" => sleep::many::<S>(&params),
        "http" => http::serve::<S>(),
        other => Err(format!("no such case: {other}")),
    })
}

/// Runs `f` as a task: measurements do not start from a thread that the system does not run.
fn on_task<S: Blocking, R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let task = S::spawn(move || {
        // The receiver waits for as long as this task lives.
        let _ = sender.send(f());
    });
    let result = receiver.recv().expect("the task sends before it ends");
    S::join(task.expect("the first task can be started"));
    result
}

/// Starts `count` tasks that run what `make` returns for each.
fn spawn_all<S: Blocking, F: FnOnce() + Send + 'static>(
    count: usize,
    mut make: impl FnMut(usize) -> F,
) -> Outcome<Vec<S::Join>> {
    if count > S::most_tasks() {
        return Err(format!(
            "{count} tasks would be as many OS threads; this harness makes at most {}",
            S::most_tasks()
        ));
    }
    let mut tasks = Vec::with_capacity(count);
    for index in 0..count {
        let task = S::spawn(make(index))
            .map_err(|error| format!("no task after the first {index}: {error}"))?;
        tasks.push(task);
    }
    Ok(tasks)
}

fn join_all<S: Blocking>(tasks: Vec<S::Join>) {
    tasks.into_iter().for_each(S::join);
}

/// The time that a measurement is to take.
fn target(params: &Params) -> Outcome<Duration> {
    Ok(Duration::from_millis(params.get("ms")? as u64))
}
