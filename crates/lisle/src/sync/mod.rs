//! What std's `sync` lacks: [`Semaphore`], [`WaitGroup`], [`Event`].
//!
//! Locks, conditions, barriers, once-cells and channels of std suspend coroutines as they are, so
//! there are none of them here. These three are for coroutines and OS threads alike, in any
//! mixture. Their waits end when the caller is to stop (see [`deadline`](crate::deadline())), which
//! those of std's, whose signatures have no room for it, do not.
//!
//! An exchanger, which other collections of this kind have, is left out: two channels do what it
//! does, and say who gets what.

mod event;
mod gate;
mod line;
mod semaphore;
mod wait_group;

pub(crate) use line::{Line, Outcome, stand};

pub use event::Event;
pub use semaphore::{Permit, Semaphore};
pub use wait_group::{WaitGroup, WaitGuard};
