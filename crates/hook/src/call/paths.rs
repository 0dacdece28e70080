//! Calls that change files or make them last: always on a spare carrier.
//!
//! Most wait for a journal or for the disk itself, so the tens of microseconds of a hop are a small
//! part, and there is nothing to be tried first.

use std::ffi::{c_char, c_uint, c_void};

use libc::{
    dev_t, gid_t, loff_t, mode_t, off_t, size_t, ssize_t, timespec, timeval, uid_t, utimbuf,
};

use crate::define::{elsewhere, stoppable_if};

// Names.
elsewhere! {
    rename(from: *const c_char, to: *const c_char) -> i32;
    renameat(at: i32, from: *const c_char, into: i32, to: *const c_char) -> i32;
    renameat2(at: i32, from: *const c_char, into: i32, to: *const c_char, flags: c_uint) -> i32;
    unlink(path: *const c_char) -> i32;
    unlinkat(at: i32, path: *const c_char, flags: i32) -> i32;
    remove(path: *const c_char) -> i32;
    mkdir(path: *const c_char, mode: mode_t) -> i32;
    mkdirat(at: i32, path: *const c_char, mode: mode_t) -> i32;
    mkdtemp(template: *mut c_char) -> *mut c_char;
    mkfifo(path: *const c_char, mode: mode_t) -> i32;
    mkfifoat(at: i32, path: *const c_char, mode: mode_t) -> i32;
    mknod(path: *const c_char, mode: mode_t, device: dev_t) -> i32;
    mknodat(at: i32, path: *const c_char, mode: mode_t, device: dev_t) -> i32;
    rmdir(path: *const c_char) -> i32;
    link(from: *const c_char, to: *const c_char) -> i32;
    linkat(at: i32, from: *const c_char, into: i32, to: *const c_char, flags: i32) -> i32;
    symlink(target: *const c_char, path: *const c_char) -> i32;
    symlinkat(target: *const c_char, at: i32, path: *const c_char) -> i32;
    realpath(path: *const c_char, place: *mut c_char) -> *mut c_char;
    __realpath_chk(path: *const c_char, place: *mut c_char, room: size_t) -> *mut c_char;
    canonicalize_file_name(path: *const c_char) -> *mut c_char;
}

// Contents.
elsewhere! {
    truncate(path: *const c_char, len: off_t) -> i32;
    truncate64(path: *const c_char, len: loff_t) -> i32;
    ftruncate(fd: i32, len: off_t) -> i32;
    ftruncate64(fd: i32, len: loff_t) -> i32;
    fallocate(fd: i32, mode: i32, offset: off_t, len: off_t) -> i32;
    fallocate64(fd: i32, mode: i32, offset: loff_t, len: loff_t) -> i32;
    posix_fallocate(fd: i32, offset: off_t, len: off_t) -> i32;
    posix_fallocate64(fd: i32, offset: loff_t, len: loff_t) -> i32;
    syncfs(fd: i32) -> i32;
    sync() -> ();
    sync_file_range(fd: i32, offset: loff_t, len: loff_t, flags: c_uint) -> i32;
}

stoppable_if! {
    fsync(fd: i32) -> i32: true;
    fdatasync(fd: i32) -> i32: true;
    copy_file_range(
        from: i32,
        from_offset: *mut loff_t,
        to: i32,
        to_offset: *mut loff_t,
        len: size_t,
        flags: c_uint,
    ) -> ssize_t: true;
}

// Owners, permissions, times.
elsewhere! {
    chmod(path: *const c_char, mode: mode_t) -> i32;
    fchmod(fd: i32, mode: mode_t) -> i32;
    fchmodat(at: i32, path: *const c_char, mode: mode_t, flags: i32) -> i32;
    chown(path: *const c_char, owner: uid_t, group: gid_t) -> i32;
    lchown(path: *const c_char, owner: uid_t, group: gid_t) -> i32;
    fchown(fd: i32, owner: uid_t, group: gid_t) -> i32;
    fchownat(at: i32, path: *const c_char, owner: uid_t, group: gid_t, flags: i32) -> i32;
    utime(path: *const c_char, times: *const utimbuf) -> i32;
    utimes(path: *const c_char, times: *const timeval) -> i32;
    lutimes(path: *const c_char, times: *const timeval) -> i32;
    futimes(fd: i32, times: *const timeval) -> i32;
    futimens(fd: i32, times: *const timespec) -> i32;
    utimensat(at: i32, path: *const c_char, times: *const timespec, flags: i32) -> i32;
}

// File systems.
elsewhere! {
    statfs(path: *const c_char, place: *mut libc::statfs) -> i32;
    statfs64(path: *const c_char, place: *mut c_void) -> i32;
    fstatfs(fd: i32, place: *mut libc::statfs) -> i32;
    fstatfs64(fd: i32, place: *mut c_void) -> i32;
    statvfs(path: *const c_char, place: *mut libc::statvfs) -> i32;
    statvfs64(path: *const c_char, place: *mut c_void) -> i32;
    fstatvfs(fd: i32, place: *mut libc::statvfs) -> i32;
    fstatvfs64(fd: i32, place: *mut c_void) -> i32;
}
