//! may's channels for several receivers, which have no bound.
//!
//! Its `select!` starts a coroutine for each arm and drops what those have received whose arm is
//! not taken, so it cannot be compared.

use lisle_lab_harness::Outcome;
use lisle_lab_harness::blocking::Channels;
use may::sync::mpmc::{self, Receiver, Sender};

pub(crate) struct Mpmc;

impl Channels for Mpmc {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    fn channel(capacity: Option<usize>) -> Outcome<(Sender<u64>, Receiver<u64>)> {
        match capacity {
            None => Ok(mpmc::channel()),
            Some(_) => Err("may's channels have no bound".to_owned()),
        }
    }

    fn share(receiver: &Receiver<u64>) -> Outcome<Receiver<u64>> {
        Ok(receiver.clone())
    }

    fn send(sender: &Sender<u64>, value: u64) {
        // A receiver that is gone is noticed by the messages that are missing.
        let _ = sender.send(value);
    }

    fn receive(receiver: &Receiver<u64>) -> Option<u64> {
        receiver.recv().ok()
    }
}
