//! Other programs: starting them and waiting for them inside of the C library.
//!
//! `posix_spawn` returns when the child executes its program, for which that has to be read; it
//! takes some hundreds of microseconds at best, so it hops. The child inherits the signal mask, the
//! priority and the like of the OS thread that makes it: a spare carrier's, which are those of the
//! workers unless code changed them on one without pinning itself.

use std::ffi::{c_char, c_int, c_void};

use libc::{FILE, pid_t, posix_spawn_file_actions_t, posix_spawnattr_t};

use super::variadic::Arguments;
use crate::define::{alias, elsewhere, elsewhere_if};
use crate::facts;
use crate::real::real;

type Vector = *const *mut c_char;

elsewhere! {
    system(command: *const c_char) -> c_int;
    posix_spawn(
        pid: *mut pid_t,
        path: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        settings: *const posix_spawnattr_t,
        arguments: Vector,
        environment: Vector,
    ) -> c_int;
    posix_spawnp(
        pid: *mut pid_t,
        file: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        settings: *const posix_spawnattr_t,
        arguments: Vector,
        environment: Vector,
    ) -> c_int;
    // Since glibc 2.39: they return a pidfd.
    pidfd_spawn(
        pidfd: *mut c_int,
        path: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        settings: *const posix_spawnattr_t,
        arguments: Vector,
        environment: Vector,
    ) -> c_int;
    pidfd_spawnp(
        pidfd: *mut c_int,
        file: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        settings: *const posix_spawnattr_t,
        arguments: Vector,
        environment: Vector,
    ) -> c_int;
}

elsewhere_if! {
    wait3(status: *mut c_int, options: c_int, usage: *mut c_void) -> pid_t:
        options & libc::WNOHANG == 0;
}

/// See popen(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn popen(command: *const c_char, kind: *const c_char) -> *mut FILE {
    let stream = lisle_rt::blocking(
        || real!(popen(command, kind): fn(*const c_char, *const c_char) -> *mut FILE),
    );
    if !stream.is_null() {
        // SAFETY: a stream that was just opened; it has a descriptor, so `errno` is not touched.
        facts::forget(unsafe { libc::fileno(stream) });
    }
    stream
}

/// See pclose(3). It closes the descriptor and waits for the child.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pclose(stream: *mut FILE) -> c_int {
    // SAFETY: a stream of `popen`, by the caller's obligation; it has a descriptor.
    let fd = unsafe { libc::fileno(stream) };
    lisle_rt::closing(fd);
    let result = lisle_rt::blocking(|| real!(pclose(stream): fn(*mut FILE) -> c_int));
    lisle_rt::closed(fd);
    result
}

// The system's log: a socket whose reader may be slow, or the console.
elsewhere! {
    openlog(name: *const c_char, options: c_int, facility: c_int) -> ();
    closelog() -> ();
    vsyslog(priority: c_int, format: *const c_char, arguments: *mut Arguments) -> ();
    __vsyslog_chk(priority: c_int, flag: c_int, format: *const c_char, arguments: *mut Arguments)
        -> ();
}

// Waiting for asynchronous input and output, which threads of the C library do.
elsewhere! {
    aio_suspend(list: *const *const c_void, count: c_int, timeout: *const libc::timespec) -> c_int;
    aio_suspend64(list: *const *const c_void, count: c_int, timeout: *const libc::timespec)
        -> c_int;
}

/// Whether the call waits until all of the list is done.
fn waits(mode: c_int) -> bool {
    mode == libc::LIO_WAIT
}

elsewhere_if! {
    lio_listio(mode: c_int, list: *const *mut c_void, count: c_int, event: *mut c_void) -> c_int:
        waits(mode);
    lio_listio64(mode: c_int, list: *const *mut c_void, count: c_int, event: *mut c_void) -> c_int:
        waits(mode);
}

alias! {
    _IO_popen(command: *const c_char, kind: *const c_char) -> *mut FILE = popen;
}
