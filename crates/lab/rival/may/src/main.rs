//! The cases on may: stackful coroutines, stacks of its default size.

mod channel;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use lisle_lab_harness::blocking::{self, Blocking};
use lisle_lab_harness::{Outcome, lengthen_queue, run};
use may::coroutine::{self, Builder, Coroutine, JoinHandle};
use may::net::{TcpListener, TcpStream};
use may::sync::Mutex;
use may::sync::mpsc::{self, Receiver, Sender};

struct May;

impl Blocking for May {
    type Join = JoinHandle<()>;
    type Task = Coroutine;
    type Counter = Mutex<u64>;
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Group = Vec<JoinHandle<()>>;

    fn start(workers: usize) -> Outcome<()> {
        // The parent binds the process to CPUs; may would bind its workers to others.
        may::config().set_workers(workers).set_worker_pin(false);
        Ok(())
    }

    fn spawn(f: impl FnOnce() + Send + 'static) -> io::Result<Self::Join> {
        // SAFETY: the cases use no thread-locals across a suspension and little stack.
        unsafe { Builder::new().spawn(f) }
    }

    fn join(task: Self::Join) {
        task.join().expect("no task panics");
    }

    fn yield_now() {
        coroutine::yield_now();
    }

    fn current() -> Coroutine {
        coroutine::current()
    }

    fn park() {
        coroutine::park();
    }

    fn unpark(task: &Coroutine) {
        task.unpark();
    }

    fn sleep(duration: Duration) {
        coroutine::sleep(duration);
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
        coroutine::scope(|scope| {
            for _ in 0..tasks {
                // SAFETY: they use no thread-locals and little stack.
                unsafe { scope.spawn(|| {}) };
            }
        });
    }

    fn group<F: FnOnce() + Send + 'static>(
        bodies: impl Iterator<Item = F>,
    ) -> Outcome<Self::Group> {
        let tasks = bodies.map(Self::spawn).collect::<io::Result<_>>();
        tasks.map_err(|error| error.to_string())
    }

    fn cancel(group: Self::Group) {
        for task in &group {
            // SAFETY: what they hold, a receiver and a count of arrivals, may be dropped anywhere.
            unsafe { task.coroutine().cancel() };
        }
        for task in group {
            task.join().expect_err("who was told to stop has not ended by itself");
        }
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

fn main() -> ExitCode {
    run(std::env::args().skip(1), blocking::run::<May, channel::Mpmc>)
}
