//! Sockets and descriptors for tests.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Both ends of a TCP connection over the loopback interface.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The kernel completes the connection; `accept` only fetches it.
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    (ours, theirs)
}

/// Lets this process have `count` descriptors open, or none but `count` if it may have more.
pub(crate) fn allow_files(count: u64) {
    // SAFETY: a zeroed rlimit is valid, and the calls write and read one.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = count;
        let set = libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        assert_eq!(set, 0, "RLIMIT_NOFILE {count}: {}", io::Error::last_os_error());
    }
}

/// Sets an option of a socket.
pub(crate) fn set_option<T>(socket: &impl AsRawFd, level: i32, name: i32, value: T) {
    let (fd, len) = (socket.as_raw_fd(), size_of::<T>() as libc::socklen_t);
    // SAFETY: a live value of that length.
    let set = unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), len) };
    assert_eq!(set, 0, "option {name}: {}", io::Error::last_os_error());
}

/// A time as options want it.
pub(crate) fn timeval(time: Duration) -> libc::timeval {
    libc::timeval { tv_sec: time.as_secs() as libc::time_t, tv_usec: time.subsec_micros().into() }
}
