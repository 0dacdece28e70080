//! One architecture a file; each provides the same items.
//!
//! - `Context`: where a stack was left: its stack pointer and its FS base.
//! - `Context::prepare`: the stack is to call a function when it is next switched to.
//! - `switch`: leave one context for another.
//! - `call_on`: call a function on another stack, and come back.
//! - `call_with_block`: a call with another FS base.
//! - `fs_base`, `gs_base`, `set_gs_base`: the registers.
//! - `Interrupted`, `prepare`: what a signal interrupted, and having it call a function.

mod interrupt;
mod x86_64;

pub use interrupt::{Interrupted, is_own_text, prepare};
pub(crate) use x86_64::is_first;
pub use x86_64::{
    Context, call_on, call_with_block, fs_base, gs_base, prefetch, set_gs_base, switch,
};
