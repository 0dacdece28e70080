//! Choosing: of several sends, receives and other waits, one that is ready.
//!
//! [`select!`](crate::select!) chooses among arms that are written down, [`Select`] among any
//! number. Both choose at random, with equal chances, among the arms that are ready, and wait if
//! none is; what was not chosen has not happened.
//!
//! An arm is registered with what it waits for, in a record on the caller's stack; whoever ends the
//! wait claims it for one arm, and hands over what is to be handed over. See `run` for how, and
//! `crate::waiters` for why that is safe.
//!
//! # What is different from crossbeam-channel
//!
//! - The value of a send is evaluated before the choice, as in Go, and dropped if another arm is
//!   chosen. So it can be handed to a receiver that comes, and no receiver ever waits for a sender
//!   to say what it sends.
//! - For a stop (a deadline or cancellation of what the caller belongs to) an arm is chosen at
//!   random whose error says so, unless there is an arm for it.
//!
//! Rejected: a choice that only says what is ready, with the operation done afterwards. Others may
//! come first, so that it would have to be repeated, and two choices could never meet in a
//! rendezvous.

mod arm;
#[cfg_attr(not(unix), path = "no_descriptor.rs")]
mod descriptor;
mod dynamic;
mod ending;
mod macros;
mod run;

pub use arm::Join;
pub use dynamic::{Select, SelectTimeoutError, SelectedOperation, TrySelectError};
pub(crate) use ending::Ended;

/// For the macro alone.
#[doc(hidden)]
pub mod hidden {
    pub use super::arm::{CancelledArm, JoinArm, RecvArm, SendArm};
    #[cfg(unix)]
    pub use super::descriptor::DescriptorArm;
    pub use super::run::{Case, Chosen, Patience, choose};
}
