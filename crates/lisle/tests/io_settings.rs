//! What is remembered of a socket's settings is what they are: made, duplicated, sent away, closed.

mod util;

use std::io::{self, ErrorKind, Read, Write};
use std::mem::zeroed;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

use util::{aside, set_option, tcp_pair, twins};

const SHORT: Duration = Duration::from_millis(50);

/// The number, or the error's.
fn outcome<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    format!("{:?}", result.map_err(|error| error.raw_os_error()))
}

/// What reading tells, without waiting for ever.
fn read(mut stream: &TcpStream) -> String {
    outcome(stream.read(&mut [0; 8]))
}

#[test]
fn sockets_are_as_they_were_made() {
    twins(|_| {
        let kinds = [
            (libc::AF_INET, libc::SOCK_STREAM, 0),
            (libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0),
            (libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, libc::IPPROTO_UDP),
            (libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0),
            (libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0),
            (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_TCP),
            (-1, libc::SOCK_STREAM, 0),
        ];
        let mut lines = Vec::new();
        for (domain, kind, protocol) in kinds {
            // SAFETY: plain calls; the buffer has the room that is told.
            unsafe {
                let fd = libc::socket(domain, kind, protocol);
                let made = if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(0) };
                lines.push(format!("{domain} {kind} {protocol} {}", outcome(made)));
                if fd < 0 {
                    continue;
                }
                let flags = libc::fcntl(fd, libc::F_GETFL) & libc::O_NONBLOCK;
                // Those that wait would: nothing is connected, so streams tell at once.
                if flags != 0 || kind & libc::SOCK_DGRAM == 0 {
                    let got = libc::recv(fd, [0_u8; 8].as_mut_ptr().cast(), 8, 0);
                    let error = io::Error::last_os_error();
                    lines.push(outcome(if got < 0 { Err(error) } else { Ok(got) }));
                }
                lines.push(format!("{flags} {}", libc::close(fd)));
            }
        }
        lines
    });
}

#[test]
fn settings_belong_to_the_file_whichever_descriptor_changes_them() {
    twins(|_| {
        let (ours, mut theirs) = tcp_pair();
        theirs.write_all(b"a").unwrap();
        let mut lines = vec![read(&ours)];
        // SAFETY: a new descriptor, which nobody else has.
        let other = unsafe { TcpStream::from_raw_fd(libc::dup(ours.as_raw_fd())) };
        other.set_read_timeout(Some(SHORT)).unwrap();
        lines.push(format!("a timeout by dup: {}", read(&ours)));
        ours.set_read_timeout(None).unwrap();
        let third = other.try_clone().unwrap();
        third.set_nonblocking(true).unwrap();
        lines.push(format!("not to block by a clone: {}", read(&ours)));
        ours.set_nonblocking(false).unwrap();
        // SAFETY: both numbers are open and ours.
        unsafe { libc::dup2(ours.as_raw_fd(), third.as_raw_fd()) };
        third.set_read_timeout(Some(SHORT)).unwrap();
        lines.push(format!("a timeout by dup2: {}", read(&other)));
        theirs.write_all(b"b").unwrap();
        lines.push(read(&ours));
        lines
    });
}

#[test]
fn a_change_of_one_connection_changes_no_other() {
    twins(|coroutine| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
        let served: Vec<_> = clients.iter().map(|_| listener.accept().unwrap().0).collect();
        for stream in served.iter().step_by(2) {
            stream.set_read_timeout(Some(SHORT)).unwrap();
        }
        let partner = aside(coroutine, move || {
            // Only those with a timeout are let down.
            for (index, mut client) in clients.iter().enumerate() {
                if index % 2 == 1 {
                    client.write_all(&[index as u8]).unwrap();
                }
            }
            clients
        });
        let lines = served.iter().map(read).collect();
        drop(partner());
        lines
    });
}

/// Passes a duplicate of `fd` through a socket of its own.
fn sent_and_received(fd: &OwnedFd) -> OwnedFd {
    let (from, to) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut byte = [7_u8];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let mut control = [0_u64; 8];
    // SAFETY: the header names live memory of the lengths that it tells; control data is aligned.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as usize;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd.as_raw_fd());
        assert_eq!(libc::sendmsg(from.as_raw_fd(), &raw const message, 0), 1);
        message.msg_controllen = size_of_val(&control);
        assert_eq!(libc::recvmsg(to.as_raw_fd(), &raw mut message, 0), 1);
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<i32>().read_unaligned())
    }
}

#[test]
fn a_descriptor_sent_to_oneself_is_a_duplicate() {
    twins(|_| {
        let (ours, _theirs) = tcp_pair();
        let ours = OwnedFd::from(ours);
        let other = TcpStream::from(sent_and_received(&ours));
        other.set_nonblocking(true).unwrap();
        vec![read(&TcpStream::from(ours))]
    });
}

#[test]
fn closing_lingers_and_others_go_on() {
    twins(|coroutine| {
        let (ours, theirs) = tcp_pair();
        let linger = libc::linger { l_onoff: 1, l_linger: 1 };
        set_option(&ours, libc::SOL_SOCKET, libc::SO_LINGER, linger);
        // More than the other end takes without reading.
        ours.set_nonblocking(true).unwrap();
        while (&ours).write(&[1; 65536]).map_err(|error| error.kind()) != Err(ErrorKind::WouldBlock)
        {
        }
        ours.set_nonblocking(false).unwrap();
        let partner = aside(coroutine, move || theirs);
        let before = Instant::now();
        // SAFETY: the number is ours to close.
        let closed = unsafe { libc::close(ours.into_raw_fd()) };
        let lingered = before.elapsed() >= Duration::from_millis(900);
        drop(partner());
        vec![format!("{closed} lingered: {lingered}")]
    });
}
