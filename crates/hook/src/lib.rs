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
//! - **Tried without blocking, then waited for or done by io_uring:** `read`, `readv`, `write`,
//!   `writev`, `recv`, `recvfrom`, `recvmsg`, `send`, `sendto`, `sendmsg`, `accept`, `accept4`,
//!   `poll`, `ppoll`, `epoll_wait`, `epoll_pwait`.
//! - **Read from the page cache, or on a spare carrier:** `read`, `readv` on files, `pread`,
//!   `preadv`, `preadv2`, with and without `64`.
//! - **In place while such calls are quick, else on a spare carrier:** `write`, `writev` on files,
//!   `pwrite`, `pwritev`, `pwritev2`, `readdir`, `readdir_r`, with and without `64`, `getdents64`.
//! - **In place if the caches know the path, else on a spare carrier:** `open`, `openat`, with and
//!   without `64`, and `__open_2` and kin; `stat`, `lstat`, `fstatat`, with and without `64`, and
//!   `__xstat` and kin; `statx`, `access`, `faccessat`, `euidaccess`, `eaccess`, `readlink`,
//!   `readlinkat`.
//! - **Waited for by a timer:** `sleep`, `usleep`, `nanosleep`, `clock_nanosleep`.
//! - **Waited for by address:** `syscall(SYS_futex, ...)`, its wait, wake and bitset forms.
//! - **Waited for by a pidfd:** `waitpid`, `wait4` and `waitid` of one child.
//! - **Done by io_uring, or on a spare carrier:** `connect`.
//! - **On a spare carrier:** `getaddrinfo`, `getnameinfo`, `gethostbyname`,
//!   `pthread_join`, `select`, `pselect`, `flock`, `fcntl(F_SETLKW)`, `splice`, `sendfile`, `wait`,
//!   and `waitpid`, `wait4` and `waitid` of any child.
//! - **On a spare carrier, files** (with and without `64` where there are both): `creat`, `fopen`,
//!   `opendir`, `scandir`, `scandirat`, `tmpfile`, `mkstemp` and kin, `mkdtemp`,
//!   `open_by_handle_at`, `rename`, `renameat`, `renameat2`, `unlink`, `unlinkat`, `remove`,
//!   `mkdir`, `mkdirat`, `mkfifo`, `mkfifoat`, `mknod`, `mknodat`, `rmdir`, `link`, `linkat`,
//!   `symlink`, `symlinkat`, `realpath`, `__realpath_chk`, `canonicalize_file_name`, `truncate`,
//!   `ftruncate`, `fallocate`, `posix_fallocate`, `fsync`, `fdatasync`, `syncfs`, `sync`,
//!   `sync_file_range`, `copy_file_range`, `chmod`, `fchmod`, `fchmodat`, `chown`, `lchown`,
//!   `fchown`, `fchownat`, `utime`, `utimes`, `lutimes`, `futimes`, `futimens`, `utimensat`,
//!   `statfs`, `fstatfs`, `statvfs`, `fstatvfs`.
//! - **Another coroutine first:** `sched_yield`.
//! - **Noted, then the plain call:** `socket`, `close`, `dup`, `dup2`, `dup3`, `close_range`,
//!   `fclose`, `closedir`, `fcntl`, `ioctl`, `setsockopt`.
//!
//! What is not hooked, and what is known to differ, is listed in PLATFORM.md.
//!
//! # Signatures
//!
//! The ABI is `C-unwind`, because OS threads that are cancelled, or leave by `pthread_exit` in a
//! handler, unwind through the hooks.
//!
//! `fcntl`, `ioctl`, `open`, `openat` and `syscall` are variadic in C. On x86-64 a variadic call
//! passes integers and pointers where a plain one does, so they are defined with as many arguments
//! as they can have; those that a caller did not pass hold rubbish and are passed on as such.
#![cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
#![allow(clippy::missing_safety_doc, reason = "the safety of these functions is libc's")]

mod call;
mod define;
mod facts;
mod gate;
mod real;
mod short;
mod transfer;
