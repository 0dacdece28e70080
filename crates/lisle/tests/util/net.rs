//! Sockets and descriptors for tests.

use std::io;
use std::net::{TcpListener, TcpStream};

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
