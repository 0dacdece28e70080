//! Messages through the channels that a system's programs use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::switch::race;
use super::{Executor, target};
use crate::channels::{Part, capacity, check, parts};
use crate::clock::{Count, Pace};
use crate::{Outcome, Params, report_ns};

/// The channels of a system.
pub trait Channels: 'static {
    /// A sending half.
    type Sender: Clone + Send + Sync + 'static;
    /// A receiving half.
    type Receiver: Send + 'static;

    /// A channel with room for so many messages; none: without a bound.
    ///
    /// # Errors
    /// If the system has no such channel.
    fn channel(capacity: Option<usize>) -> Outcome<(Self::Sender, Self::Receiver)>;

    /// Another receiving half of the same channel.
    ///
    /// # Errors
    /// If a channel has one receiver.
    fn share(receiver: &Self::Receiver) -> Outcome<Self::Receiver>;

    /// Waits until there is room and sends. That all receivers are gone is no matter.
    fn send(sender: &Self::Sender, value: u64) -> impl Future<Output = ()> + Send;

    /// Waits for a message; none when all senders are gone.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;

    /// Waits for a message of any of these, 2 or 10; none if a channel was closed.
    fn select(receivers: &mut [Self::Receiver]) -> impl Future<Output = Option<u64>> + Send;
}

/// Two tasks and two channels: wall time until an answer has come back.
pub(super) async fn round_trip<E: Executor, C: Channels>(params: &Params) -> Outcome<()> {
    let (ask, mut asked) = C::channel(capacity(params))?;
    let (answer, mut answered) = C::channel(capacity(params))?;
    let server = E::spawn(async move {
        while let Some(value) = C::receive(&mut asked).await {
            C::send(&answer, value + 1).await;
        }
    });
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for value in 0..count {
            C::send(&ask, value).await;
            if C::receive(&mut answered).await != Some(value + 1) {
                return Err(format!("wrong answer to {value}"));
            }
        }
        pace.took_since(start);
    }
    drop(ask);
    server.await;
    report_ns("round_trip", pace.ns_per(1));
    Ok(())
}

/// Senders and receivers of one channel: wall time per message.
pub(super) async fn flow<E: Executor, C: Channels>(params: &Params) -> Outcome<()> {
    let senders = params.get("senders")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let (sender, receiver) = C::channel(capacity(params))?;
        let received = Arc::new(AtomicU64::new(0));
        let parts = parts(params, sender, receiver, C::share)?;
        let (tasks, mut parts) = (parts.len(), parts.into_iter());
        let race = race::<E, _>(tasks, |_, _| {
            let part = parts.next().expect("there is one for each task");
            let received = Arc::clone(&received);
            async move {
                match part {
                    Part::Sends(sender) => send_all::<C>(sender, count).await,
                    Part::Receives(mut receiver) => {
                        let mut own = 0;
                        while C::receive(&mut receiver).await.is_some() {
                            own += 1;
                        }
                        received.fetch_add(own, Ordering::Relaxed);
                    }
                }
            }
        });
        pace.took(race.await);
        check(received.load(Ordering::Relaxed), count * senders as Count)?;
    }
    report_ns("message", pace.ns_per(senders));
    Ok(())
}

/// One receiver for several channels, a sender for each: wall time per message.
pub(super) async fn select<E: Executor, C: Channels>(params: &Params) -> Outcome<()> {
    let channels = params.get("channels")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let pairs = (0..channels).map(|_| C::channel(capacity(params)));
        let (senders, receivers): (Vec<_>, Vec<_>) =
            pairs.collect::<Outcome<Vec<_>>>()?.into_iter().unzip();
        // Who has sent all would close its channel, and that one be ready from then on.
        let kept = senders.clone();
        let mut parts: Vec<_> = senders.into_iter().map(Part::Sends).collect();
        parts.push(Part::Receives(receivers));
        let received = Arc::new(AtomicU64::new(0));
        let total = count * channels as Count;
        let (tasks, mut parts) = (parts.len(), parts.into_iter());
        let race = race::<E, _>(tasks, |_, _| {
            let part = parts.next().expect("there is one for each task");
            let received = Arc::clone(&received);
            async move {
                match part {
                    Part::Sends(sender) => send_all::<C>(sender, count).await,
                    Part::Receives(mut receivers) => {
                        let mut own = 0;
                        while own < total && C::select(&mut receivers).await.is_some() {
                            own += 1;
                        }
                        received.store(own, Ordering::Relaxed);
                    }
                }
            }
        });
        pace.took(race.await);
        drop(kept);
        check(received.load(Ordering::Relaxed), total)?;
    }
    report_ns("message", pace.ns_per(channels));
    Ok(())
}

async fn send_all<C: Channels>(sender: C::Sender, count: Count) {
    for value in 0..count {
        C::send(&sender, value).await;
    }
}
