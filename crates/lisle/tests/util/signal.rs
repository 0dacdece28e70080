//! Sets of signals, handlers, and what the kernel knows of the OS thread.

use std::fs;
use std::path::PathBuf;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use libc::c_int;

/// The kernel's own form of a set.
pub(crate) fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// The C library's form of a set.
pub(crate) fn set(signals: &[c_int]) -> libc::sigset_t {
    // SAFETY: all-zero is an empty set; the calls write to it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        set
    }
}

/// Changes what the caller blocks.
pub(crate) fn mask(how: c_int, signals: &[c_int]) {
    let set = set(signals);
    // SAFETY: a live set.
    assert_eq!(unsafe { libc::pthread_sigmask(how, &raw const set, null_mut()) }, 0);
}

/// What the caller blocks, by the C library.
pub(crate) fn blocked() -> Vec<c_int> {
    let mut now = set(&[]);
    // SAFETY: a live place.
    assert_eq!(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, null(), &raw mut now) }, 0);
    // SAFETY: a live set.
    (1..65).filter(|signal| unsafe { libc::sigismember(&raw const now, *signal) } == 1).collect()
}

/// What the OS thread blocks, by the kernel.
pub(crate) fn blocked_by_kernel() -> Vec<c_int> {
    let mut set = 0_u64;
    let (how, none, place) = (libc::SIG_BLOCK, null::<u64>(), &raw mut set);
    // SAFETY: a live place of eight bytes.
    assert_eq!(unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, none, place, 8) }, 0);
    (1..65).filter(|signal| set & bit(*signal) != 0).collect()
}

/// Signals that wait for the caller.
pub(crate) fn pending() -> Vec<c_int> {
    let mut now = set(&[]);
    // SAFETY: a live place.
    assert_eq!(unsafe { libc::sigpending(&raw mut now) }, 0);
    // SAFETY: a live set.
    (1..65).filter(|signal| unsafe { libc::sigismember(&raw const now, *signal) } == 1).collect()
}

/// Installs a handler; returns what was there.
pub(crate) fn install(
    signal: c_int,
    handler: extern "C" fn(c_int),
    flags: c_int,
) -> libc::sigaction {
    install_masking(signal, handler, flags, &[])
}

/// As [`install`], with signals that are blocked meanwhile.
pub(crate) fn install_masking(
    signal: c_int,
    handler: extern "C" fn(c_int),
    flags: c_int,
    mask: &[c_int],
) -> libc::sigaction {
    // SAFETY: all-zero is a valid value to fill in; live places; a handler of that type.
    unsafe {
        let mut new: libc::sigaction = std::mem::zeroed();
        let mut old: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = handler as *const () as usize;
        new.sa_flags = flags;
        new.sa_mask = set(mask);
        assert_eq!(libc::sigaction(signal, &raw const new, &raw mut old), 0);
        old
    }
}

/// What is there.
pub(crate) fn disposition(signal: c_int) -> libc::sigaction {
    // SAFETY: all-zero is a valid value to fill in; a live place.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(signal, null(), &raw mut old), 0);
        old
    }
}

/// How often [`count`] ran.
pub(crate) static COUNT: AtomicUsize = AtomicUsize::new(0);
/// The last signal that [`count`] ran for.
pub(crate) static LAST: AtomicI32 = AtomicI32::new(0);

/// A handler that counts.
pub(crate) extern "C" fn count(signal: c_int) {
    LAST.store(signal, Ordering::Relaxed);
    COUNT.fetch_add(1, Ordering::SeqCst);
}

pub(crate) fn counted() -> usize {
    COUNT.load(Ordering::SeqCst)
}

/// Sends a signal to the process.
pub(crate) fn kill_process(signal: c_int) {
    // SAFETY: plain calls.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
}

/// The OS threads that run coroutines, by the names they have given themselves: workers and spares.
/// Where a coroutine is a thread these are all.
pub(crate) fn carriers() -> Vec<libc::pid_t> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|entry| entry.unwrap().path());
    let is_carrier = |path: &PathBuf| {
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let rest = name.trim().strip_prefix("lisle-").unwrap_or_default();
        super::threads() || rest == "spare" || rest.parse::<u32>().is_ok()
    };
    let number = |path: PathBuf| path.file_name()?.to_str()?.parse().ok();
    tasks.filter(is_carrier).filter_map(number).collect()
}

/// Sends each of these threads a signal, if it has not ended.
pub(crate) fn strike(threads: &[libc::pid_t], signal: c_int) {
    for thread in threads {
        // SAFETY: plain calls; the signal has a handler.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), *thread, signal) };
    }
}
