//! Moving bytes between descriptors within the kernel.

use libc::{c_int, c_uint, iovec, loff_t, off_t, size_t, ssize_t};
use lisle_rt::descriptor::Descriptor;
use lisle_sys::fd as sys;

use crate::define::stoppable_if;
use crate::facts::{self, Kind};
use crate::gate::Gate;
use crate::real::real;
use crate::stop::{Failure, elsewhere, may_begin};

/// What is sent from files on sockets that do not block: it waits for a disk at most.
static FILES: Gate = Gate::new();

/// Whether an end of a `splice` with `SPLICE_F_NONBLOCK` cannot wait: a pipe, for which the flag
/// counts, or a file that the user set not to block.
fn never_waits(fd: i32) -> bool {
    let Some(descriptor) = Descriptor::new(fd) else { return false };
    match sys::identity(fd) {
        Ok((libc::S_IFIFO, _)) => true,
        Ok((libc::S_IFREG | libc::S_IFBLK, _)) => false,
        Ok(_) => facts::is_nonblocking(fd, &descriptor),
        // An error, at once.
        Err(_) => true,
    }
}

/// Whether a call whose ends both are pipes, or which names one that is, may wait.
fn waits(flags: c_uint) -> bool {
    flags & libc::SPLICE_F_NONBLOCK == 0
}

stoppable_if! {
    splice(
        from: c_int,
        from_offset: *mut loff_t,
        to: c_int,
        to_offset: *mut loff_t,
        len: size_t,
        flags: c_uint,
    ) -> ssize_t: lisle_rt::can_suspend()
        && (waits(flags) || !never_waits(from) || !never_waits(to));
    tee(from: c_int, to: c_int, len: size_t, flags: c_uint) -> ssize_t: waits(flags);
    vmsplice(fd: c_int, iov: *const iovec, count: size_t, flags: c_uint) -> ssize_t: waits(flags);
}

/// Whether it sends from a file on a socket that the user set not to block.
fn only_reads(to: c_int, from: c_int) -> bool {
    let (Some(to_descriptor), Some(from_descriptor)) = (Descriptor::new(to), Descriptor::new(from))
    else {
        return false;
    };
    facts::kind(from, &from_descriptor) == Kind::File
        && facts::kind(to, &to_descriptor).is_socket()
        && facts::is_nonblocking(to, &to_descriptor)
}

/// Bytes that are copied in place at most.
const LARGE: usize = 256 << 10;

/// Defines `sendfile` and the same with `64`.
macro_rules! sending {
    ($($name:ident($offset:ty);)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            to: c_int, from: c_int, offset: *mut $offset, len: size_t
        ) -> ssize_t {
            let plain = || real!(
                $name(to, from, offset, len): fn(c_int, c_int, *mut $offset, size_t) -> ssize_t
            );
            if !lisle_rt::can_suspend() {
                return plain();
            }
            if let Err(errno) = may_begin() {
                return Failure::fail(errno);
            }
            if len <= LARGE && only_reads(to, from) {
                FILES.run(plain)
            } else {
                elsewhere(plain)
            }
        }
    )*};
}

sending! {
    sendfile(off_t);
    sendfile64(loff_t);
}
