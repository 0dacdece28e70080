//! Will a call by path find what it needs in the kernel's caches?
//!
//! The kernel can be asked to resolve a path by its caches alone (`RESOLVE_CACHED`, Linux 5.12).
//! The answer decides *where* the caller's own call runs, never what it returns: one that would
//! succeed or fail by the caches runs in place, all others hop. So nothing can differ from the
//! original but the time, and what is lost if the caches change in between is time as well.
//!
//! # Rejected
//!
//! 1. *To answer from the probe.* It saves a system call and must then equal the original in every
//!    detail: automounts, effective and real ids, attributes that a server is asked for.
//! 2. *`openat2` with the caller's flags and `RESOLVE_CACHED`.* It opens FIFOs, which waits for the
//!    other end, and devices, which may do so.

use std::ffi::{CStr, c_char};

use lisle_sys::{Errno, fd as sys, path as place};

use crate::gate::Gate;
use crate::real::real;
use crate::stop::{Failure, elsewhere, may_begin};

/// Calls that found their path in the caches. They are quick unless a server has to be asked.
static LOOKUPS: Gate = Gate::new();

/// What the caches know of a path.
enum Found {
    /// Something, to which this descriptor leads. To be closed.
    Place(i32),
    /// That the path leads nowhere, or is not the caller's to follow.
    Nothing,
    /// Not enough.
    Unknown,
}

/// Runs a call that asks for what `path` is and changes nothing. `flags` are those of `fstatat`.
///
/// # Safety
/// `path` is a C string, or the kernel says `EFAULT`.
pub(super) unsafe fn look_up<R>(
    folder: i32,
    path: *const c_char,
    flags: i32,
    call: impl FnOnce() -> R,
) -> R {
    // With an empty path it is about a descriptor, and waits for nothing.
    if !lisle_rt::can_suspend() || flags & libc::AT_EMPTY_PATH != 0 {
        return call();
    }
    let flags = if flags & libc::AT_SYMLINK_NOFOLLOW != 0 { libc::O_NOFOLLOW } else { 0 };
    // SAFETY: the caller's obligation.
    match unsafe { probe(folder, path, flags) } {
        Found::Unknown => lisle_rt::blocking(call),
        Found::Nothing => LOOKUPS.run(call),
        Found::Place(fd) => {
            sys::close(fd);
            LOOKUPS.run(call)
        }
    }
}

/// Runs a call that opens `path` with `flags`.
///
/// # Safety
/// As for [`look_up`].
pub(super) unsafe fn open<R: Failure>(
    folder: i32,
    path: *const c_char,
    flags: i32,
    call: impl FnOnce() -> R,
) -> R {
    if !lisle_rt::can_suspend() {
        return call();
    }
    if let Err(errno) = may_begin() {
        return R::fail(errno);
    }
    const CHANGES: i32 = libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE & !libc::O_DIRECTORY;
    let quick = flags & CHANGES == 0
        // SAFETY: the caller's obligation.
        && match unsafe { probe(folder, path, flags & libc::O_NOFOLLOW) } {
            Found::Place(fd) => {
                let status = sys::status(fd);
                sys::close(fd);
                flags & libc::O_PATH != 0 || status.is_ok_and(|stat| opens_at_once(&stat))
            }
            Found::Nothing => true,
            Found::Unknown => false,
        };
    if quick { LOOKUPS.run(call) } else { elsewhere(call) }
}

/// Whether opening such a file waits for nobody. FIFOs wait for the other end, terminals for a
/// carrier.
fn opens_at_once(stat: &libc::stat) -> bool {
    /// `null`, `zero`, `random` and kin.
    const MEMORY_DEVICES: u32 = 1;
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFDIR | libc::S_IFLNK => true,
        libc::S_IFCHR => libc::major(stat.st_rdev) == MEMORY_DEVICES,
        _ => false,
    }
}

