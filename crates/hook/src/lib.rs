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
//! - **Tried without blocking, then waited for:** `read`, `readv`, `write`, `writev`, `recv`,
//!   `recvfrom`, `recvmsg`, `send`, `sendto`, `sendmsg`, `accept`, `accept4`, `poll`, `ppoll`,
//!   `epoll_wait`, `epoll_pwait`.
//! - **Waited for by a timer:** `sleep`, `usleep`, `nanosleep`, `clock_nanosleep`.
//! - **Waited for by address:** `syscall(SYS_futex, ...)`, its wait, wake and bitset forms.
//! - **Waited for by a pidfd:** `waitpid`, `wait4` and `waitid` of one child.
//! - **On a spare carrier:** `connect`, `getaddrinfo`, `getnameinfo`, `gethostbyname`,
//!   `pthread_join`, `select`, `pselect`, `flock`, `fcntl(F_SETLKW)`, `splice`, `sendfile`, `wait`,
//!   and `waitpid`, `wait4` and `waitid` of any child.
//! - **Another coroutine first:** `sched_yield`.
//! - **Noted, then the plain call:** `close`, `dup2`, `dup3`, `close_range`, `fclose`, `fcntl`,
//!   `ioctl`, `setsockopt`.
//!
//! Regular files are plain calls: they block their worker. What else is not hooked, and what is
//! known to differ, is listed in PLATFORM.md.
//!
//! # Signatures
//!
//! `fcntl`, `ioctl` and `syscall` are variadic in C. On x86-64 a variadic call passes integers and
//! pointers where a plain one does, so they are defined with as many arguments as they can have;
//! those that a caller did not pass hold rubbish and are passed on as such.
#![cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
#![allow(clippy::missing_safety_doc, reason = "the safety of these functions is libc's")]

mod call;
mod facts;
mod gate;
mod real;
mod transfer;
