//! The M:N scheduler.
mod config;
mod stub;

pub use config::{AlreadyStarted, Config};
pub use stub::*;
