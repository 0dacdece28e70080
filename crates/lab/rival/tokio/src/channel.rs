//! tokio's channels, which have one receiver and no rendezvous, and flume's, which have both.

use lisle_lab_harness::Outcome;
use lisle_lab_harness::futures::Channels;
use tokio::sync::mpsc;

pub(crate) struct Mpsc;

/// tokio has a type for each kind. Which it is costs a branch, as it does inside of other channels.
#[derive(Clone)]
pub(crate) enum Sender {
    Bounded(mpsc::Sender<u64>),
    Unbounded(mpsc::UnboundedSender<u64>),
}

pub(crate) enum Receiver {
    Bounded(mpsc::Receiver<u64>),
    Unbounded(mpsc::UnboundedReceiver<u64>),
}

/// Waits for a message of any of 2 or 10 receivers; `$receive` waits for one.
macro_rules! select_of {
    ($receivers:expr, $receive:path) => {
        match $receivers {
            [a, b] => tokio::select! {
                value = $receive(a) => value,
                value = $receive(b) => value,
            },
            [a, b, c, d, e, f, g, h, i, j] => tokio::select! {
                value = $receive(a) => value,
                value = $receive(b) => value,
                value = $receive(c) => value,
                value = $receive(d) => value,
                value = $receive(e) => value,
                value = $receive(f) => value,
                value = $receive(g) => value,
                value = $receive(h) => value,
                value = $receive(i) => value,
                value = $receive(j) => value,
            },
            _ => None,
        }
    };
}

impl Channels for Mpsc {
    type Sender = Sender;
    type Receiver = Receiver;

    fn channel(capacity: Option<usize>) -> Outcome<(Sender, Receiver)> {
        match capacity {
            None => {
                let (sender, receiver) = mpsc::unbounded_channel();
                Ok((Sender::Unbounded(sender), Receiver::Unbounded(receiver)))
            }
            Some(0) => Err("tokio has no rendezvous".to_owned()),
            Some(capacity) => {
                let (sender, receiver) = mpsc::channel(capacity);
                Ok((Sender::Bounded(sender), Receiver::Bounded(receiver)))
            }
        }
    }

    fn share(_receiver: &Receiver) -> Outcome<Receiver> {
        Err("tokio's channels have one receiver".to_owned())
    }

    async fn send(sender: &Sender, value: u64) {
        // A receiver that is gone is noticed by the messages that are missing.
        match sender {
            Sender::Bounded(sender) => drop(sender.send(value).await),
            Sender::Unbounded(sender) => drop(sender.send(value)),
        }
    }

    async fn receive(receiver: &mut Receiver) -> Option<u64> {
        match receiver {
            Receiver::Bounded(receiver) => receiver.recv().await,
            Receiver::Unbounded(receiver) => receiver.recv().await,
        }
    }

    async fn select(receivers: &mut [Receiver]) -> Option<u64> {
        select_of!(receivers, Self::receive)
    }
}

pub(crate) struct Flume;

impl Channels for Flume {
    type Sender = flume::Sender<u64>;
    type Receiver = flume::Receiver<u64>;

    fn channel(capacity: Option<usize>) -> Outcome<(Self::Sender, Self::Receiver)> {
        Ok(capacity.map_or_else(flume::unbounded, flume::bounded))
    }

    fn share(receiver: &Self::Receiver) -> Outcome<Self::Receiver> {
        Ok(receiver.clone())
    }

    async fn send(sender: &Self::Sender, value: u64) {
        // A receiver that is gone is noticed by the messages that are missing.
        let _ = sender.send_async(value).await;
    }

    async fn receive(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.recv_async().await.ok()
    }

    async fn select(receivers: &mut [Self::Receiver]) -> Option<u64> {
        select_of!(receivers, Self::receive)
    }
}
