//! Reading and writing regular files and block devices.
//!
//! Such files are always ready, so there is nothing to wait for: a read that has to go to the disk
//! holds its thread until the disk answers. What can be had without is had in place, the rest
//! hops.
//!
//! - **Reading** asks for what is in the page cache (`RWF_NOWAIT`) and goes on with the rest on a
//!   spare carrier or, where the place is given, by io_uring. A file is read short at its end
//!   only, so a part is completed.
//! - **Writing** puts bytes into the page cache, which mostly takes no longer than copying them:
//!   the [gate](crate::gate) decides.
//! - Large transfers, whose copying alone would hold up the worker, and files opened with
//!   `O_DIRECT`, `O_SYNC` or `O_DSYNC` hop at once.

use std::ffi::c_void;

use libc::{iovec, off_t, size_t, ssize_t};
use lisle_rt::descriptor::Descriptor;
use lisle_rt::request::{self, Performed};
use lisle_sys::uring::Entry;
use lisle_sys::{Errno, fd as sys, syscall};

use crate::facts::{self, Kind, Reading};
use crate::gate::Gate;
use crate::real::{outcome, real};
use crate::transfer::Vectors;

/// Bytes that are copied in place at most: it takes some ten microseconds.
const LARGE: usize = 256 << 10;

/// Writes into the page cache.
static WRITES: Gate = Gate::new();
/// Reads of files that the kernel makes up, or has in memory.
static MADE_UP: Gate = Gate::new();

/// A file, operated on by a coroutine that can suspend.
struct File {
    fd: i32,
    descriptor: Descriptor,
    /// The descriptor's when the operation began: another one means another file.
    generation: u32,
}

impl File {
    /// None where the plain call is right.
    #[inline]
    fn new(fd: i32) -> Option<Self> {
        if !lisle_rt::begin_io() {
            return None;
        }
        let descriptor = Descriptor::new(fd)?;
        let generation = descriptor.generation();
        let is_file = facts::kind(fd, &descriptor) == Kind::File;
        is_file.then_some(File { fd, descriptor, generation })
    }

    /// Runs `call` on a spare carrier, unless the descriptor is closed before it gets there.
    fn elsewhere(&self, call: impl FnOnce() -> Result<usize, Errno>) -> Result<usize, Errno> {
        lisle_rt::blocking(|| if self.is_open() { call() } else { Err(Errno(libc::EBADF)) })
    }

    /// Whether the number still is this file's, as far as hooked calls close it.
    fn is_open(&self) -> bool {
        self.descriptor.generation() == self.generation
    }
}

/// The bytes that a list describes; 0 for lists that the kernel would refuse.
///
/// # Safety
/// `iov` points to `count` entries if that is between 1 and 1024.
unsafe fn total(iov: *const iovec, count: usize) -> usize {
    if iov.is_null() || !(1..=1024).contains(&count) {
        return 0;
    }
    // SAFETY: the caller's obligation.
    let list = unsafe { std::slice::from_raw_parts(iov, count) };
    list.iter().fold(0, |sum, v| sum.saturating_add(v.iov_len))
}

/// Reads at the file's position. None where the plain call is right.
///
/// # Safety
/// As for `readv`.
pub(super) unsafe fn read(
    fd: i32,
    iov: *const iovec,
    count: usize,
) -> Option<Result<usize, Errno>> {
    // SAFETY: the caller's obligation.
    unsafe { read_from(fd, iov, count, None) }
}

