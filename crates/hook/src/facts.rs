//! What is known of an open file: its kind, and settings that decide whether a call may wait.
//!
//! Kept in the word that the runtime has for each descriptor, which it zeroes when the descriptor
//! is closed:
//!
//! | bits | meaning |
//! |---|---|
//! | 0-7 | kind, 0 while unknown |
//! | 8 | `O_NONBLOCK` is set |
//! | 9 | a receive timeout is set |
//! | 10 | a send timeout is set |
//! | 11 | `O_DIRECT` is set |
//! | 12 | `O_DSYNC`, alone or as part of `O_SYNC`, is set |
//! | 13 | a file that does not know `RWF_NOWAIT` |
//! | 14 | a file in memory, or made up by the kernel; with bit 13 only |
//! | 15 | a socket whose `close` waits (`SO_LINGER`) |
//! | 16 | no other descriptor of this process has the open file |
//! | 32-63 | the value of `CHANGES` when bits 8-12 were read |
//!
//! Flags and timeouts belong to the open file, which duplicates share, so a change through any
//! descriptor voids what is known of all: `CHANGES` counts the calls that can change them. Only a
//! change through a descriptor that is the only one of its file (bit 16) voids no more than what is
//! known of that. Relaxed throughout: a call that races with a change of the settings may see
//! either.
//!
//! A file is known to have one descriptor if a hook made it, until a hook duplicates it or sends it
//! to somebody. What a forked child does with its own is not seen.

use std::sync::atomic::{AtomicU32, Ordering};

use lisle_rt::descriptor::{Descriptor, Direction};
use lisle_sys::{clock, fd as sys, socket};

/// How the descriptor can be operated on without blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A TCP socket: `MSG_DONTWAIT`; a short read means that everything was read.
    TcpStream = 1,
    /// Another stream socket: `MSG_DONTWAIT`.
    Stream = 2,
    /// A socket of messages: `MSG_DONTWAIT`.
    Datagram = 3,
    /// A Unix socket of messages: as before, but the receiver's room makes no event.
    UnixDatagram = 7,
    /// Pipes, eventfds, timerfds: `RWF_NOWAIT`.
    Nowait = 4,
    /// Terminals, inotify, signalfds: asked for readiness first.
    Polled = 5,
    /// Directories, devices that are always ready: the plain call.
    Plain = 6,
    /// Regular files and block devices: always ready, and yet slow.
    File = 8,
}

impl Kind {
    /// Whether it is some kind of socket.
    pub(crate) fn is_socket(self) -> bool {
        matches!(self, Kind::TcpStream | Kind::Stream | Kind::Datagram | Kind::UnixDatagram)
    }
}

const NONBLOCK: u64 = 1 << 8;
const RECEIVE_TIMEOUT: u64 = 1 << 9;
const SEND_TIMEOUT: u64 = 1 << 10;
const DIRECT: u64 = 1 << 11;
const SYNC: u64 = 1 << 12;
const NO_NOWAIT: u64 = 1 << 13;
const IN_MEMORY: u64 = 1 << 14;
const LINGER: u64 = 1 << 15;
const ALONE: u64 = 1 << 16;
/// What stays when settings are read anew.
const LASTING: u64 = 0xff | NO_NOWAIT | IN_MEMORY | LINGER | ALONE;

/// How a file can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// `RWF_NOWAIT`: what is in the page cache comes at once.
    Nowait,
    /// The plain call does not wait for a disk.
    InMemory,
    /// `O_DIRECT`: always from the disk.
    Direct,
    /// The plain call may take long.
    Slow,
}

/// Starts at 1, so that the all-zero word is out of date.
static CHANGES: AtomicU32 = AtomicU32::new(1);

/// To be called after a setting of an open file may have changed, through the descriptor `fd`.
pub(crate) fn changed(fd: i32) {
    if let Some(descriptor) = Descriptor::new(fd)
        && descriptor.facts().load(Ordering::Relaxed) & ALONE != 0
    {
        // A count of changes that never comes again.
        descriptor.facts().fetch_and(LASTING, Ordering::Relaxed);
    } else {
        CHANGES.fetch_add(1, Ordering::Relaxed);
    }
}

/// To be called before `fd` gets a duplicate.
pub(crate) fn shared(fd: i32) {
    if let Some(descriptor) = Descriptor::new(fd) {
        descriptor.facts().fetch_and(!ALONE, Ordering::Relaxed);
    }
}

