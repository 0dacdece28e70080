//! `socket`, `accept` and `connect`.

use std::sync::atomic::{AtomicU32, Ordering};

use libc::{sockaddr, socklen_t};
use lisle_core::RawSpin;
use lisle_rt::descriptor::Direction;
use lisle_rt::request;
use lisle_sys::uring::Entry;
use lisle_sys::{Errno, fd as sys, socket, syscall};

use crate::facts::{self, Kind};
use crate::real::{outcome, real};
use crate::stop::elsewhere;
use crate::transfer::Operation;

/// See socket(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn socket(domain: i32, kind: i32, protocol: i32) -> i32 {
    let fd = real!(socket(domain, kind, protocol): fn(i32, i32, i32) -> i32);
    if fd >= 0 {
        facts::learn(fd, domain, kind, protocol);
    }
    fd
}

/// See accept(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn accept(
    fd: i32,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
) -> i32 {
    // SAFETY: the caller's obligation.
    match unsafe { accept_waiting(fd, address, address_len, 0) } {
        Some(result) => outcome(result) as i32,
        None => Turn::of(fd).accept_blocking(|| {
            real!(accept(fd, address, address_len): fn(i32, *mut sockaddr, *mut socklen_t) -> i32)
        }),
    }
}

/// See accept4(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn accept4(
    fd: i32,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
    flags: i32,
) -> i32 {
    // SAFETY: the caller's obligation.
    match unsafe { accept_waiting(fd, address, address_len, flags) } {
        Some(result) => outcome(result) as i32,
        None => Turn::of(fd).accept_blocking(|| {
            real!(
                accept4(fd, address, address_len, flags):
                    fn(i32, *mut sockaddr, *mut socklen_t, i32) -> i32
            )
        }),
    }
}

/// None where the plain call is right.
///
/// # Safety
/// As for `accept4`.
unsafe fn accept_waiting(
    fd: i32,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
    flags: i32,
) -> Option<Result<usize, Errno>> {
    let accept = |fd: i32| {
        let args = [fd as usize, address as usize, address_len as usize, flags as usize, 0, 0];
        // SAFETY: the caller's obligation.
        unsafe { syscall(libc::SYS_accept4, args) }
    };
    let mut operation = Operation::new(fd, Direction::Read)?;
    if operation.is_nonblocking() {
        return None;
    }
    if let Err(errno) = operation.begin() {
        return Some(Err(errno));
    }
    if request::available() {
        let entry = |fd| Entry::accept(fd, address, address_len, flags);
        // SAFETY: the caller's obligation.
        let result = unsafe { operation.submit_now(entry) }.unwrap_or(Err(Errno::AGAIN));
        return Some(operation.accepted(result, flags));
    }
    let turn = Turn::of(fd);
    let result = operation.run(|fd| turn.accept_if_ready(fd, || accept(fd)));
    if result == Err(BLOCK) {
        // The count keeps coroutines from taking this for a listener of theirs alone.
        return Some(elsewhere(|| turn.accept_blocking(|| accept(fd))));
    }
    Some(operation.accepted(result, flags))
}

/// Whose turn it is to accept from a listener.
///
/// Without io_uring there is no `accept` that does not block on a blocking socket, so coroutines
/// call it when the socket is ready. Two that saw the same connection would both call it and one
/// would block its worker; hence looking and calling is done by one at a time. OS threads that
/// accept from the same listener are counted, and while there are any, coroutines accept on spare
/// carriers, where blocking does no harm.
///
/// Listeners are told apart by their inode number, since duplicates of a descriptor share the
/// queue. Different ones may share a turn, which costs a little waiting.
struct Turn {
    lock: RawSpin,
    /// OS threads that are in `accept`, counted under the lock.
    threads: AtomicU32,
}

const TURNS: usize = 64;

static ALL: [Turn; TURNS] =
    [const { Turn { lock: RawSpin::new(), threads: AtomicU32::new(0) } }; TURNS];

/// Not an error that `accept` has: OS threads accept from this listener too.
const BLOCK: Errno = Errno(i32::MAX);

fn listens(fd: i32) -> bool {
    socket::option(fd, libc::SO_ACCEPTCONN) == Ok(1)
}

impl Turn {
    fn of(fd: i32) -> &'static Turn {
        let inode = sys::identity(fd).map_or(0, |(_, inode)| inode);
        &ALL[inode as usize % TURNS]
    }

    fn accept_if_ready(
        &self,
        fd: i32,
        accept: impl FnOnce() -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        if !self.try_lock() {
            return Err(BLOCK);
        }
        let result = if self.threads.load(Ordering::Relaxed) != 0 {
            Err(BLOCK)
        } else if sys::ready_now(fd, libc::POLLIN) == 0 && listens(fd) {
            Err(Errno::AGAIN)
        } else {
            // Also what does not listen: its error comes at once.
            accept()
        };
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }

    /// False if the lock is held for longer than two system calls take: by a thread that the kernel
    /// has stopped, or that does not exist in this child of a fork.
    fn try_lock(&self) -> bool {
        const TRIES: u32 = 1 << 20;
        (0..TRIES).any(|_| {
            self.lock.try_lock() || {
                std::hint::spin_loop();
                false
            }
        })
    }

    fn accept_blocking<R>(&self, accept: impl FnOnce() -> R) -> R {
        /// Ends the count also for an OS thread that is cancelled in the call.
        struct Accepting<'a>(&'a AtomicU32);
        impl Drop for Accepting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let locked = self.try_lock();
        self.threads.fetch_add(1, Ordering::Relaxed);
        let _accepting = Accepting(&self.threads);
        if locked {
            // SAFETY: locked above.
            unsafe { self.lock.unlock() };
        }
        accept()
    }
}

/// See connect(2).
///
/// Without io_uring there is no `connect` that does not block on a blocking socket, short of
/// setting `O_NONBLOCK` on it for others to see; so it blocks a spare carrier. So it does for
/// sockets that are not TCP's: what they wait for makes no event.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn connect(fd: i32, address: *const sockaddr, len: socklen_t) -> i32 {
    let plain = || real!(connect(fd, address, len): fn(i32, *const sockaddr, socklen_t) -> i32);
    let Some(mut operation) = Operation::new(fd, Direction::Write) else { return plain() };
    let kind = operation.kind();
    // Giving a datagram socket its peer waits for nothing.
    if operation.is_nonblocking() || matches!(kind, Kind::Datagram | Kind::UnixDatagram) {
        return plain();
    }
    if let Err(errno) = operation.begin() {
        return outcome(Err(errno)) as i32;
    }
    if kind != Kind::TcpStream || !request::available() {
        return elsewhere(plain);
    }
    // SAFETY: the caller's obligation.
    match unsafe { operation.submit(|fd| Entry::connect(fd, address, len)) } {
        // The attempt goes on, as after a timeout on a thread.
        None => outcome(Err(Errno(libc::EINPROGRESS))) as i32,
        // A thread waits for the connection that an earlier call began.
        Some(Err(Errno::AGAIN | Errno(libc::EALREADY))) => elsewhere(plain),
        Some(result) => outcome(result) as i32,
    }
}
