//! What can wait and is not hooked, in groups.
//!
//! A symbol that gets a hook is taken out here and put into the table of hooks; so are the symbols
//! that belong to it but do not wait (what unlocks, what posts), which is why they stand here too.

mod children;
mod descriptors;
mod files;
mod locks;
mod names;
mod rpc;
mod streams;

use super::Unhooked;

/// See [`UNHOOKED`](super::UNHOOKED).
pub(super) const ALL: &[&[Unhooked]] = &[
    locks::LOCKS,
    streams::STREAMS,
    children::CHILDREN,
    descriptors::DESCRIPTORS,
    files::FILES,
    names::NAMES,
    rpc::RPC,
];
