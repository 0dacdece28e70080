//! A question and its answer over two unbounded channels.
//!
//! Each system brings its own channels: `std::sync::mpsc` in Lisle and on threads.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case =
    Case { name: "mpsc", about: "round trip of two tasks over two channels", variants };

fn variants(scale: Scale) -> Vec<Variant> {
    let new =
        |workers| Variant::inside(scale, "mpsc", "mpsc", "round trip over two channels", workers);
    scale.workers().into_iter().map(new).collect()
}
