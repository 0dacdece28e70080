//! Requests.

use libc::{iovec, msghdr, sockaddr, socklen_t};

const OP_NOP: u8 = 0;
const OP_READV: u8 = 1;
const OP_WRITEV: u8 = 2;
const OP_POLL_ADD: u8 = 6;
const OP_SENDMSG: u8 = 9;
const OP_RECVMSG: u8 = 10;
const OP_ACCEPT: u8 = 13;
const OP_CONNECT: u8 = 16;
const OP_SEND: u8 = 26;
const OP_RECV: u8 = 27;

/// All of them, which the kernel must know, and how to call what it lacks.
pub(super) const OPERATIONS: [(u8, &str); 10] = [
    (OP_NOP, "doing nothing (5.1)"),
    (OP_READV, "reading (5.1)"),
    (OP_WRITEV, "writing (5.1)"),
    (OP_POLL_ADD, "polling (5.1)"),
    (OP_SENDMSG, "sending messages (5.3)"),
    (OP_RECVMSG, "receiving messages (5.3)"),
    (OP_ACCEPT, "accepting (5.5)"),
    (OP_CONNECT, "connecting (5.5)"),
    (OP_SEND, "sending (5.6)"),
    (OP_RECV, "receiving (5.6)"),
];

/// Answers to a poll until it is cancelled.
const POLL_ADD_MULTI: u32 = 1;

/// There is likely nothing to receive yet: wait for it before the first attempt (5.19).
const RECEIVE_POLL_FIRST: u16 = 1;

/// To be done by a thread of the kernel from the start.
const SQE_ASYNC: u8 = 1 << 4;

/// Read or write at the current position, and move it.
pub const CURRENT_POSITION: u64 = u64::MAX;

/// `struct io_uring_sqe`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct Entry {
    operation: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    len: u32,
    operation_flags: u32,
    /// Comes back with the answer.
    pub data: u64,
    more: [u64; 3],
}

const _: () = assert!(size_of::<Entry>() == 64);

impl Entry {
    /// A request that is answered at once.
    pub fn nothing(data: u64) -> Self {
        Entry { operation: OP_NOP, fd: -1, data, ..Entry::default() }
    }

    /// `poll` of one descriptor.
    pub fn poll(fd: i32, events: u32) -> Self {
        Entry { operation: OP_POLL_ADD, fd, operation_flags: events, ..Entry::default() }
    }

    /// `poll` of one descriptor, answered for each event.
    pub fn poll_on(fd: i32, events: u32) -> Self {
        Entry { len: POLL_ADD_MULTI, ..Entry::poll(fd, events) }
    }

    /// `recv`.
    #[inline]
    pub fn receive(fd: i32, buf: *mut u8, len: usize, flags: i32) -> Self {
        Entry::new(OP_RECV, fd, buf, part(len), flags)
    }

    /// `recv` where the last one left nothing: the kernel does not try before it waits.
    #[inline]
    pub fn receive_later(fd: i32, buf: *mut u8, len: usize, flags: i32) -> Self {
        Entry { priority: RECEIVE_POLL_FIRST, ..Entry::receive(fd, buf, len, flags) }
    }

    /// `send`.
    #[inline]
    pub fn send(fd: i32, buf: *const u8, len: usize, flags: i32) -> Self {
        Entry::new(OP_SEND, fd, buf, part(len), flags)
    }

    /// `recvmsg`.
    pub fn receive_message(fd: i32, message: *mut msghdr, flags: i32) -> Self {
        Entry::new(OP_RECVMSG, fd, message, 1, flags)
    }

    /// `sendmsg`.
    pub fn send_message(fd: i32, message: *const msghdr, flags: i32) -> Self {
        Entry::new(OP_SENDMSG, fd, message, 1, flags)
    }

    /// `accept4`.
    pub fn accept(fd: i32, address: *mut sockaddr, len: *mut socklen_t, flags: i32) -> Self {
        Entry { offset: len as u64, ..Entry::new(OP_ACCEPT, fd, address, 0, flags) }
    }

    /// `connect`.
    pub fn connect(fd: i32, address: *const sockaddr, len: socklen_t) -> Self {
        Entry { offset: len.into(), ..Entry::new(OP_CONNECT, fd, address, 0, 0) }
    }

    /// `preadv2`, or `readv` at [`CURRENT_POSITION`].
    pub fn read(fd: i32, iov: *const iovec, count: usize, offset: u64, flags: i32) -> Self {
        Entry { offset, ..Entry::new(OP_READV, fd, iov, part(count), flags) }
    }

    /// `pwritev2`, or `writev` at [`CURRENT_POSITION`].
    pub fn write(fd: i32, iov: *const iovec, count: usize, offset: u64, flags: i32) -> Self {
        Entry { offset, ..Entry::new(OP_WRITEV, fd, iov, part(count), flags) }
    }

    #[inline]
    /// The same by a thread of the kernel, which may block. For files that know of no attempt
    /// without waiting: where they are ready the kernel would do the request while it is submitted,
    /// and block the submitter, with the ring locked, if it takes more than what is there.
    pub fn in_background(self) -> Self {
        Entry { flags: self.flags | SQE_ASYNC, ..self }
    }

    fn new<T>(operation: u8, fd: i32, address: *const T, len: u32, flags: i32) -> Self {
        Entry {
            operation,
            fd,
            address: address as u64,
            len,
            operation_flags: flags as u32,
            ..Entry::default()
        }
    }
}

/// A length as the kernel takes it; transfers are no longer than that anyway.
#[inline]
fn part(len: usize) -> u32 {
    const MAX_RW_COUNT: usize = 0x7fff_f000;
    len.min(MAX_RW_COUNT) as u32
}
