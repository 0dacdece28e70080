//! crossbeam's channels.

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use lisle_lab_harness::Outcome;
use lisle_lab_harness::blocking::Channels;

pub(crate) struct Crossbeam;

impl Channels for Crossbeam {
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

    fn select(receivers: &[Receiver<u64>]) -> Option<u64> {
        match receivers {
            [a, b] => select! {
                recv(a) -> value => value.ok(),
                recv(b) -> value => value.ok(),
            },
            [a, b, c, d, e, f, g, h, i, j] => select! {
                recv(a) -> value => value.ok(),
                recv(b) -> value => value.ok(),
                recv(c) -> value => value.ok(),
                recv(d) -> value => value.ok(),
                recv(e) -> value => value.ok(),
                recv(f) -> value => value.ok(),
                recv(g) -> value => value.ok(),
                recv(h) -> value => value.ok(),
                recv(i) -> value => value.ok(),
                recv(j) -> value => value.ok(),
            },
            _ => None,
        }
    }
}
