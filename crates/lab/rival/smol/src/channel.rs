//! async-channel's channels. Waiting for several is a race of what waits for each.

use async_channel::{Receiver, Recv, Sender};
use lisle_lab_harness::Outcome;
use lisle_lab_harness::futures::Channels;
use smol::future::{FutureExt, Race};

pub(crate) struct Async;

impl Channels for Async {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    fn channel(capacity: Option<usize>) -> Outcome<(Sender<u64>, Receiver<u64>)> {
        match capacity {
            None => Ok(async_channel::unbounded()),
            Some(0) => Err("async-channel has no rendezvous".to_owned()),
            Some(capacity) => Ok(async_channel::bounded(capacity)),
        }
    }

    fn share(receiver: &Receiver<u64>) -> Outcome<Receiver<u64>> {
        Ok(receiver.clone())
    }

    async fn send(sender: &Sender<u64>, value: u64) {
        // A receiver that is gone is noticed by the messages that are missing.
        let _ = sender.send(value).await;
    }

    async fn receive(receiver: &mut Receiver<u64>) -> Option<u64> {
        receiver.recv().await.ok()
    }

    async fn select(receivers: &mut [Receiver<u64>]) -> Option<u64> {
        match receivers {
            [a, b] => race(a, b).await.ok(),
            // Halves, so that none is asked much more often than another.
            [a, b, c, d, e, f, g, h, i, j] => {
                let (left, right) = (race(a, b).race(race(c, d)), race(f, g).race(race(h, i)));
                left.race(e.recv()).race(right.race(j.recv())).await.ok()
            }
            _ => None,
        }
    }
}

fn race<'a>(a: &'a Receiver<u64>, b: &'a Receiver<u64>) -> Race<Recv<'a, u64>, Recv<'a, u64>> {
    a.recv().race(b.recv())
}
