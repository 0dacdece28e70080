//! Files by path.

use std::ffi::c_char;

use crate::{Errno, syscall};

/// Opens `path`, seen from the directory `folder`, as a place (`O_PATH`): nothing is read, nobody
/// is told, no permission on the file itself is needed. `flags` are further flags for `open`,
/// `resolve` those of `openat2`. The descriptor is not inherited by programs that are executed.
///
/// # Errors
/// Those of `openat2`; `EAGAIN` if `RESOLVE_CACHED` was asked for and more than the caches is
/// needed.
///
/// # Safety
/// `path` is a C string, or the kernel says `EFAULT`.
pub unsafe fn open_place(
    folder: i32,
    path: *const c_char,
    flags: i32,
    resolve: u64,
) -> Result<i32, Errno> {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC | flags) as u64;
    how.resolve = resolve;
    let size = size_of::<libc::open_how>();
    let args = [folder as usize, path as usize, (&raw const how) as usize, size, 0, 0];
    // SAFETY: a live structure of that size; the path is the caller's obligation.
    unsafe { syscall(libc::SYS_openat2, args) }.map(|fd| fd as i32)
}
