//! The cases on tokio. The parameter `current_thread=1` takes the runtime of that name, on the
//! main thread; otherwise the multi-thread runtime runs them, with `workers` workers. With
//! `flume=1` channels are flume's.

mod channel;
mod http;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use lisle_lab_harness::futures::{self, ECHO_BUFFER, Executor};
use lisle_lab_harness::{Outcome, Params, lengthen_queue, report_port, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

struct Tokio;

impl Executor for Tokio {
    type Join = Joining;
    type Counter = Mutex<u64>;
    type Group = JoinSet<()>;

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Joining {
        Joining(tokio::spawn(future))
    }

    fn detach(task: Joining) {
        drop(task);
    }

    async fn yield_now() {
        tokio::task::yield_now().await;
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    async fn unblock<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
        tokio::task::spawn_blocking(f).await.expect("no task panics")
    }

    fn counter() -> Mutex<u64> {
        Mutex::new(0)
    }

    async fn add_one(counter: &Mutex<u64>) {
        *counter.lock().await += 1;
    }

    async fn scope(tasks: usize) -> Outcome<()> {
        let mut scope = JoinSet::new();
        for _ in 0..tasks {
            scope.spawn(async {});
        }
        scope.join_all().await;
        Ok(())
    }

    fn group(futures: Vec<impl Future<Output = ()> + Send + 'static>) -> Self::Group {
        futures.into_iter().collect()
    }

    async fn cancel(mut group: Self::Group) {
        group.shutdown().await;
    }

    async fn echo() -> Outcome<()> {
        serve().await.map_err(|error| error.to_string())
    }

    async fn http() -> Outcome<()> {
        http::serve().await.map_err(|error| error.to_string())
    }
}

/// A join handle whose output is that of the task.
struct Joining(tokio::task::JoinHandle<()>);

impl Future for Joining {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        let task = std::pin::Pin::new(&mut self.0);
        task.poll(context).map(|result| result.expect("no task panics"))
    }
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    lengthen_queue(&listener)?;
    report_port(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // The client notices a connection that broke.
        tokio::spawn(async { drop(echo(stream).await) });
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; ECHO_BUFFER];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length]).await?,
        }
    }
}

fn runtime(params: &Params) -> io::Result<Runtime> {
    match params.get("current_thread") {
        Ok(1) => Builder::new_current_thread().enable_all().build(),
        _ => {
            let workers = params.get("workers").map_err(io::Error::other)?;
            Builder::new_multi_thread().worker_threads(workers).enable_all().build()
        }
    }
}

fn main() -> ExitCode {
    run(std::env::args().skip(1), |params| {
        let runtime = runtime(params).map_err(|error| error.to_string())?;
        let params = params.clone();
        let case = runtime.spawn(async move {
            match params.get("flume") {
                Ok(1) => futures::run::<Tokio, channel::Flume>(&params).await,
                _ => futures::run::<Tokio, channel::Mpsc>(&params).await,
            }
        });
        let outcome = runtime.block_on(case).map_err(|error| error.to_string())?;
        // Parked tasks are not waited for.
        runtime.shutdown_background();
        outcome
    })
}
