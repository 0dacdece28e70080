//! Readiness of many descriptors.

use std::time::Duration;

use crate::{Errno, clock, syscall};

/// An epoll instance, closed on drop.
#[derive(Debug)]
pub struct Epoll {
    fd: i32,
}

/// What the kernel reports: an event mask and the user's word.
pub type Event = libc::epoll_event;

impl Epoll {
    /// A new instance, not inherited by programs that are executed.
    ///
    /// # Errors
    /// The kernel's, when descriptors or memory are exhausted.
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: no pointers are passed.
        let fd = unsafe {
            syscall(libc::SYS_epoll_create1, [libc::EPOLL_CLOEXEC as usize, 0, 0, 0, 0, 0])?
        };
        Ok(Epoll { fd: fd as i32 })
    }

    /// Registers `fd` for `events`, to be reported with `data`.
    ///
    /// # Errors
    /// `EPERM` for files that are always ready, `EEXIST`, `EBADF`, `ENOSPC`, `ENOMEM`.
    pub fn add(&self, fd: i32, events: u32, data: u64) -> Result<(), Errno> {
        let mut event = Event { events, u64: data };
        self.control(libc::EPOLL_CTL_ADD, fd, &raw mut event)
    }

    /// Changes the registration of `fd`.
    ///
    /// # Errors
    /// `ENOENT` when it is not registered, `EBADF`.
    pub fn modify(&self, fd: i32, events: u32, data: u64) -> Result<(), Errno> {
        let mut event = Event { events, u64: data };
        self.control(libc::EPOLL_CTL_MOD, fd, &raw mut event)
    }

    /// Removes the registration of `fd`.
    ///
    /// # Errors
    /// `ENOENT` when it is not registered, `EBADF`.
    pub fn remove(&self, fd: i32) -> Result<(), Errno> {
        self.control(libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut())
    }

    /// The instance's own descriptor.
    pub fn fd(&self) -> i32 {
        self.fd
    }

    fn control(&self, op: i32, fd: i32, event: *mut Event) -> Result<(), Errno> {
        let args = [self.fd as usize, op as usize, fd as usize, event as usize, 0, 0];
        // SAFETY: `event` is a live event, or null where the operation ignores it.
        unsafe { syscall(libc::SYS_epoll_ctl, args) }.map(drop)
    }

    /// Waits for events until the timeout; `None` waits for as long as it takes.
    ///
    /// Timeouts are exact to the nanosecond where the kernel knows `epoll_pwait2` (5.11), and
    /// rounded up to milliseconds elsewhere.
    ///
    /// # Errors
    /// `EINTR`.
    pub fn wait(&self, events: &mut [Event], timeout: Option<Duration>) -> Result<usize, Errno> {
        let (buffer, len) = (events.as_mut_ptr() as usize, events.len());
        let timespec = timeout.map(|t| clock::timespec(t.as_nanos().min(u64::MAX as u128) as u64));
        let pointer = timespec.as_ref().map_or(0, |t| t as *const _ as usize);
        let args = [self.fd as usize, buffer, len, pointer, 0, 0];
        // SAFETY: the buffer has room for `len` events; the timespec lives until the return.
        match unsafe { syscall(libc::SYS_epoll_pwait2, args) } {
            // Some sandboxes refuse calls they do not know with EPERM.
            Err(Errno::NOSYS | Errno::PERM) => {}
            result => return result,
        }
        let millis =
            timeout.map_or(-1, |t| t.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as isize);
        let args = [self.fd as usize, buffer, len, millis as usize, 0, 0];
        // SAFETY: as above.
        unsafe { syscall(libc::SYS_epoll_pwait, args) }
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        crate::fd::close(self.fd);
    }
}