/// Reads from `offset` on, or at the file's position. None where the plain call is right.
///
/// # Safety
/// As for `readv`.
unsafe fn read_from(
    fd: i32,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Option<Result<usize, Errno>> {
    let file = File::new(fd)?;
    // SAFETY: the caller's obligation, in all calls below.
    unsafe {
        let total = total(iov, count);
        if total == 0 {
            return None;
        }
        let mut way = facts::reading(fd, &file.descriptor);
        if way == Reading::Nowait && total <= LARGE {
            match read_cached(&file, iov, count, total, offset) {
                Err(Errno(libc::EOPNOTSUPP)) => {
                    facts::set_no_nowait(fd, &file.descriptor);
                    way = facts::reading(fd, &file.descriptor);
                }
                result => return Some(result),
            }
        }
        // Some files of this kind make their reader wait, the kernel's log for one.
        if way == Reading::InMemory
            && total <= LARGE
            && sys::ready_now(fd, libc::POLLIN) != 0
            && let Some(_trial) = MADE_UP.begin()
        {
            return Some(read_plain(fd, iov, count, offset));
        }
        if way == Reading::Direct {
            return Some(read_slow(&file, iov, count, offset));
        }
        Some(read_elsewhere(&file, iov, count, offset))
    }
}

/// Reads what is in the page cache, and the rest elsewhere. `EOPNOTSUPP` if the file cannot be
/// read so.
///
/// # Safety
/// As for `readv`; the entries have `total` bytes, not 0.
unsafe fn read_cached(
    file: &File,
    iov: *const iovec,
    count: usize,
    total: usize,
    offset: Option<u64>,
) -> Result<usize, Errno> {
    // SAFETY: the caller's obligation.
    let mut rest = unsafe { Vectors::new(iov, count) };
    let mut done = 0;
    while done < total && (done == 0 || file.is_open()) {
        let part = rest.after(done);
        let (iov, count) = (part.as_ptr(), part.len());
        let offset = offset.map(|offset| offset + done as u64);
        // SAFETY: what is left of the caller's list.
        match unsafe { read_nowait(file.fd, iov, count, offset) } {
            // The end of the file.
            Ok(0) => break,
            Ok(count) => done += count,
            Err(Errno(libc::EOPNOTSUPP)) if done == 0 => return Err(Errno(libc::EOPNOTSUPP)),
            // Not cached; or an error, which the plain call is to tell.
            Err(_) => {
                // SAFETY: as above.
                return match unsafe { read_slow(file, iov, count, offset) } {
                    // Likely in part again, the pages being there now.
                    Ok(count) if count > 0 && done + count < total => {
                        done += count;
                        continue;
                    }
                    Ok(count) => Ok(done + count),
                    // What came before it was read.
                    Err(_) if done > 0 => Ok(done),
                    error => error,
                };
            }
        }
    }
    Ok(done)
}

/// # Safety
/// As for `preadv2`.
unsafe fn read_nowait(
    fd: i32,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Result<usize, Errno> {
    let at = offset.map_or(usize::MAX, |offset| offset as usize);
    let args = [fd as usize, iov as usize, count, at, 0, libc::RWF_NOWAIT as usize];
    // SAFETY: the caller's obligation.
    unsafe { syscall(libc::SYS_preadv2, args) }
}

/// # Safety
/// As for `preadv`.
unsafe fn read_plain(
    fd: i32,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Result<usize, Errno> {
    let at = offset.map_or(0, |offset| offset as usize);
    let number = if offset.is_some() { libc::SYS_preadv } else { libc::SYS_readv };
    // SAFETY: the caller's obligation.
    unsafe { syscall(number, [fd as usize, iov as usize, count, at, 0, 0]) }
}

/// Reads what has to come from a disk: by the kernel's own means where the place is given. At the
/// file's position those are not for several readers, who would get the same bytes.
///
/// # Safety
/// As for `preadv`.
unsafe fn read_slow(
    file: &File,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Result<usize, Errno> {
    while let Some(offset) = offset {
        // SAFETY: the caller's obligation.
        match unsafe { request::perform(|| Entry::read(file.fd, iov, count, offset, 0), None) } {
            // Disks are not interrupted.
            Some(Performed::Interrupted | Performed::Done(Err(Errno::INTR))) => {}
            // It would wait after all.
            None | Some(Performed::TimedOut | Performed::Done(Err(Errno::AGAIN))) => break,
            Some(Performed::Done(result)) => return result,
        }
    }
    // SAFETY: the caller's obligation.
    unsafe { read_elsewhere(file, iov, count, offset) }
}

/// # Safety
/// As for `preadv`.
unsafe fn read_elsewhere(
    file: &File,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Result<usize, Errno> {
    // SAFETY: the caller's obligation.
    file.elsewhere(|| unsafe { read_plain(file.fd, iov, count, offset) })
}

/// Writes at the file's position. None where the plain call is right.
///
/// # Safety
/// As for `writev`.
pub(super) unsafe fn write(
    fd: i32,
    iov: *const iovec,
    count: usize,
) -> Option<Result<usize, Errno>> {
    // SAFETY: the caller's obligation.
    unsafe { write_to(fd, iov, count, None) }
}

/// Writes from `offset` on, or at the file's position. None where the plain call is right.
///
/// # Safety
/// As for `writev`.
unsafe fn write_to(
    fd: i32,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Option<Result<usize, Errno>> {
    let file = File::new(fd)?;
    // SAFETY: the caller's obligation, in all calls below.
    unsafe {
        let total = total(iov, count);
        if total == 0 {
            return None;
        }
        if total <= LARGE
            && !facts::writes_through(fd, &file.descriptor)
            && let Some(_trial) = WRITES.begin()
        {
            return Some(write_plain(fd, iov, count, offset));
        }
        Some(write_slow(&file, iov, count, offset))
    }
}

/// # Safety
/// As for `pwritev`.
unsafe fn write_plain(
    fd: i32,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Result<usize, Errno> {
    let at = offset.map_or(0, |offset| offset as usize);
    let number = if offset.is_some() { libc::SYS_pwritev } else { libc::SYS_writev };
    // SAFETY: the caller's obligation.
    unsafe { syscall(number, [fd as usize, iov as usize, count, at, 0, 0]) }
}

/// The one way to write what may have to wait for a disk.
///
/// # Safety
/// As for `pwritev`.
unsafe fn write_slow(
    file: &File,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Result<usize, Errno> {
    // SAFETY: the caller's obligation.
    file.elsewhere(|| unsafe { write_plain(file.fd, iov, count, offset) })
}

/// Reads or writes, as its caller's `readv` or `writev` would.
type Transfer = unsafe fn(i32, *const iovec, usize, Option<u64>) -> Option<Result<usize, Errno>>;

/// A transfer by offset. None where the plain call is right, for negative offsets among others.
///
/// # Safety
/// As for `preadv` or `pwritev`.
#[inline]
unsafe fn by_offset(
    transfer: Transfer,
    fd: i32,
    iov: *const iovec,
    count: i32,
    offset: off_t,
) -> Option<ssize_t> {
    let (offset, count) = (u64::try_from(offset).ok()?, usize::try_from(count).ok()?);
    // SAFETY: the caller's obligation.
    unsafe { transfer(fd, iov, count, Some(offset)) }.map(outcome)
}

/// A transfer by offset with flags; -1 is the file's position. None where the plain call is right.
///
/// # Safety
/// As for `preadv2` or `pwritev2`.
unsafe fn by_flags(
    transfer: Transfer,
    fd: i32,
    iov: *const iovec,
    count: i32,
    offset: off_t,
    flags: i32,
) -> Option<ssize_t> {
    if flags != 0 {
        return None;
    }
    if offset != -1 {
        // SAFETY: the caller's obligation.
        return unsafe { by_offset(transfer, fd, iov, count, offset) };
    }
    // SAFETY: as above.
    unsafe { transfer(fd, iov, usize::try_from(count).ok()?, None) }.map(outcome)
}

/// Defines hooks for a buffer, a list, and a list with flags.
macro_rules! transfers {
    ($transfer:ident, $buffer:ty: $($one:ident $list:ident $flagged:ident;)*) => {$(
        #[doc = concat!("See ", stringify!($one), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $one(
            fd: i32, buf: $buffer, len: size_t, offset: off_t
        ) -> ssize_t {
            let vector = iovec { iov_base: buf as *mut c_void, iov_len: len };
            // SAFETY: one live entry, for which the caller vouches.
            unsafe { by_offset($transfer, fd, &raw const vector, 1, offset) }.unwrap_or_else(
                || real!($one(fd, buf, len, offset): fn(i32, $buffer, size_t, off_t) -> ssize_t),
            )
        }

        #[doc = concat!("See ", stringify!($list), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $list(
            fd: i32, iov: *const iovec, count: i32, offset: off_t
        ) -> ssize_t {
            let plain = || real!(
                $list(fd, iov, count, offset): fn(i32, *const iovec, i32, off_t) -> ssize_t
            );
            // SAFETY: the caller vouches for the list.
            unsafe { by_offset($transfer, fd, iov, count, offset) }.unwrap_or_else(plain)
        }

        #[doc = concat!("See ", stringify!($flagged), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $flagged(
            fd: i32, iov: *const iovec, count: i32, offset: off_t, flags: i32
        ) -> ssize_t {
            // SAFETY: the caller vouches for the list.
            if let Some(result) = unsafe { by_flags($transfer, fd, iov, count, offset, flags) } {
                return result;
            }
            let plain = || real!(
                $flagged(fd, iov, count, offset, flags):
                    fn(i32, *const iovec, i32, off_t, i32) -> ssize_t
            );
            let may_wait = flags != 0 && flags & libc::RWF_NOWAIT == 0;
            if may_wait { lisle_rt::blocking(plain) } else { plain() }
        }
    )*};
}

transfers! { read_from, *mut c_void:
    pread preadv preadv2;
    pread64 preadv64 preadv64v2;
}

transfers! { write_to, *const c_void:
    pwrite pwritev pwritev2;
    pwrite64 pwritev64 pwritev64v2;
}
