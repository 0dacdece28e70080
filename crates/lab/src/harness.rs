//! Lisle's own harness program: `lab harness CASE name=value...`.
//!
//! Tasks are coroutines; locks, channels and sockets are those of std.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use lisle::runtime::{self, Mode};
use lisle::{CancelToken, Coroutine, JoinHandle};
use lisle_lab_harness::blocking::{self, Blocking};
use lisle_lab_harness::{Outcome, lengthen_queue, run as run_harness};

use crate::channels;

struct Lisle;

impl Blocking for Lisle {
    type Join = JoinHandle<()>;
    type Task = Coroutine;
    type Counter = Mutex<u64>;
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Group = (CancelToken, Vec<JoinHandle<()>>);

    /// In 1:1 mode below the usual `pid_max` of 32768, so that the machine stays usable.
    fn most_tasks() -> usize {
        match runtime::mode() {
            Mode::Threads => 20_000,
            _ => usize::MAX,
        }
    }

    fn start(workers: usize) -> Outcome<()> {
        let builder = runtime::Builder::new().workers(workers);
        builder.install().map_err(|error| error.to_string())
    }

    fn spawn(f: impl FnOnce() + Send + 'static) -> io::Result<Self::Join> {
        lisle::Builder::new().spawn(f)
    }

    fn join(task: Self::Join) {
        task.join().expect("no task panics");
    }

    fn yield_now() {
        lisle::yield_now();
    }

    fn current() -> Coroutine {
        lisle::current()
    }

    fn park() {
        lisle::park();
    }

    fn unpark(task: &Coroutine) {
        task.unpark();
    }

    fn sleep(duration: Duration) {
        thread::sleep(duration);
    }

    fn counter() -> Mutex<u64> {
        Mutex::new(0)
    }

    fn add_one(counter: &Mutex<u64>) {
        *counter.lock().expect("no task panics") += 1;
    }

    fn channel() -> (Sender<u64>, Receiver<u64>) {
        mpsc::channel()
    }

    fn send(sender: &Sender<u64>, value: u64) {
        // A receiver that is gone is noticed by the answer that never comes.
        let _ = sender.send(value);
    }

    fn receive(receiver: &Receiver<u64>) -> Option<u64> {
        receiver.recv().ok()
    }

    fn scope(tasks: usize) {
        lisle::scope(|scope| {
            for _ in 0..tasks {
                scope.spawn(|| {});
            }
        });
    }

    fn group<F: FnOnce() + Send + 'static>(
        bodies: impl Iterator<Item = F>,
    ) -> Outcome<Self::Group> {
        let token = CancelToken::new();
        let spawn = |body: F| {
            let token = token.clone();
            Self::spawn(move || token.run(body))
        };
        let tasks = bodies.map(spawn).collect::<io::Result<_>>();
        Ok((token, tasks.map_err(|error| error.to_string())?))
    }

    fn cancel((token, tasks): Self::Group) {
        token.cancel();
        tasks.into_iter().for_each(Self::join);
    }

    fn listen() -> io::Result<(TcpListener, u16)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        lengthen_queue(&listener)?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    }

    fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Runs the case that `args` name. The case `mode` tells how coroutines are run here.
pub(crate) fn run(args: impl Iterator<Item = String>) -> ExitCode {
    run_harness(args, |params| match params.case() {
        "mode" => {
            println!("{:?}", runtime::mode());
            Ok(())
        }
        _ => blocking::run::<Lisle, channels::Own>(params),
    })
}
