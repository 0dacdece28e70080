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

use std::ffi::c_long;

use libc::iovec;
use lisle_rt::cancel;
use lisle_rt::descriptor::Descriptor;
use lisle_rt::request::{self, Performed};
use lisle_sys::uring::Entry;
use lisle_sys::{Errno, fd as sys, syscall};

use crate::facts::{self, Kind, Reading};
use crate::gate::Gate;
use crate::stop::{elsewhere, may_begin};
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
        elsewhere(|| if self.is_open() { call() } else { Err(Errno(libc::EBADF)) })
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
pub(super) unsafe fn read_from(
    fd: i32,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Option<Result<usize, Errno>> {
    let file = File::new(fd)?;
    if let Err(errno) = may_begin() {
        return Some(Err(errno));
    }
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
    const NUMBERS: Numbers = Numbers {
        one: [libc::SYS_read, libc::SYS_pread64],
        list: [libc::SYS_readv, libc::SYS_preadv],
    };
    // SAFETY: the caller's obligation.
    unsafe { NUMBERS.call(fd, iov, count, offset) }
}

/// System calls without and with an offset: for a buffer and for a list.
struct Numbers {
    one: [c_long; 2],
    list: [c_long; 2],
}

impl Numbers {
    /// Makes the cheapest that will do: the kernel takes some eighty nanoseconds for a list.
    ///
    /// # Safety
    /// As for `preadv` or `pwritev`.
    #[inline]
    unsafe fn call(
        &self,
        fd: i32,
        iov: *const iovec,
        count: usize,
        offset: Option<u64>,
    ) -> Result<usize, Errno> {
        let at = offset.map_or(0, |offset| offset as usize);
        let placed = usize::from(offset.is_some());
        // SAFETY: the caller's obligation.
        unsafe {
            let (number, place, len) = match count {
                1 => (self.one[placed], (*iov).iov_base as usize, (*iov).iov_len),
                _ => (self.list[placed], iov as usize, count),
            };
            syscall(number, [fd as usize, place, len, at, 0, 0])
        }
    }
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
            Some(Performed::Interrupted) if cancel::is_cancelled() => break,
            // Disks are not interrupted, but the wait for them is.
            Some(Performed::Interrupted | Performed::Done(Err(Errno::INTR))) => may_begin()?,
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
pub(super) unsafe fn write_to(
    fd: i32,
    iov: *const iovec,
    count: usize,
    offset: Option<u64>,
) -> Option<Result<usize, Errno>> {
    let file = File::new(fd)?;
    if let Err(errno) = may_begin() {
        return Some(Err(errno));
    }
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
    const NUMBERS: Numbers = Numbers {
        one: [libc::SYS_write, libc::SYS_pwrite64],
        list: [libc::SYS_writev, libc::SYS_pwritev],
    };
    // SAFETY: the caller's obligation.
    unsafe { NUMBERS.call(fd, iov, count, offset) }
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
