//! One receiver that waits for messages of several channels at once, each with a sender of its own.
//!
//! There is room for one message in each: so the receiver waits often, and has to be put into and
//! taken out of the queues of all. Each system has its own way: `select!` of Lisle, crossbeam and
//! tokio (for flume, too), Go's `select`, a race of futures on smol.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case = Case {
    name: "select",
    about: "one receiver waits for messages of 2 and of 10 channels at once",
    variants,
};

const SYSTEMS: &[&str] =
    &["lisle", "go", "tokio-ct", "tokio-mt", "smol", "flume", "threads", "lisle-run"];

fn variants(scale: Scale) -> Vec<Variant> {
    let mut variants = Vec::new();
    for workers in scale.workers() {
        for channels in [2, 10] {
            let title = format!("one receiver, {channels} channels with room for 1, a sender each");
            let id = format!("select-{channels}");
            let variant = Variant::inside(scale, "channel-select", &id, &title, workers)
                .with("channels", channels)
                .with("capacity", 1);
            let note = "may's select! loses what the arms that are not taken have received";
            variants.push(variant.only(SYSTEMS).noting(note));
        }
    }
    variants
}
