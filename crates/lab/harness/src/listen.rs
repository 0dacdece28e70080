//! The queue of connections that a listening socket keeps until they are accepted.

use std::ffi::c_int;
use std::io;
use std::os::fd::AsRawFd;

/// The length of the queue, where the kernel's `net.core.somaxconn` allows as much: Go's default,
/// and that of the servers in C.
const QUEUE: c_int = 4096;

// SAFETY: this is the declaration of listen(2).
unsafe extern "C" {
    /// Takes numbers alone; the kernel checks both.
    safe fn listen(socket: c_int, queue: c_int) -> c_int;
}

/// Lengthens the queue of a listening socket.
///
/// std's is 128 and tokio's 1024. A client that opens 1000 connections at once overflows the
/// former; who was turned away tries again a second later, which would be taken for the server's
/// latency. That is no difference between schedulers.
///
/// # Errors
/// With the kernel's error.
pub fn lengthen_queue(listener: &impl AsRawFd) -> io::Result<()> {
    match listen(listener.as_raw_fd(), QUEUE) {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn queue_holds_more_than_the_default() {
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        if most.trim().parse().is_ok_and(|most: u32| most < 300) {
            eprintln!("skipped: net.core.somaxconn allows no queue of 300");
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        lengthen_queue(&listener).unwrap();
        let address = listener.local_addr().unwrap();
        // Without it the 130th would be tried again and again, as nobody accepts.
        let streams: Vec<_> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert_eq!(streams.len(), 300);
        assert!(lengthen_queue(&streams[0]).is_err());
    }
}