/// # Safety
/// As for [`look_up`].
unsafe fn probe(folder: i32, path: *const c_char, flags: i32) -> Found {
    // SAFETY: the caller's obligation.
    let mut opened = unsafe { place::open_place(folder, path, flags, libc::RESOLVE_CACHED) };
    // SAFETY: the kernel has read the path.
    if opened == Err(Errno::AGAIN) && unsafe { is_made_up(path) } {
        // The kernel caches no such paths, and needs no disk for them. Links in there may lead
        // anywhere.
        let resolve = libc::RESOLVE_NO_MAGICLINKS;
        // SAFETY: as above.
        opened = unsafe { place::open_place(folder, path, flags, resolve) };
    }
    match opened {
        Ok(fd) => Found::Place(fd),
        Err(Errno(
            libc::ENOENT
            | libc::ENOTDIR
            | libc::EACCES
            | libc::ENAMETOOLONG
            | libc::EFAULT
            | libc::EBADF,
        )) => Found::Nothing,
        // EAGAIN; EMFILE and the like; kernels and sandboxes without this call; links that loop.
        Err(_) => Found::Unknown,
    }
}

/// Whether the path lies in a file system that the kernel makes up.
///
/// # Safety
/// `path` is a C string.
unsafe fn is_made_up(path: *const c_char) -> bool {
    // SAFETY: the caller's obligation.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    path.starts_with(b"/proc/") || path.starts_with(b"/sys/")
}

/// Defines hooks for calls that ask for what a path is: where it begins, the path, the flags.
macro_rules! lookups {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty:
        $folder:expr, $path:expr, $flags:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            let call = || real!($name($($argument),*): fn($($kind),*) -> $result);
            // SAFETY: the path is the caller's obligation.
            unsafe { look_up($folder, $path, $flags, call) }
        }
    )*};
}

/// No symbolic link is followed at the end.
const LINK: i32 = libc::AT_SYMLINK_NOFOLLOW;
/// Where paths begin.
const HERE: i32 = libc::AT_FDCWD;

lookups! {
    stat(path: *const c_char, place: *mut libc::stat) -> i32: HERE, path, 0;
    stat64(path: *const c_char, place: *mut libc::stat64) -> i32: HERE, path, 0;
    lstat(path: *const c_char, place: *mut libc::stat) -> i32: HERE, path, LINK;
    lstat64(path: *const c_char, place: *mut libc::stat64) -> i32: HERE, path, LINK;
    fstatat(folder: i32, path: *const c_char, place: *mut libc::stat, flags: i32) -> i32:
        folder, path, flags;
    fstatat64(folder: i32, path: *const c_char, place: *mut libc::stat64, flags: i32) -> i32:
        folder, path, flags;
    statx(folder: i32, path: *const c_char, flags: i32, mask: u32, place: *mut libc::statx) -> i32:
        folder, path, flags;
    access(path: *const c_char, mode: i32) -> i32: HERE, path, 0;
    faccessat(folder: i32, path: *const c_char, mode: i32, flags: i32) -> i32:
        folder, path, flags;
    euidaccess(path: *const c_char, mode: i32) -> i32: HERE, path, 0;
    eaccess(path: *const c_char, mode: i32) -> i32: HERE, path, 0;
    readlink(path: *const c_char, text: *mut c_char, len: usize) -> isize: HERE, path, LINK;
    readlinkat(folder: i32, path: *const c_char, text: *mut c_char, len: usize) -> isize:
        folder, path, LINK;
}

// What `stat` and its kin were to programs built for a C library before 2.33.
lookups! {
    __xstat(form: i32, path: *const c_char, place: *mut libc::stat) -> i32: HERE, path, 0;
    __xstat64(form: i32, path: *const c_char, place: *mut libc::stat64) -> i32: HERE, path, 0;
    __lxstat(form: i32, path: *const c_char, place: *mut libc::stat) -> i32: HERE, path, LINK;
    __lxstat64(form: i32, path: *const c_char, place: *mut libc::stat64) -> i32: HERE, path, LINK;
    __fxstatat(form: i32, folder: i32, path: *const c_char, place: *mut libc::stat, flags: i32)
        -> i32: folder, path, flags;
    __fxstatat64(form: i32, folder: i32, path: *const c_char, place: *mut libc::stat64, flags: i32)
        -> i32: folder, path, flags;
}
