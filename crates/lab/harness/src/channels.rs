//! What the two kinds of systems share when tasks send each other messages.

use crate::clock::Count;
use crate::{Outcome, Params};

/// The room of the channels that a case asks for; none if they are to have no bound.
pub(crate) fn capacity(params: &Params) -> Option<usize> {
    params.get("capacity").ok()
}

/// What one task does: it has one end of a channel, or several.
pub(crate) enum Part<S, R> {
    Sends(S),
    Receives(R),
}

/// The parts of a flow through one channel. The last of each kind gets what all others copy, so
/// that the channel is closed once all senders have ended.
pub(crate) fn parts<S: Clone, R>(
    params: &Params,
    sender: S,
    receiver: R,
    share: impl Fn(&R) -> Outcome<R>,
) -> Outcome<Vec<Part<S, R>>> {
    let copies = |name: &str| Ok::<_, String>(params.get(name)?.saturating_sub(1));
    let mut parts = Vec::new();
    for _ in 0..copies("receivers")? {
        parts.push(Part::Receives(share(&receiver)?));
    }
    parts.push(Part::Receives(receiver));
    parts.extend((0..copies("senders")?).map(|_| Part::Sends(sender.clone())));
    parts.push(Part::Sends(sender));
    Ok(parts)
}

/// Whether as many messages have come as were sent.
pub(crate) fn check(received: Count, sent: Count) -> Outcome<()> {
    match received == sent {
        true => Ok(()),
        false => Err(format!("{received} messages came of {sent}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_many_as_were_asked_for() {
        let words = ["channel-flow", "senders=3", "receivers=2"].map(str::to_owned);
        let params = Params::parse(words).unwrap();
        let parts = parts(&params, 's', 'r', |receiver| Ok(*receiver)).unwrap();
        let senders = parts.iter().filter(|part| matches!(part, Part::Sends(_))).count();
        assert_eq!((senders, parts.len()), (3, 5));
    }

    #[test]
    fn lost_messages_are_an_error() {
        assert_eq!(check(5, 5), Ok(()));
        assert!(check(4, 5).is_err());
    }
}
