//! Calls on pipes, sockets and descriptors as such, which find what they want.

use std::ffi::{c_int, c_void};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{epoll_event, pollfd, sockaddr, socklen_t};

use super::way::{Loop, Way, function, repeat};
use crate::Outcome;

type OfPlace = unsafe extern "C" fn(c_int, *mut c_void, usize) -> isize;
type OfBytes = unsafe extern "C" fn(c_int, *const c_void, usize) -> isize;
type Transmit = unsafe extern "C" fn(c_int, *const c_void, usize, c_int) -> isize;
type Receive = unsafe extern "C" fn(c_int, *mut c_void, usize, c_int) -> isize;
type ReceiveFrom =
    unsafe extern "C" fn(c_int, *mut c_void, usize, c_int, *mut sockaddr, *mut socklen_t) -> isize;
type Poll = unsafe extern "C" fn(*mut pollfd, libc::nfds_t, c_int) -> c_int;
type EpollWait = unsafe extern "C" fn(c_int, *mut epoll_event, c_int, c_int) -> c_int;
type Control = unsafe extern "C" fn(c_int, c_int, ...) -> c_int;
type OfNumber = unsafe extern "C" fn(c_int) -> c_int;

fn reason(error: io::Error) -> String {
    error.to_string()
}

/// A byte is written and read.
pub(super) fn pipe(way: Way) -> Outcome<Loop> {
    let write = function!(way, libc::write: OfBytes);
    let read = function!(way, libc::read: OfPlace);
    let (reader, writer) = io::pipe().map_err(reason)?;
    repeat(move || {
        let mut byte = 7_u8;
        let place = (&raw mut byte).cast();
        // SAFETY: a live byte.
        unsafe {
            write(writer.as_raw_fd(), place, 1) == 1 && read(reader.as_raw_fd(), place, 1) == 1
        }
    })
}

/// A byte is sent the way std does, and received.
pub(super) fn tcp_as_std(way: Way) -> Outcome<Loop> {
    exchange(way, libc::MSG_NOSIGNAL)
}

/// A byte is sent without a flag, and received.
pub(super) fn tcp(way: Way) -> Outcome<Loop> {
    exchange(way, 0)
}

fn exchange(way: Way, flags: c_int) -> Outcome<Loop> {
    let send = function!(way, libc::send: Transmit);
    let receive = function!(way, libc::recv: Receive);
    let (here, there) = connection().map_err(reason)?;
    repeat(move || {
        let mut byte = 7_u8;
        let place = (&raw mut byte).cast();
        // SAFETY: a live byte.
        unsafe {
            send(here.as_raw_fd(), place, 1, flags) == 1
                && receive(there.as_raw_fd(), place, 1, 0) == 1
        }
    })
}

/// Both ends of a connection on the loopback interface.
fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let here = TcpStream::connect(listener.local_addr()?)?;
    let (there, _) = listener.accept()?;
    here.set_nodelay(true)?;
    Ok((here, there))
}

/// A datagram is looked at and stays there, so that this is one call.
pub(super) fn datagrams(way: Way) -> Outcome<Loop> {
    let receive = function!(way, libc::recvfrom: ReceiveFrom);
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(reason)?;
    let own = socket.local_addr().map_err(reason)?;
    socket.send_to(&[7], own).map_err(reason)?;
    repeat(move || {
        let (fd, mut byte) = (socket.as_raw_fd(), 0_u8);
        let (place, flags) = ((&raw mut byte).cast(), libc::MSG_PEEK);
        // SAFETY: a live byte; nobody wants to know the sender.
        unsafe { receive(fd, place, 1, flags, ptr::null_mut(), ptr::null_mut()) == 1 }
    })
}

/// What is ready is asked for without waiting.
pub(super) fn poll_at_once(way: Way) -> Outcome<Loop> {
    poll_for(way, 0)
}

/// What is ready is waited for.
pub(super) fn poll(way: Way) -> Outcome<Loop> {
    poll_for(way, -1)
}

fn poll_for(way: Way, timeout: c_int) -> Outcome<Loop> {
    let poll = function!(way, libc::poll: Poll);
    let (reader, writer) = readable().map_err(reason)?;
    repeat(move || {
        // The writer stays, or this would be about a pipe that was hung up.
        let _ = writer.as_raw_fd();
        let mut wanted = pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: a live structure.
        unsafe { poll(&raw mut wanted, 1, timeout) == 1 }
    })
}

/// A pipe with something to read.
fn readable() -> io::Result<(io::PipeReader, io::PipeWriter)> {
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(&[7])?;
    Ok((reader, writer))
}

/// What is ready in a set of one is waited for.
pub(super) fn epoll(way: Way) -> Outcome<Loop> {
    let wait = function!(way, libc::epoll_wait: EpollWait);
    let (reader, writer) = readable().map_err(reason)?;
    let set = epoll_set(reader.as_raw_fd()).map_err(reason)?;
    repeat(move || {
        // Both ends stay, or the set would be empty.
        let _ = (reader.as_raw_fd(), writer.as_raw_fd());
        let mut event = epoll_event { events: 0, u64: 0 };
        // SAFETY: a live place for one event.
        unsafe { wait(set.as_raw_fd(), &raw mut event, 1, -1) == 1 }
    })
}

fn epoll_set(fd: RawFd) -> io::Result<OwnedFd> {
    let mut event = epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    // SAFETY: numbers alone.
    let set = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if set < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nobody else's.
    let set = unsafe { OwnedFd::from_raw_fd(set) };
    // SAFETY: a live structure.
    match unsafe { libc::epoll_ctl(set.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) } {
        0 => Ok(set),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A descriptor's flags are asked for.
pub(super) fn flags(way: Way) -> Outcome<Loop> {
    let control = function!(way, libc::fcntl: Control);
    let (reader, _) = io::pipe().map_err(reason)?;
    // SAFETY: numbers alone.
    repeat(move || unsafe { control(reader.as_raw_fd(), libc::F_GETFL) >= 0 })
}

/// A descriptor is duplicated and closed.
pub(super) fn duplicate(way: Way) -> Outcome<Loop> {
    let dup = function!(way, libc::dup: OfNumber);
    let close = function!(way, libc::close: OfNumber);
    let (reader, _) = io::pipe().map_err(reason)?;
    // SAFETY: numbers alone; what is closed was just made.
    repeat(move || unsafe { close(dup(reader.as_raw_fd())) == 0 })
}
