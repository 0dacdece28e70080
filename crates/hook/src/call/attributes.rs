//! Calls by path or on files that are neither about contents nor about names: extended attributes,
//! mounts, working folders, advice.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

use libc::{loff_t, mode_t, off_t, size_t, ssize_t};

use super::probe;
use crate::define::{elsewhere, elsewhere_if};
use crate::gate::Gate;
use crate::real::real;

// Extended attributes: from the disk, or from a server.
elsewhere! {
    getxattr(path: *const c_char, name: *const c_char, value: *mut c_void, len: size_t) -> ssize_t;
    lgetxattr(path: *const c_char, name: *const c_char, value: *mut c_void, len: size_t)
        -> ssize_t;
    fgetxattr(fd: c_int, name: *const c_char, value: *mut c_void, len: size_t) -> ssize_t;
    listxattr(path: *const c_char, list: *mut c_char, len: size_t) -> ssize_t;
    llistxattr(path: *const c_char, list: *mut c_char, len: size_t) -> ssize_t;
    flistxattr(fd: c_int, list: *mut c_char, len: size_t) -> ssize_t;
    setxattr(
        path: *const c_char,
        name: *const c_char,
        value: *const c_void,
        len: size_t,
        flags: c_int,
    ) -> c_int;
    lsetxattr(
        path: *const c_char,
        name: *const c_char,
        value: *const c_void,
        len: size_t,
        flags: c_int,
    ) -> c_int;
    fsetxattr(fd: c_int, name: *const c_char, value: *const c_void, len: size_t, flags: c_int)
        -> c_int;
    removexattr(path: *const c_char, name: *const c_char) -> c_int;
    lremovexattr(path: *const c_char, name: *const c_char) -> c_int;
    fremovexattr(fd: c_int, name: *const c_char) -> c_int;
}

// Mounts and swap: they wait for devices and servers.
elsewhere! {
    mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    umount(target: *const c_char) -> c_int;
    umount2(target: *const c_char, flags: c_int) -> c_int;
    mount_setattr(
        at: c_int,
        path: *const c_char,
        flags: c_uint,
        settings: *mut c_void,
        len: size_t,
    ) -> c_int;
    move_mount(
        from: c_int,
        from_path: *const c_char,
        to: c_int,
        to_path: *const c_char,
        flags: c_uint,
    ) -> c_int;
    open_tree(at: c_int, path: *const c_char, flags: c_uint) -> c_int;
    fsopen(kind: *const c_char, flags: c_uint) -> c_int;
    fsconfig(fd: c_int, command: c_uint, key: *const c_char, value: *const c_void, more: c_int)
        -> c_int;
    fsmount(fd: c_int, flags: c_uint, settings: c_uint) -> c_int;
    fspick(at: c_int, path: *const c_char, flags: c_uint) -> c_int;
    pivot_root(new: *const c_char, old: *const c_char) -> c_int;
    swapon(path: *const c_char, flags: c_int) -> c_int;
    swapoff(path: *const c_char) -> c_int;
    quotactl(command: c_int, device: *const c_char, id: c_int, place: *mut c_char) -> c_int;
    init_module(image: *mut c_void, len: size_t, settings: *const c_char) -> c_int;
    delete_module(name: *const c_char, flags: c_uint) -> c_int;
    acct(path: *const c_char) -> c_int;
}

// Paths and settings that the others leave out.
elsewhere! {
    lchmod(path: *const c_char, mode: mode_t) -> c_int;
    // Whether it may be entered, a server may have to be asked.
    fchdir(fd: c_int) -> c_int;
    futimesat(at: c_int, path: *const c_char, times: *const libc::timeval) -> c_int;
    __xmknod(form: c_int, path: *const c_char, mode: mode_t, device: *mut libc::dev_t) -> c_int;
    __xmknodat(
        form: c_int,
        at: c_int,
        path: *const c_char,
        mode: mode_t,
        device: *mut libc::dev_t,
    ) -> c_int;
    name_to_handle_at(
        at: c_int,
        path: *const c_char,
        handle: *mut c_void,
        mount: *mut c_int,
        flags: c_int,
    ) -> c_int;
    fanotify_mark(fd: c_int, flags: c_uint, mask: u64, at: c_int, path: *const c_char) -> c_int;
    pathconf(path: *const c_char, name: c_int) -> libc::c_long;
    fpathconf(fd: c_int, name: c_int) -> libc::c_long;
    get_current_dir_name() -> *mut c_char;
    mktemp(template: *mut c_char) -> *mut c_char;
    tempnam(folder: *const c_char, prefix: *const c_char) -> *mut c_char;
    tmpnam(place: *mut c_char) -> *mut c_char;
    tmpnam_r(place: *mut c_char) -> *mut c_char;
    ttyname(fd: c_int) -> *mut c_char;
    ttyname_r(fd: c_int, place: *mut c_char, len: size_t) -> c_int;
    __ttyname_r_chk(fd: c_int, place: *mut c_char, len: size_t, room: size_t) -> c_int;
    ttyslot() -> c_int;
}

// Memory that is a file's, and advice that reads or writes.
elsewhere! {
    readahead(fd: c_int, offset: loff_t, len: size_t) -> ssize_t;
    mlock(place: *const c_void, len: size_t) -> c_int;
    mlock2(place: *const c_void, len: size_t, flags: c_uint) -> c_int;
}

/// Advice that starts reads, or drops pages that have to be written first.
fn moves_pages(advice: c_int) -> bool {
    matches!(advice, libc::POSIX_FADV_WILLNEED | libc::POSIX_FADV_DONTNEED)
}

elsewhere_if! {
    posix_fadvise(fd: c_int, offset: off_t, len: off_t, advice: c_int) -> c_int:
        moves_pages(advice);
    posix_fadvise64(fd: c_int, offset: loff_t, len: loff_t, advice: c_int) -> c_int:
        moves_pages(advice);
    msync(place: *mut c_void, len: size_t, flags: c_int) -> c_int: flags & libc::MS_SYNC != 0;
    mlockall(flags: c_int) -> c_int: flags & libc::MCL_CURRENT != 0;
    // Reading the kernel's log waits for a line.
    klogctl(command: c_int, place: *mut c_char, len: c_int) -> c_int: command == 2;
}

/// Defines hooks for calls that follow a path and change nothing about what is there.
macro_rules! following {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty: $path:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            let call = || real!($name($($argument),*): fn($($kind),*) -> $result);
            // SAFETY: the path is the caller's obligation.
            unsafe { probe::look_up(libc::AT_FDCWD, $path, 0, call) }
        }
    )*};
}

following! {
    chdir(path: *const c_char) -> c_int: path;
    chroot(path: *const c_char) -> c_int: path;
    inotify_add_watch(fd: c_int, path: *const c_char, mask: u32) -> c_int: path;
    ftok(path: *const c_char, id: c_int) -> libc::key_t: path;
}

/// Looking for the end of a file, its data or its holes, of which a server may have to be asked.
static SEEKS: Gate = Gate::new();

/// Defines forms of `lseek`. Positions that are given, or counted from the present one, are a
/// matter of the kernel's memory.
macro_rules! seeking {
    ($($name:ident)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(fd: c_int, offset: loff_t, whence: c_int) -> loff_t {
            let plain = || real!($name(fd, offset, whence): fn(c_int, loff_t, c_int) -> loff_t);
            match whence {
                libc::SEEK_SET | libc::SEEK_CUR => plain(),
                _ => SEEKS.run(plain),
            }
        }
    )*};
}

seeking! { lseek lseek64 llseek }
