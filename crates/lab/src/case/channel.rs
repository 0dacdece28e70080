//! Messages through channels: there and back, and as many as go through.
//!
//! A channel without room (`cap0`) makes each sender meet a receiver, so it measures how the two
//! hand over; one with room for 128 makes them wait now and then; the unbounded one is a queue and
//! its lock, or whatever takes its place. Receivers get messages until there is no sender left, so
//! that closing is in it, too.
//!
//! Each system brings the channels that its programs use: Lisle its own, OS threads
//! crossbeam-channel, smol async-channel. flume's are there once, on tokio: tokio's own have no
//! rendezvous and one receiver.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case = Case {
    name: "channel",
    about: "messages through channels: round trips, and one or eight senders and receivers",
    variants,
};

/// Channels by their room, and who has them.
struct Room {
    name: &'static str,
    /// None: no bound.
    capacity: Option<usize>,
    title: &'static str,
    /// With one receiver.
    one: &'static [&'static str],
    /// With several.
    several: &'static [&'static str],
    note: &'static str,
    note_several: &'static str,
}

const MEETING: &[&str] = &["lisle", "go", "flume", "threads", "lisle-run"];
const BOUNDED: &[&str] =
    &["lisle", "go", "tokio-ct", "tokio-mt", "smol", "flume", "threads", "lisle-run"];
const BOUNDED_SHARED: &[&str] = &["lisle", "go", "smol", "flume", "threads", "lisle-run"];
const UNBOUNDED: &[&str] =
    &["lisle", "may", "tokio-ct", "tokio-mt", "smol", "flume", "threads", "lisle-run"];
const UNBOUNDED_SHARED: &[&str] = &["lisle", "may", "smol", "flume", "threads", "lisle-run"];

const NO_MEETING: &str = "tokio, smol and may have no rendezvous";
const NO_BOUND: &str = "may's channels have no bound";

const ROOMS: [Room; 3] = [
    Room {
        name: "cap0",
        capacity: Some(0),
        title: "without room",
        one: MEETING,
        several: MEETING,
        note: NO_MEETING,
        note_several: NO_MEETING,
    },
    Room {
        name: "cap128",
        capacity: Some(128),
        title: "with room for 128",
        one: BOUNDED,
        several: BOUNDED_SHARED,
        note: NO_BOUND,
        note_several: "may's channels have no bound, tokio's one receiver",
    },
    Room {
        name: "unbounded",
        capacity: None,
        title: "without a bound",
        one: UNBOUNDED,
        several: UNBOUNDED_SHARED,
        note: "Go's channels have a bound",
        note_several: "Go's channels have a bound, tokio's one receiver",
    },
];

/// Senders and receivers.
const SIDES: [(usize, usize); 4] = [(1, 1), (1, 8), (8, 1), (8, 8)];

fn variants(scale: Scale) -> Vec<Variant> {
    let mut variants = Vec::new();
    for workers in scale.workers() {
        variants.push(round_trip(scale, workers, "channel-rendezvous", 0));
        variants.push(round_trip(scale, workers, "channel-buffered-1", 1));
        variants.push(round_trip(scale, workers, "channel-buffered-128", 128));
        for room in &ROOMS {
            variants.extend(SIDES.map(|sides| flow(scale, workers, room, sides)));
        }
    }
    variants
}

fn round_trip(scale: Scale, workers: usize, id: &str, capacity: usize) -> Variant {
    let title = match capacity {
        0 => "round trip over two channels without room".to_owned(),
        _ => format!("round trip over two channels with room for {capacity}"),
    };
    let (systems, note) = if capacity == 0 { (MEETING, NO_MEETING) } else { (BOUNDED, NO_BOUND) };
    let variant = Variant::inside(scale, "channel-round-trip", id, &title, workers);
    variant.with("capacity", capacity).only(systems).noting(note)
}

fn flow(scale: Scale, workers: usize, room: &Room, (from, to): (usize, usize)) -> Variant {
    let plural = |count, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (senders, receivers) = (plural(from, "sender"), plural(to, "receiver"));
    let title = format!("{senders}, {receivers}, one channel {}", room.title);
    let id = format!("channel-{from}to{to}-{}", room.name);
    let mut variant = Variant::inside(scale, "channel-flow", &id, &title, workers);
    if let Some(capacity) = room.capacity {
        variant = variant.with("capacity", capacity);
    }
    let (systems, note) =
        if to == 1 { (room.one, room.note) } else { (room.several, room.note_several) };
    variant.with("senders", from).with("receivers", to).only(systems).noting(note)
}
