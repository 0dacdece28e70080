//! Ids of threads. To the kernel a coroutine is whichever OS thread runs it; the program is told
//! the id by which the C library's locks know it, which is its own for its life.

use std::ffi::{c_int, c_long};

use libc::{clockid_t, pid_t, pthread_t};
use lisle_rt::{signals, thread};
use lisle_sys::Errno;

use crate::real::{outcome, real};

/// See gettid(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn gettid() -> pid_t {
    match thread::current_thread() {
        Some(own) => own.id(),
        None => real!(gettid(): fn() -> pid_t),
    }
}

/// See tgkill(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn tgkill(process: pid_t, id: pid_t, signal: c_int) -> c_int {
    match send(Some(process), id, signal) {
        Some(result) => result as c_int,
        None => real!(tgkill(process, id, signal): fn(pid_t, pid_t, c_int) -> c_int),
    }
}

/// `syscall` with one of these numbers; none for others, and for OS threads.
pub(in crate::call) fn call(number: c_long, [a, b, c, ..]: [usize; 6]) -> Option<c_long> {
    match number {
        libc::SYS_gettid => thread::current_thread().map(|own| own.id().into()),
        // Where the end of the OS thread is to be noted is not for the program to say.
        libc::SYS_set_tid_address => thread::current_thread().map(|own| own.id().into()),
        libc::SYS_tgkill => send(Some(a as pid_t), b as pid_t, c as c_int),
        libc::SYS_tkill => send(None, a as pid_t, b as c_int),
        _ => None,
    }
}

/// Sends a signal to the coroutine with that id. None if it is that of an OS thread.
fn send(process: Option<pid_t>, id: pid_t, signal: c_int) -> Option<c_long> {
    let thread = thread::with_id(id)?;
    let fails = |errno| Some(outcome(Err(errno)) as c_long);
    if process.is_some_and(|process| process as u32 != std::process::id()) || thread.has_ended() {
        return fails(Errno(libc::ESRCH));
    }
    if !(0..=64).contains(&signal) {
        return fails(Errno::INVAL);
    }
    // SAFETY: its header is never freed, and the signal is one.
    match unsafe { signals::send(thread.handle(), signal, None) } {
        Some(Err(errno)) => fails(errno),
        _ => Some(0),
    }
}

/// See pthread_getcpuclockid(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_getcpuclockid(
    thread: pthread_t,
    clock: *mut clockid_t,
) -> c_int {
    // SAFETY: the caller's obligation.
    if unsafe { thread::of(thread) }.is_some() {
        // What POSIX has for systems without such clocks.
        return libc::ENOENT;
    }
    real!(pthread_getcpuclockid(thread, clock): fn(pthread_t, *mut clockid_t) -> c_int)
}
