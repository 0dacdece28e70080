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
mod frames;
mod thread_block;

pub use arch::{
    Context, Interrupted, call_on, call_with_block, fs_base, gs_base, is_own_text, prefetch,
    prepare as prepare_to_divert, set_gs_base, switch,
};
pub use fault::{OverflowReport, watch_for_overflow};
pub use frames::{Walk, walk};
pub use thread_block::{
    Blocks, Landing, ThreadBlock, Unsupported, block_with_id, give_back_id, id_of, is_block,
    take_id, thread_id,
};
