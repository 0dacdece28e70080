//! `pread`, `pwrite` and their vectored forms: from a place in the file that is given.

use std::ffi::c_void;

use libc::{iovec, off_t, size_t, ssize_t};
use lisle_sys::Errno;

use super::files::{read_from, write_to};
use crate::define::on_coroutines;
use crate::real::{outcome, real};

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
    ($transfer:ident, $buffer:ty: $($one:ident $here:ident $list:ident $flagged:ident;)*) => {$(
        on_coroutines! {
            $one(fd: i32, buf: $buffer, len: size_t, offset: off_t) -> ssize_t = $here;
        }

        /// # Safety
        /// As for the call.
        #[inline(never)]
        unsafe extern "C-unwind" fn $here(
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
    pread pread_here preadv preadv2;
    pread64 pread64_here preadv64 preadv64v2;
}

transfers! { write_to, *const c_void:
    pwrite pwrite_here pwritev pwritev2;
    pwrite64 pwrite64_here pwritev64 pwritev64v2;
}
