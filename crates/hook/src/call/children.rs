//! Waiting for child processes.
//!
//! One child is waited for through a pidfd, which becomes readable when the child ends. Waiting for
//! any child, or for stops and continuations, blocks a spare carrier.

use libc::{c_void, id_t, idtype_t, pid_t, siginfo_t};
use lisle_sys::{Errno, fd as sys, syscall};

use super::readiness::wait_readable;
use crate::real::real;

/// See wait(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn wait(status: *mut i32) -> pid_t {
    lisle_rt::blocking(|| real!(wait(status): fn(*mut i32) -> pid_t))
}

/// See waitpid(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn waitpid(pid: pid_t, status: *mut i32, options: i32) -> pid_t {
    waiting(
        pid,
        options,
        || real!(waitpid(pid, status, options): fn(pid_t, *mut i32, i32) -> pid_t),
    )
}

/// See wait4(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn wait4(
    pid: pid_t,
    status: *mut i32,
    options: i32,
    usage: *mut c_void,
) -> pid_t {
    waiting(pid, options, || {
        real!(
            wait4(pid, status, options, usage): fn(pid_t, *mut i32, i32, *mut c_void) -> pid_t
        )
    })
}

/// See waitid(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn waitid(kind: idtype_t, id: id_t, info: *mut siginfo_t, options: i32) -> i32 {
    let plain =
        || real!(waitid(kind, id, info, options): fn(idtype_t, id_t, *mut siginfo_t, i32) -> i32);
    let only_ends = options & (libc::WSTOPPED | libc::WCONTINUED) == 0;
    match kind {
        libc::P_PID if only_ends => waiting(id as pid_t, options & libc::WNOHANG, plain),
        libc::P_PIDFD if only_ends && options & libc::WNOHANG == 0 && lisle_rt::can_suspend() => {
            wait_readable(id as i32);
            plain()
        }
        _ if options & libc::WNOHANG != 0 => plain(),
        _ => lisle_rt::blocking(plain),
    }
}

/// Calls `plain` when it will not wait for long.
fn waiting<R>(pid: pid_t, options: i32, plain: impl FnOnce() -> R) -> R {
    if options & libc::WNOHANG != 0 || !lisle_rt::can_suspend() {
        return plain();
    }
    if pid <= 0 || options & (libc::WUNTRACED | libc::WCONTINUED) != 0 {
        return lisle_rt::blocking(plain);
    }
    match open_pidfd(pid) {
        Ok(fd) => {
            let waited = wait_readable(fd);
            lisle_rt::closing(fd);
            sys::close(fd);
            if waited { plain() } else { lisle_rt::blocking(plain) }
        }
        // There is no such process: the plain call says so.
        Err(Errno(libc::ESRCH)) => plain(),
        Err(_) => lisle_rt::blocking(plain),
    }
}

fn open_pidfd(pid: pid_t) -> Result<i32, Errno> {
    // SAFETY: no pointers are passed.
    unsafe { syscall(libc::SYS_pidfd_open, [pid as usize, 0, 0, 0, 0, 0]) }.map(|fd| fd as i32)
}
