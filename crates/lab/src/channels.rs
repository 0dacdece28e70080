//! Lisle's channels, for its harness program.

use lisle::channel::{Receiver, Sender, bounded, unbounded};
use lisle_lab_harness::Outcome;
use lisle_lab_harness::blocking::Channels;

/// `lisle::channel`.
pub(crate) struct Own;

impl Channels for Own {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    fn channel(capacity: Option<usize>) -> Outcome<(Sender<u64>, Receiver<u64>)> {
        Ok(capacity.map_or_else(unbounded, bounded))
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