/// The kind of file that `fd` is.
#[inline]
pub(crate) fn kind(fd: i32, descriptor: &Descriptor) -> Kind {
    match descriptor.facts().load(Ordering::Relaxed) as u8 {
        1 => Kind::TcpStream,
        2 => Kind::Stream,
        3 => Kind::Datagram,
        4 => Kind::Nowait,
        5 => Kind::Polled,
        6 => Kind::Plain,
        7 => Kind::UnixDatagram,
        8 => Kind::File,
        _ => {
            // Of a number that is not open nothing is to be remembered; the plain call says so.
            let Some(kind) = find_out(fd) else { return Kind::Plain };
            set_kind(descriptor, kind);
            kind
        }
    }
}

/// Notes a socket that was just made: everything about it is known.
pub(crate) fn learn(fd: i32, domain: i32, kind: i32, protocol: i32) {
    let nonblock = if kind & libc::SOCK_NONBLOCK != 0 { NONBLOCK } else { 0 };
    let kind = kind & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC);
    let protocol = match (domain, kind, protocol) {
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, 0) => libc::IPPROTO_TCP,
        _ => protocol,
    };
    let changes = u64::from(CHANGES.load(Ordering::Relaxed));
    note(fd, socket_kind(kind, domain, protocol) as u64 | nonblock | changes << 32);
}

/// Notes a socket that was just accepted from a listener, of which it has the kind and, as far as
/// it is told by its system call, nothing else: timeouts are inherited by some kinds.
pub(crate) fn inherit(fd: i32, listener: Option<&Descriptor>, flags: i32) {
    let known = listener.map_or(0, |listener| listener.facts().load(Ordering::Relaxed));
    let changes = u64::from(CHANGES.load(Ordering::Relaxed));
    let told = known & (RECEIVE_TIMEOUT | SEND_TIMEOUT) == 0 && known >> 32 == changes;
    if known & 0xff == 0 || !told {
        return forget(fd);
    }
    let nonblock = if flags & libc::SOCK_NONBLOCK != 0 { NONBLOCK } else { 0 };
    note(fd, known & 0xff | nonblock | changes << 32);
}

fn note(fd: i32, known: u64) {
    forget(fd);
    if let Some(descriptor) = Descriptor::new(fd) {
        descriptor.facts().store(known | ALONE, Ordering::Relaxed);
    }
}

/// Forgets what is known of a number that a new file was just given. There is something to forget
/// if the old file was closed in a way that no hook sees.
pub(crate) fn forget(fd: i32) {
    if let Some(descriptor) = Descriptor::new(fd)
        && descriptor.facts().load(Ordering::Relaxed) != 0
    {
        lisle_rt::closing(fd);
        lisle_rt::closed(fd);
    }
}

/// Corrects the kind.
pub(crate) fn set_kind(descriptor: &Descriptor, kind: Kind) {
    let facts = descriptor.facts();
    let known = facts.load(Ordering::Relaxed) & !0xff;
    facts.store(known | kind as u64, Ordering::Relaxed);
}

fn find_out(fd: i32) -> Option<Kind> {
    Some(match sys::identity(fd).ok()?.0 {
        libc::S_IFSOCK => {
            let option = |name| socket::option(fd, name).unwrap_or(0);
            socket_kind(option(libc::SO_TYPE), option(libc::SO_DOMAIN), option(libc::SO_PROTOCOL))
        }
        libc::S_IFREG | libc::S_IFBLK => Kind::File,
        libc::S_IFDIR | libc::S_IFLNK => Kind::Plain,
        // Anonymous files have no type; many, like pipes, know RWF_NOWAIT.
        _ => Kind::Nowait,
    })
}

fn socket_kind(kind: i32, domain: i32, protocol: i32) -> Kind {
    match (kind, domain) {
        (libc::SOCK_STREAM, libc::AF_INET | libc::AF_INET6) if protocol == libc::IPPROTO_TCP => {
            Kind::TcpStream
        }
        (libc::SOCK_STREAM, _) => Kind::Stream,
        (libc::SOCK_DGRAM, libc::AF_UNIX) => Kind::UnixDatagram,
        _ => Kind::Datagram,
    }
}

