//! Not hooked: becoming a process of its own.

use crate::table::Unhooked;

pub(super) const CHILDREN: &[Unhooked] = &[Unhooked {
    what: "becoming a process without a terminal",
    symbols: "daemon",
    why: "forks, and ends the parent",
    remedy: "none is needed: no coroutine survives it",
}];
