//! The words, queues and heaps a coroutine scheduler is made of, as pure state machines.
//!
//! Nothing in this crate enters the kernel, starts a thread or switches a stack. Each file holds
//! one structure whose behaviour is decided by the order of its memory accesses alone, so each can
//! be checked alone: the lock-free ones under loom (`tests/loom_*.rs`), the sequential ones against
//! a simple model (`tests/*.rs`).
//!
//! ```text
//!   what a worker runs        ring (its own, others steal)   inject (everybody's)   list (a batch)
//!   who may steal from it     solo
//!   who may sleep             idle
//!   who ends a wait           wait                           completion (of a request)
//!   when a wait ends          timers (in memory of their user's: array)
//!   what holds them together  spin, pad, primitive (std or loom)
//!   what was measured         histogram
//! ```
//!
//! # Layers
//!
//! A file imports only from files further left: `primitive` ← `pad`, `spin`, `wait` ← `list`,
//! `ring`, `solo`, `idle`, `completion` ← `inject`; `array` ← `timers`; `histogram` imports
//! nothing.

mod array;
mod completion;
mod histogram;
mod idle;
mod inject;
mod list;
mod pad;
mod primitive;
mod ring;
mod solo;
mod spin;
mod timers;
mod wait;

pub use array::{Global, Memory};
pub use completion::Completion;
pub use histogram::{Bucket, Histogram, ParseHistogramError};
pub use idle::{Idle, MAX_WORKERS};
pub use inject::Injector;
pub use list::{Linked, List};
pub use primitive::AtomicPtr;
pub use ring::{CAPACITY, Ring};
pub use solo::Solo;
pub use spin::{RawSpin, SpinGuard, SpinLock};
pub use timers::{TimerKey, Timers};
pub use wait::{Cause, Ticket, WaitWord, Woken};
