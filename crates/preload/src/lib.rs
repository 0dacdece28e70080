//! `liblisle_preload.so`: the threads of an unmodified program as coroutines.
//!
//! `lisle run` has the loader load this library before a program's own. It has the hooks, which
//! suspend coroutines instead of blocking threads, and it defines what makes threads:
//! `pthread_create` starts a coroutine. The main thread stays the OS thread that it is. What is
//! asked about threads (joining, names, attributes, ids) the hooks answer for coroutines and leave
//! to the C library for OS threads, so both kinds can be in one process: where a coroutine cannot
//! do, an OS thread is made.
//!
//! # Files
//!
//! - `start`: what is settled before the program begins; the environment.
//! - `create`: `pthread_create` and `thrd_create`.
//! - `fitness`: callers whose threads must stay OS threads.
//! - `statistics`: what `--stats` prints.
//!
//! In a program that has these functions because the crate is linked into it, as the command itself
//! is, they are the C library's.
#![cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
#![allow(clippy::missing_safety_doc, reason = "the safety of these functions is libc's")]

mod create;
mod fitness;
mod start;
mod statistics;

// Linked for its symbols.
use lisle_hook as _;

pub use start::{STAY, VARIABLE};
