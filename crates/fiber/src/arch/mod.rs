//! One architecture a file; each provides the same items.
//!
//! - `Context`: where a stack was left: its stack pointer and its FS base.
//! - `Context::prepare`: the stack is to call a function when it is next switched to.
//! - `switch`: leave one context for another.
//! - `call_with_block`: a call with another FS base.
//! - `fs_base`, `gs_base`, `set_gs_base`: the registers.

mod x86_64;

pub use x86_64::{Context, call_with_block, fs_base, gs_base, prefetch, set_gs_base, switch};
