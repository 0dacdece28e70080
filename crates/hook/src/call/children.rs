//! Waiting for child processes.
//!
//! One child is waited for through a pidfd, which becomes readable when the child ends. Waiting for
//! any child, or for stops and continuations, blocks a spare carrier.

use libc::{c_void, id_t, idtype_t, pid_t, siginfo_t};
use lisle_sys::{Errno, fd as sys, syscall};

use super::readiness::{Readable, wait_readable};
use crate::real::{outcome, real};
use crate::stop::elsewhere;

/// See wait(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn wait(status: *mut i32) -> pid_t {
    elsewhere(|| real!(wait(status): fn(*mut i32) -> pid_t))
}

/// See waitpid(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn waitpid(pid: pid_t, status: *mut i32, options: i32) -> pid_t {
    waiting(
        pid,
        options,
        |options| real!(waitpid(pid, status, options): fn(pid_t, *mut i32, i32) -> pid_t),
    )
}

/// See wait4(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn wait4(
    pid: pid_t,
    status: *mut i32,
    options: i32,
    usage: *mut c_void,
) -> pid_t {
    waiting(pid, options, |options| {
        real!(
            wait4(pid, status, options, usage): fn(pid_t, *mut i32, i32, *mut c_void) -> pid_t
        )
    })
}

/// See waitid(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn waitid(
    kind: idtype_t,
    id: id_t,
    info: *mut siginfo_t,
    options: i32,
) -> i32 {
    let call = move |options| -> i32 {
        real!(waitid(kind, id, info, options): fn(idtype_t, id_t, *mut siginfo_t, i32) -> i32)
    };
    let only_ends = options & (libc::WSTOPPED | libc::WCONTINUED) == 0;
    if options & libc::WNOHANG != 0 || !lisle_rt::can_suspend() {
        return call(options);
    }
    if !only_ends || info.is_null() || !matches!(kind, libc::P_PID | libc::P_PIDFD) {
        return elsewhere(|| call(options));
    }
    loop {
        // SAFETY: the caller's place for the information. Zero means that no child has ended.
        unsafe { (*info).si_signo = 0 };
        let result = call(options | libc::WNOHANG);
        // SAFETY: as above.
        if result != 0 || unsafe { (*info).si_signo } != 0 {
            return result;
        }
        let ended = match kind {
            libc::P_PIDFD => wait_readable(id as i32),
            _ => wait_for_end(id as pid_t),
        };
        match ended {
            Readable::Yes => {}
            Readable::Interrupted(errno) => return outcome(Err(errno)) as i32,
            Readable::Never => return elsewhere(|| call(options)),
        }
    }
}

/// Waits by calls that do not block, and in between for the end of the child.
fn waiting(pid: pid_t, options: i32, call: impl Fn(i32) -> pid_t) -> pid_t {
    if options & libc::WNOHANG != 0 || !lisle_rt::can_suspend() {
        return call(options);
    }
    if pid <= 0 || options & (libc::WUNTRACED | libc::WCONTINUED) != 0 {
        return elsewhere(|| call(options));
    }
    loop {
        // First of all, since it fails at once for a process that is no child of ours.
        let result = call(options | libc::WNOHANG);
        if result != 0 {
            return result;
        }
        match wait_for_end(pid) {
            Readable::Yes => {}
            Readable::Interrupted(errno) => return outcome(Err(errno)) as pid_t,
            Readable::Never => return elsewhere(|| call(options)),
        }
    }
}

/// Suspends until the child has ended.
fn wait_for_end(pid: pid_t) -> Readable {
    let Ok(fd) = open_pidfd(pid) else { return Readable::Never };
    let ended = wait_readable(fd);
    lisle_rt::closing(fd);
    sys::close(fd);
    lisle_rt::closed(fd);
    ended
}

fn open_pidfd(pid: pid_t) -> Result<i32, Errno> {
    // SAFETY: no pointers are passed.
    unsafe { syscall(libc::SYS_pidfd_open, [pid as usize, 0, 0, 0, 0, 0]) }.map(|fd| fd as i32)
}