/// Whether it is known to be a TCP connection whose calls in this direction wait for as long as it
/// takes.
#[inline]
pub(crate) fn is_simple(descriptor: &Descriptor, direction: Direction) -> bool {
    let timeout = match direction {
        Direction::Read => RECEIVE_TIMEOUT,
        Direction::Write => SEND_TIMEOUT,
    };
    let known = descriptor.facts().load(Ordering::Relaxed);
    let changes = u64::from(CHANGES.load(Ordering::Relaxed));
    known & (0xff | NONBLOCK | timeout) == Kind::TcpStream as u64 && known >> 32 == changes
}

/// Whether the user wants this open file not to block.
#[inline]
pub(crate) fn is_nonblocking(fd: i32, descriptor: &Descriptor) -> bool {
    settings(fd, descriptor) & NONBLOCK != 0
}

/// When an operation that begins to wait now is to give up, by the socket's own timeout.
#[inline]
pub(crate) fn deadline(fd: i32, descriptor: &Descriptor, direction: Direction) -> Option<u64> {
    let (bit, name) = match direction {
        Direction::Read => (RECEIVE_TIMEOUT, libc::SO_RCVTIMEO),
        Direction::Write => (SEND_TIMEOUT, libc::SO_SNDTIMEO),
    };
    if settings(fd, descriptor) & bit == 0 {
        return None;
    }
    socket::timeout(fd, name).ok()?.map(|nanos| clock::now().saturating_add(nanos))
}

/// How the file can be read.
pub(crate) fn reading(fd: i32, descriptor: &Descriptor) -> Reading {
    match settings(fd, descriptor) {
        known if known & DIRECT != 0 => Reading::Direct,
        known if known & NO_NOWAIT == 0 => Reading::Nowait,
        known if known & IN_MEMORY != 0 => Reading::InMemory,
        _ => Reading::Slow,
    }
}

/// Notes that the file does not know `RWF_NOWAIT`.
pub(crate) fn set_no_nowait(fd: i32, descriptor: &Descriptor) {
    let in_memory = matches!(
        sys::file_system(fd),
        Ok(libc::PROC_SUPER_MAGIC
            | libc::SYSFS_MAGIC
            | libc::TMPFS_MAGIC
            | libc::CGROUP_SUPER_MAGIC
            | libc::CGROUP2_SUPER_MAGIC)
    );
    let bits = NO_NOWAIT | if in_memory { IN_MEMORY } else { 0 };
    let facts = descriptor.facts();
    facts.store(facts.load(Ordering::Relaxed) | bits, Ordering::Relaxed);
}

/// Notes that closing the socket waits until what was sent has been received.
pub(crate) fn set_linger(fd: i32) {
    if let Some(descriptor) = Descriptor::new(fd) {
        descriptor.facts().fetch_or(LINGER, Ordering::Relaxed);
    }
}

/// Whether closing the descriptor may wait.
pub(crate) fn lingers(fd: i32) -> bool {
    lisle_rt::can_suspend()
        && Descriptor::new(fd).is_some_and(|d| d.facts().load(Ordering::Relaxed) & LINGER != 0)
}

/// Whether each write to the file waits for the disk.
pub(crate) fn writes_through(fd: i32, descriptor: &Descriptor) -> bool {
    settings(fd, descriptor) & (DIRECT | SYNC) != 0
}

#[inline]
fn settings(fd: i32, descriptor: &Descriptor) -> u64 {
    let facts = descriptor.facts();
    let kind = kind(fd, descriptor);
    let known = facts.load(Ordering::Relaxed);
    let changes = u64::from(CHANGES.load(Ordering::Relaxed));
    // Terminals and pipes are often shared with other processes, so they are asked each time.
    if (kind.is_socket() || kind == Kind::File) && known >> 32 == changes {
        return known;
    }
    let mut fresh = known & LASTING | changes << 32;
    let flags = sys::status_flags(fd).unwrap_or(0);
    let bits = [(NONBLOCK, libc::O_NONBLOCK), (DIRECT, libc::O_DIRECT), (SYNC, libc::O_DSYNC)];
    for (bit, flag) in bits {
        if flags & flag != 0 {
            fresh |= bit;
        }
    }
    if kind.is_socket() {
        let timeouts = [(RECEIVE_TIMEOUT, libc::SO_RCVTIMEO), (SEND_TIMEOUT, libc::SO_SNDTIMEO)];
        for (bit, name) in timeouts {
            if matches!(socket::timeout(fd, name), Ok(Some(_))) {
                fresh |= bit;
            }
        }
    }
    facts.store(fresh, Ordering::Relaxed);
    fresh
}
