//! One architecture a file; each provides the same items.
//!
//! - `Context`: where a stack was left: its stack pointer and its FS base.
//! - `Context::new`: a stack that will call a function when it is first switched to.
//! - `switch`: leave one context for another.
//! - `fs_base`, `gs_base`, `set_gs_base`: the registers.

mod x86_64;

pub use x86_64::{Context, fs_base, gs_base, set_gs_base, switch};
