//! The only crate with assembly, and the only one that knows how the C library lays out a thread.
//!
//! Two things make a coroutine a thread to everything in user space, and both live here:
//!
//! - [`switch`] leaves one stack for another and moves the FS base with it, in one block of
//!   assembly, so that *the FS base is a function of the stack*. Compilers may then cache the
//!   address of a thread-local for as long as a function runs, on whatever OS thread it goes on.
//! - [`ThreadBlock`] is what FS points to: the C library's thread control block and the static
//!   thread-locals of every loaded object, made with the library's own allocator.
//!
//! The crate knows nothing of tasks, schedulers or memory: stacks are handed in.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod arch;
mod fault;
mod thread_block;

pub use arch::{Context, call_with_block, fs_base, gs_base, prefetch, set_gs_base, switch};
pub use fault::{OverflowReport, watch_for_overflow};
pub use thread_block::{Blocks, Landing, ThreadBlock, Unsupported, is_block, thread_id};
