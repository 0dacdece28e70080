//! A descriptor that other threads make readable.

use crate::{Errno, fd, syscall};

/// A counter behind a descriptor, closed on drop.
#[derive(Debug)]
pub struct EventFd {
    fd: i32,
}

impl EventFd {
    /// A counter at zero; its reads and writes never block.
    ///
    /// # Errors
    /// The kernel's, when descriptors or memory are exhausted.
    pub fn new() -> Result<Self, Errno> {
        let flags = (libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) as usize;
        // SAFETY: no pointers are passed.
        let fd = unsafe { syscall(libc::SYS_eventfd2, [0, flags, 0, 0, 0, 0])? };
        Ok(EventFd { fd: fd as i32 })
    }

    /// The descriptor, for registration.
    pub fn fd(&self) -> i32 {
        self.fd
    }

    /// Makes the descriptor readable.
    pub fn signal(&self) {
        let one = 1_u64;
        // SAFETY: eight bytes are read from a live word. The only failure is a full counter,
        // which is readable as wanted.
        let _ = unsafe {
            syscall(libc::SYS_write, [self.fd as usize, (&raw const one) as usize, 8, 0, 0, 0])
        };
    }

    /// Makes the descriptor unreadable.
    pub fn clear(&self) {
        let mut count = 0_u64;
        // SAFETY: eight bytes are written to a live word. The only failure is a counter at zero,
        // which is unreadable as wanted.
        let _ = unsafe {
            syscall(libc::SYS_read, [self.fd as usize, (&raw mut count) as usize, 8, 0, 0, 0])
        };
    }
}

impl Drop for EventFd {
    fn drop(&mut self) {
        fd::close(self.fd);
    }
}
