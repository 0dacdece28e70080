//! The only crate that enters the kernel by itself: inline system calls, results out, no policy.
//!
//! The runtime must never reach the C library's blocking functions, since those are the very
//! symbols that `lisle-hook` defines: a scheduler that calls `read` would come back into the
//! hook and suspend the coroutine it is about to run. So each call is an inline `syscall`
//! instruction here, one kernel mechanism a file, and it touches neither `errno` nor any
//! thread-local. That also makes these calls safe to use while the FS register belongs to a
//! coroutine and the stack to nobody in particular.
//!
//! On other platforms than x86-64 Linux the crate is empty: there is no M:N mode there.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

pub mod clock;
pub mod cpu;
pub mod epoll;
mod errno;
pub mod eventfd;
pub mod fd;
pub mod futex;
pub mod mmap;
pub mod path;
mod raw;
pub mod signal;
pub mod socket;
pub mod thread;
pub mod uring;

pub use errno::Errno;
pub use raw::syscall;
