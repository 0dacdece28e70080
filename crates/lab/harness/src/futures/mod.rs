//! The cases for executors of futures: the same steps as in [`blocking`](crate::blocking), with
//! `.await` where a task may be suspended.

mod channel;
mod files;
mod hogs;
mod memory;
mod park;
mod sleep;
mod spawn;
mod structured;
mod switch;
mod sync;

use std::time::Duration;

pub use channel::Channels;

use crate::{Outcome, Params};

/// What a system must provide. All functions but `run` are called on tasks.
pub trait Executor: 'static {
    /// Waits for a task to end. Dropping it need not detach the task: see
    /// [`detach`](Self::detach).
    type Join: Future<Output = ()> + Send;
    /// A counter behind the system's mutex.
    type Counter: Send + Sync + 'static;
    /// Tasks that can be told to stop.
    type Group: Send;

    /// Starts a task.
    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Join;

    /// Lets a task run on alone.
    fn detach(task: Self::Join);

    /// Lets other tasks run.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Waits for that time to pass.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;

    /// Runs what blocks on a thread that is meant for that.
    fn unblock<T: Send + 'static>(
        f: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send;

    /// A counter that is 0.
    fn counter() -> Self::Counter;

    /// Locks, adds one, unlocks.
    fn add_one(counter: &Self::Counter) -> impl Future<Output = ()> + Send;

    /// Starts so many tasks that do nothing in a scope, which ends when they have.
    ///
    /// # Errors
    /// If the system has none.
    fn scope(tasks: usize) -> impl Future<Output = Outcome<()>> + Send {
        let _ = tasks;
        async { Err("this system has no scope".to_owned()) }
    }

    /// Starts a task for each of these, which can be told to stop.
    fn group(futures: Vec<impl Future<Output = ()> + Send + 'static>) -> Self::Group;

    /// Tells all of them to stop, and waits until they have ended.
    fn cancel(group: Self::Group) -> impl Future<Output = ()> + Send;

    /// Serves TCP echo, a task per connection, after [`report_port`](crate::report_port).
    fn echo() -> impl Future<Output = Outcome<()>> + Send;

    /// Serves [`HTTP_BODY`](crate::HTTP_BODY) by the server that programs on this system use.
    fn http() -> impl Future<Output = Outcome<()>> + Send {
        async { Err("no HTTP server was written for this system".to_owned()) }
    }
}

/// Runs the case that `params` name, with the channels that programs on this system use. To be
/// called as a task of the executor.
///
/// # Errors
/// If there is no such case or it could not be measured.
pub async fn run<E: Executor, C: Channels>(params: &Params) -> Outcome<()> {
    match params.case() {
        "yield" => switch::yields::<E>(params).await,
        "park" => park::park::<E>(params).await,
        "spawn-one" => spawn::one::<E>(params).await,
        "spawn-waves" => spawn::waves::<E>(params).await,
        "spawn-flood" => spawn::flood::<E>(params).await,
        "mutex" => sync::mutex::<E>(params).await,
        "mpsc" | "channel-round-trip" => channel::round_trip::<E, C>(params).await,
        "channel-flow" => channel::flow::<E, C>(params).await,
        "channel-select" => channel::select::<E, C>(params).await,
        "scope" => structured::scope::<E>(params).await,
        "cancel" => structured::cancel::<E, C>(params).await,
        "memory" => memory::parked::<E>(params).await,
        "echo" => {
            hogs::beside::<E>(params);
            E::echo().await
        }
        "hogs-sleeper" => hogs::sleeper::<E>(params).await,
        "hogs-alone" => hogs::alone::<E>(params).await,
        "fair" => hogs::fair::<E>(params).await,
        "files" => files::read::<E>(params).await,
        "sleep-short" => sleep::short::<E>(params).await,
        "sleep-many" => sleep::many::<E>(params).await,
        "http" => E::http().await,
        other => Err(format!("no such case: {other}")),
    }
}

/// The buffer of an echo connection, the same in all systems.
pub const ECHO_BUFFER: usize = 2048;

/// Starts `count` tasks that run what `make` returns for each.
fn spawn_all<E: Executor, F: Future<Output = ()> + Send + 'static>(
    count: usize,
    make: impl FnMut(usize) -> F,
) -> Vec<E::Join> {
    (0..count).map(make).map(E::spawn).collect()
}

async fn join_all<E: Executor>(tasks: Vec<E::Join>) {
    for task in tasks {
        task.await;
    }
}

/// The time that a measurement is to take.
fn target(params: &Params) -> Outcome<Duration> {
    Ok(Duration::from_millis(params.get("ms")? as u64))
}
