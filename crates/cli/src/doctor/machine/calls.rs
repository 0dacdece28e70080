//! System calls and flags that came late: each is tried.

use std::os::fd::AsRawFd;

use lisle_sys::epoll::{Epoll, Event};
use lisle_sys::{Errno, fd, mmap, path, syscall};

use crate::doctor::report::Check;

pub(super) fn checks() -> Vec<Check> {
    vec![
        epoll(),
        exact_timeouts(),
        light_guards(),
        pidfd(),
        cached_paths(),
        pipes(),
        files(),
        wipe_on_fork(),
        timer_slack(),
    ]
}

/// The finding about a call that Lisle does without.
fn tried<T>(
    name: &'static str,
    result: Result<T, Errno>,
    use_: &str,
    effect: &str,
    remedy: &str,
) -> Check {
    match result {
        Ok(_) => Check::good(name, use_),
        Err(errno @ (Errno::NOMEM | Errno(libc::EMFILE) | Errno(libc::ENFILE))) => Check::less(
            name,
            format!("could not be tried: {errno}"),
            "nothing is known about it",
            "allow for more open files (ulimit -n) and memory (ulimit -v)",
        ),
        Err(errno) => Check::less(name, format!("refused: {errno}"), effect, remedy),
    }
}

fn epoll() -> Check {
    let name = "epoll";
    match Epoll::new() {
        Ok(_) => Check::good(name, "there: the other way to wait"),
        Err(errno) => Check::less(
            name,
            format!("refused: {errno}"),
            "without io_uring, each coroutine is an OS thread",
            "allow for more open files (ulimit -n), and for epoll_create1 in seccomp filters",
        ),
    }
}

fn exact_timeouts() -> Check {
    let result = Epoll::new().and_then(|epoll| {
        let mut event = Event { events: 0, u64: 0 };
        let time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let places = [(&raw mut event) as usize, (&raw const time) as usize];
        let args = [epoll.fd() as usize, places[0], 1, places[1], 0, 0];
        // SAFETY: room for one event, and a live timespec.
        unsafe { syscall(libc::SYS_epoll_pwait2, args) }
    });
    tried(
        "epoll_pwait2",
        result,
        "timeouts to the nanosecond, with epoll",
        "with epoll, timeouts are rounded up to milliseconds",
        "Linux 5.11 or later, and a seccomp filter that allows the call",
    )
}

/// Makes a guard without a mapping, as stacks have.
pub(super) fn try_light_guard() -> Result<(), Errno> {
    let page = mmap::reserve(mmap::PAGE)?;
    // SAFETY: a mapping of our own that holds nothing.
    let result = unsafe { mmap::guard_light(page, mmap::PAGE) };
    // SAFETY: nobody refers to it.
    unsafe { mmap::release(page, mmap::PAGE) };
    result
}

fn light_guards() -> Check {
    tried(
        "light guards",
        try_light_guard(),
        "guard pages of stacks take no mappings",
        "two mappings a stack, so vm.max_map_count limits the number of coroutines",
        "Linux 6.13 or later, without locked memory; else sysctl vm.max_map_count=1000000",
    )
}

fn pidfd() -> Check {
    // SAFETY: no pointers are passed.
    let result =
        unsafe { syscall(libc::SYS_pidfd_open, [std::process::id() as usize, 0, 0, 0, 0, 0]) };
    if let Ok(number) = result {
        fd::close(number as i32);
    }
    tried(
        "pidfd_open",
        result,
        "children are waited for without an OS thread",
        "a spare OS thread waits for each child",
        "Linux 5.3 or later, and a seccomp filter that allows the call",
    )
}

fn cached_paths() -> Check {
    /// Not in libc for all targets; of `linux/openat2.h`.
    const RESOLVE_CACHED: u64 = 0x20;
    // SAFETY: a C string.
    let result = unsafe { path::open_place(libc::AT_FDCWD, c"/".as_ptr(), 0, RESOLVE_CACHED) };
    let result = match result {
        Ok(number) => {
            fd::close(number);
            Ok(())
        }
        // More than the caches was needed: the kernel knows the flag.
        Err(Errno::AGAIN) => Ok(()),
        Err(errno) => Err(errno),
    };
    tried(
        "RESOLVE_CACHED",
        result,
        "paths in the kernel's caches are told from others",
        "each call by path goes to a spare OS thread",
        "Linux 5.12 or later, and a seccomp filter that allows openat2",
    )
}

/// One byte's read without waiting.
fn read_nowait(file: &impl AsRawFd) -> Result<usize, Errno> {
    let mut byte = 0_u8;
    let vector = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: room for one byte.
    let result = unsafe { fd::read_nowait(file.as_raw_fd(), &raw const vector, 1) };
    // Nothing there yet: the kernel knows the flag.
    if result == Err(Errno::AGAIN) { Ok(0) } else { result }
}

fn pipes() -> Check {
    let result =
        std::io::pipe().map_err(errno_of).and_then(|(reader, _writer)| read_nowait(&reader));
    tried(
        "RWF_NOWAIT, pipes",
        result,
        "pipes are read and written without waiting",
        "they are asked by poll first, and written in small parts",
        "Linux 6.4 or later",
    )
}

fn files() -> Check {
    let own = std::env::current_exe().and_then(std::fs::File::open).map_err(errno_of);
    tried(
        "RWF_NOWAIT, files",
        own.and_then(|file| read_nowait(&file)),
        "what is in the page cache is read in place (on this program's file system)",
        "each read of a file goes to a spare OS thread",
        "another file system: ext4, xfs, btrfs know the flag, as does Linux 4.14 or later",
    )
}

fn wipe_on_fork() -> Check {
    let result = mmap::reserve(mmap::PAGE).and_then(|page| {
        // SAFETY: a mapping of our own.
        let result = unsafe { mmap::wipe_on_fork(page, mmap::PAGE) };
        // SAFETY: nobody refers to it.
        unsafe { mmap::release(page, mmap::PAGE) };
        result
    });
    tried(
        "MADV_WIPEONFORK",
        result,
        "children of forks know at once that they have no runtime",
        "they know when Lisle's handler of forks has run",
        "Linux 4.14 or later",
    )
}

fn timer_slack() -> Check {
    // SAFETY: no pointers are passed; the slack of this thread, which ends with the report.
    let result =
        unsafe { syscall(libc::SYS_prctl, [libc::PR_SET_TIMERSLACK as usize, 1, 0, 0, 0, 0]) };
    tried(
        "timer slack",
        result,
        "short sleeps are exact",
        "short sleeps take 50 us longer",
        "a seccomp filter that allows prctl",
    )
}

fn errno_of(error: std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}
