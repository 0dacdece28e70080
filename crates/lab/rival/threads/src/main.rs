//! The cases on OS threads: what ordinary std code does without a runtime.
//!
//! "Workers" are the CPUs that the parent has bound this process to.

mod channel;

use std::convert::Infallible;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use lisle_lab_harness::blocking::{self, Blocking};
use lisle_lab_harness::{Outcome, lengthen_queue, run};

struct Threads;

impl Blocking for Threads {
    type Join = JoinHandle<()>;
    type Task = Thread;
    type Counter = Mutex<u64>;
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Group = Infallible;

    /// Below the usual `pid_max` of 32768, so that the machine stays usable.
    fn most_tasks() -> usize {
        20_000
    }

    fn start(_workers: usize) -> Outcome<()> {
        Ok(())
    }

    fn spawn(f: impl FnOnce() + Send + 'static) -> io::Result<Self::Join> {
        thread::Builder::new().spawn(f)
    }

    fn join(task: Self::Join) {
        task.join().expect("no task panics");
    }

    fn yield_now() {
        thread::yield_now();
    }

    fn current() -> Thread {
        thread::current()
    }

    fn park() {
        thread::park();
    }

    fn unpark(task: &Thread) {
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
        thread::scope(|scope| {
            for _ in 0..tasks {
                scope.spawn(|| {});
            }
        });
    }

    fn group<F: FnOnce() + Send + 'static>(
        _bodies: impl Iterator<Item = F>,
    ) -> Outcome<Self::Group> {
        Err("an OS thread cannot be told to stop".to_owned())
    }

    fn cancel(group: Infallible) {
        match group {}
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
    run(std::env::args().skip(1), blocking::run::<Threads, channel::Crossbeam>)
}
