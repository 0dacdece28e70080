//! The cases on smol: one executor that `workers` threads run, the main thread among them.

mod channel;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lisle_lab_harness::futures::{self, ECHO_BUFFER};
use lisle_lab_harness::{Outcome, lengthen_queue, report_port, run};
use smol::Executor;
use smol::future;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::Mutex;
use smol::net::{TcpListener, TcpStream};

static EXECUTOR: Executor<'static> = Executor::new();

struct Smol;

impl futures::Executor for Smol {
    type Join = smol::Task<()>;
    type Counter = Mutex<u64>;
    type Group = Vec<smol::Task<()>>;

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> smol::Task<()> {
        EXECUTOR.spawn(future)
    }

    fn detach(task: smol::Task<()>) {
        task.detach();
    }

    async fn yield_now() {
        future::yield_now().await;
    }

    async fn sleep(duration: Duration) {
        smol::Timer::after(duration).await;
    }

    async fn unblock<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
        smol::unblock(f).await
    }

    fn counter() -> Mutex<u64> {
        Mutex::new(0)
    }

    async fn add_one(counter: &Mutex<u64>) {
        *counter.lock().await += 1;
    }

    fn group(futures: Vec<impl Future<Output = ()> + Send + 'static>) -> Self::Group {
        futures.into_iter().map(Self::spawn).collect()
    }

    async fn cancel(group: Self::Group) {
        let mut all: Vec<_> = group.into_iter().map(|task| Box::pin(task.cancel())).collect();
        // A task is told when it is asked for its end, so all are asked once before any is awaited.
        let mut left = Vec::with_capacity(all.len());
        for mut cancelling in all.drain(..) {
            if future::poll_once(&mut cancelling).await.is_none() {
                left.push(cancelling);
            }
        }
        for cancelling in left {
            cancelling.await;
        }
    }

    async fn echo() -> Outcome<()> {
        serve().await.map_err(|error| error.to_string())
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
        EXECUTOR.spawn(async { drop(echo(stream).await) }).detach();
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

fn main() -> ExitCode {
    run(std::env::args().skip(1), |params| {
        for _ in 1..params.get("workers")? {
            thread::spawn(|| smol::block_on(EXECUTOR.run(future::pending::<()>())));
        }
        let params = Arc::new(params.clone());
        let case =
            EXECUTOR.spawn(async move { futures::run::<Smol, channel::Async>(&params).await });
        smol::block_on(EXECUTOR.run(case))
    })
}
