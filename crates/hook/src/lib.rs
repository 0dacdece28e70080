//! The libc entry points that suspend the coroutine instead of blocking the thread.
//!
//! A program that links this crate gets these symbols instead of the C library's, in all of its
//! objects: the executable's definitions come first. On a coroutine that can be suspended a call
//! suspends it; anywhere else (OS threads, coroutines pinned to one, before the runtime starts, in
//! the child of a fork) it is the C library's own.
//!
//! The rule is that nobody can tell the difference: result, `errno`, side effects.
//!
//! # How
//!
//! [`table`] says for every symbol how it waits, and what is known to differ; it also lists what
//! can wait and is not hooked. `lisle hooks` prints it. In short: what can be tried without
//! blocking is tried, then done by io_uring or waited for; what is nearly always quick runs in
//! place while it is; the rest hops, that is, blocks a spare carrier. Some calls are hooked only to
//! take note of what they do to a descriptor. C's locks are waited for in the runtime's lot; calls
//! on C's streams are judged beforehand, and hop if they may wait.
//!
//! Every name by which programs reach a call is hooked: forms with `64`, what C calls when it is
//! compiled with `_FORTIFY_SOURCE`, what the C library exports for its relatives and for old
//! programs, and numbers of `syscall`.
//!
//! # Signatures
//!
//! The ABI is `C-unwind`, because OS threads that are cancelled, or leave by `pthread_exit` in a
//! handler, unwind through the hooks.
//!
//! `fcntl`, `ioctl`, `open`, `openat`, `mq_open` and `syscall` are variadic in C. On x86-64 a
//! variadic call passes integers and pointers where a plain one does, so they are defined with as
//! many arguments as they can have; those that a caller did not pass hold rubbish and are passed on
//! as such. `printf` and its kin, whose arguments may be of any kind, are naked functions that make
//! a `va_list` for the form that takes one.
#![cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
#![allow(clippy::missing_safety_doc, reason = "the safety of these functions is libc's")]

mod aside;
mod call;
mod carried;
mod define;
mod facts;
mod gate;
pub mod real;
mod short;
mod stop;
pub mod table;
mod transfer;
mod turnstile;

pub use carried::carry;
