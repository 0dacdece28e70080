//! Messages through the channels that a system's programs use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::switch::race_of;
use super::{Blocking, target};
use crate::channels::{Part, capacity, check, parts};
use crate::clock::{Count, Pace};
use crate::{Outcome, Params, report_ns};

/// The channels of a system.
pub trait Channels: 'static {
    /// A sending half.
    type Sender: Clone + Send + 'static;
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
    fn send(sender: &Self::Sender, value: u64);

    /// Waits for a message; none when all senders are gone.
    fn receive(receiver: &Self::Receiver) -> Option<u64>;

    /// Waits for a message of any of these, 2 or 10; none if a channel was closed, or if the
    /// system has no way to wait for so many at once.
    fn select(_receivers: &[Self::Receiver]) -> Option<u64> {
        None
    }
}

/// Two tasks and two channels: wall time until an answer has come back.
pub(super) fn round_trip<S: Blocking, C: Channels>(params: &Params) -> Outcome<()> {
    let channel = || C::channel(capacity(params));
    ask_and_answer::<S, _, _>(params, [channel()?, channel()?], C::send, C::receive)
}

/// The same over these channels.
pub(super) fn ask_and_answer<S: Blocking, T: Send + 'static, R: Send + 'static>(
    params: &Params,
    [(ask, asked), (answer, answered)]: [(T, R); 2],
    send: impl Fn(&T, u64) + Copy + Send + 'static,
    receive: impl Fn(&R) -> Option<u64> + Copy + Send + 'static,
) -> Outcome<()> {
    let server = S::spawn(move || {
        while let Some(value) = receive(&asked) {
            send(&answer, value + 1);
        }
    })
    .map_err(|error| error.to_string())?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let start = Instant::now();
        for value in 0..count {
            send(&ask, value);
            if receive(&answered) != Some(value + 1) {
                return Err(format!("wrong answer to {value}"));
            }
        }
        pace.took_since(start);
    }
    drop(ask);
    S::join(server);
    report_ns("round_trip", pace.ns_per(1));
    Ok(())
}

/// Senders and receivers of one channel: wall time per message.
pub(super) fn flow<S: Blocking, C: Channels>(params: &Params) -> Outcome<()> {
    let senders = params.get("senders")?;
    let mut pace = Pace::new(target(params)?);
    while let Some(count) = pace.next() {
        let (sender, receiver) = C::channel(capacity(params))?;
        let received = Arc::new(AtomicU64::new(0));
        let parts = parts(params, sender, receiver, C::share)?;
        let tasks = parts.into_iter().map(|part| {
            let received = Arc::clone(&received);
            move || match part {
                Part::Sends(sender) => send_all::<C>(&sender, count),
                Part::Receives(receiver) => {
                    let mut own = 0;
                    while C::receive(&receiver).is_some() {
                        own += 1;
                    }
                    received.fetch_add(own, Ordering::Relaxed);
                }
            }
        });
        pace.took(race_of::<S, _>(tasks.collect())?);
        check(received.load(Ordering::Relaxed), count * senders as Count)?;
    }
    report_ns("message", pace.ns_per(senders));
    Ok(())
}

/// One receiver for several channels, a sender for each: wall time per message.
pub(super) fn select<S: Blocking, C: Channels>(params: &Params) -> Outcome<()> {
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
        let tasks = parts.into_iter().map(|part| {
            let received = Arc::clone(&received);
            move || match part {
                Part::Sends(sender) => send_all::<C>(&sender, count),
                Part::Receives(receivers) => {
                    let own = (0..total).take_while(|_| C::select(&receivers).is_some()).count();
                    received.store(own as Count, Ordering::Relaxed);
                }
            }
        });
        pace.took(race_of::<S, _>(tasks.collect())?);
        drop(kept);
        check(received.load(Ordering::Relaxed), total)?;
    }
    report_ns("message", pace.ns_per(channels));
    Ok(())
}

fn send_all<C: Channels>(sender: &C::Sender, count: Count) {
    for value in 0..count {
        C::send(sender, value);
    }
}
