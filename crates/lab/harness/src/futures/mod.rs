//! The cases for executors of futures: the same steps as in [`blocking`](crate::blocking), with
//! `.await` where a task may be suspended.

mod files;
mod hogs;
mod memory;
mod park;
mod sleep;
mod spawn;
mod switch;
mod sync;

use std::time::Duration;

use crate::{Outcome, Params};

/// What a system must provide. All functions but `run` are called on tasks.
pub trait Executor: 'static {
    /// Waits for a task to end. Dropping it need not detach the task: see
    /// [`detach`](Self::detach).
    type Join: Future<Output = ()> + Send;
    /// A counter behind the system's mutex.
    type Counter: Send + Sync + 'static;
    /// The sending half of an unbounded channel.
    type Sender: Send + Sync + 'static;
    /// The receiving half of an unbounded channel.
    type Receiver: Send + 'static;

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

    /// An unbounded channel.
    fn channel() -> (Self::Sender, Self::Receiver);

    /// Sends without waiting.
    fn send(sender: &Self::Sender, value: u64);

    /// Waits for a value; none when the sender is gone.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;

    /// Serves TCP echo, a task per connection, after [`report_port`](crate::report_port).
    fn echo() -> impl Future<Output = Outcome<()>> + Send;

    /// Serves [`HTTP_BODY`](crate::HTTP_BODY) by the server that programs on this system use.
    fn http() -> impl Future<Output = Outcome<()>> + Send {
        async { Err("no HTTP server was written for this system".to_owned()) }
    }
}

/// Runs the case that `params` name. To be called as a task of the executor.
///
/// # Errors
/// If there is no such case or it could not be measured.
pub async fn run<E: Executor>(params: &Params) -> Outcome<()> {
    match params.case() {
        "yield" => switch::yields::<E>(params).await,
        "park" => park::park::<E>(params).await,
        "spawn-one" => spawn::one::<E>(params).await,
        "spawn-waves" => spawn::waves::<E>(params).await,
        "spawn-flood" => spawn::flood::<E>(params).await,
        "mutex" => sync::mutex::<E>(params).await,
        "mpsc" => sync::channel::<E>(params).await,
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
