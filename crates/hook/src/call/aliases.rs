//! Other names of hooked calls: those that the C library exports for itself, and those that C code
//! calls when it is compiled with `_FORTIFY_SOURCE`.
//!
//! The fortified ones get the size of the caller's buffer as well and abort the program if the call
//! could write beyond it, before anything else, as the originals do.

use std::ffi::{c_char, c_int, c_void};

use libc::{
    FILE, fd_set, mode_t, nfds_t, off_t, pid_t, pollfd, sigset_t, size_t, sockaddr, socklen_t,
    ssize_t, timespec, timeval,
};

use crate::define::alias;

alias! {
    __read(fd: c_int, buf: *mut c_void, count: size_t) -> ssize_t = read;
    __write(fd: c_int, buf: *const c_void, count: size_t) -> ssize_t = write;
    __pread64(fd: c_int, buf: *mut c_void, count: size_t, offset: off_t) -> ssize_t = pread64;
    __pwrite64(fd: c_int, buf: *const c_void, count: size_t, offset: off_t) -> ssize_t = pwrite64;
    __send(fd: c_int, buf: *const c_void, len: size_t, flags: c_int) -> ssize_t = send;
    __connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int = connect;
    __open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int = open;
    __open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int = open64;
    __close(fd: c_int) -> c_int = close;
    __dup2(old: c_int, new: c_int) -> c_int = dup2;
    __fcntl(fd: c_int, command: c_int, argument: usize) -> c_int = fcntl;
    __poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int = poll;
    __select(
        count: c_int,
        read: *mut fd_set,
        write: *mut fd_set,
        except: *mut fd_set,
        timeout: *mut timeval,
    ) -> c_int = select;
    __nanosleep(request: *const timespec, rest: *mut timespec) -> c_int = nanosleep;
    __wait(status: *mut c_int) -> pid_t = wait;
    __waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t = waitpid;
    __sched_yield() -> c_int = sched_yield;
    __statfs(path: *const c_char, place: *mut libc::statfs) -> c_int = statfs;
    __lseek(fd: c_int, offset: off_t, whence: c_int) -> off_t = lseek;
    __vfork() -> pid_t = vfork;
    __newlocale(mask: c_int, name: *const c_char, base: *mut c_void) -> *mut c_void = newlocale;
    __setmntent(path: *const c_char, kind: *const c_char) -> *mut FILE = setmntent;
    __endmntent(file: *mut FILE) -> c_int = endmntent;
    __getmntent_r(file: *mut FILE, place: *mut c_void, text: *mut c_char, len: c_int)
        -> *mut c_void = getmntent_r;
}

unsafe extern "C-unwind" {
    /// Says that a buffer would overflow, and aborts.
    fn __chk_fail() -> !;
}

/// Defines fortified names: the condition under which they abort, then the hook's call.
macro_rules! checked {
    ($($name:ident($($argument:ident: $kind:ty),* $(,)?) -> $result:ty:
        $overflows:expr, $target:ident($($passed:ident: $type:ty),* $(,)?);)*) => {$(
        #[doc = concat!("Fortified ", stringify!($target), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            unsafe extern "C-unwind" {
                #[link_name = stringify!($target)]
                fn target($($passed: $type),*) -> $result;
            }
            // SAFETY: the hook, with the arguments for which the caller vouched.
            unsafe {
                if $overflows {
                    __chk_fail();
                }
                target($($passed),*)
            }
        }
    )*};
}

checked! {
    __read_chk(fd: c_int, buf: *mut c_void, count: size_t, room: size_t) -> ssize_t:
        count > room, read(fd: c_int, buf: *mut c_void, count: size_t);
    __pread_chk(fd: c_int, buf: *mut c_void, count: size_t, offset: off_t, room: size_t)
        -> ssize_t:
        count > room, pread(fd: c_int, buf: *mut c_void, count: size_t, offset: off_t);
    __pread64_chk(fd: c_int, buf: *mut c_void, count: size_t, offset: off_t, room: size_t)
        -> ssize_t:
        count > room, pread64(fd: c_int, buf: *mut c_void, count: size_t, offset: off_t);
    __recv_chk(fd: c_int, buf: *mut c_void, count: size_t, room: size_t, flags: c_int) -> ssize_t:
        count > room, recv(fd: c_int, buf: *mut c_void, count: size_t, flags: c_int);
    __recvfrom_chk(
        fd: c_int,
        buf: *mut c_void,
        count: size_t,
        room: size_t,
        flags: c_int,
        address: *mut sockaddr,
        address_len: *mut socklen_t,
    ) -> ssize_t:
        count > room,
        recvfrom(
            fd: c_int,
            buf: *mut c_void,
            count: size_t,
            flags: c_int,
            address: *mut sockaddr,
            address_len: *mut socklen_t,
        );
    __readlink_chk(path: *const c_char, buf: *mut c_char, count: size_t, room: size_t) -> ssize_t:
        count > room, readlink(path: *const c_char, buf: *mut c_char, count: size_t);
    __readlinkat_chk(
        folder: c_int,
        path: *const c_char,
        buf: *mut c_char,
        count: size_t,
        room: size_t,
    ) -> ssize_t:
        count > room,
        readlinkat(folder: c_int, path: *const c_char, buf: *mut c_char, count: size_t);
    __poll_chk(fds: *mut pollfd, count: nfds_t, timeout: c_int, room: size_t) -> c_int:
        room / size_of::<pollfd>() < count as size_t,
        poll(fds: *mut pollfd, count: nfds_t, timeout: c_int);
    __ppoll_chk(
        fds: *mut pollfd,
        count: nfds_t,
        timeout: *const timespec,
        mask: *const sigset_t,
        room: size_t,
    ) -> c_int:
        room / size_of::<pollfd>() < count as size_t,
        ppoll(
            fds: *mut pollfd,
            count: nfds_t,
            timeout: *const timespec,
            mask: *const sigset_t,
        );
}
