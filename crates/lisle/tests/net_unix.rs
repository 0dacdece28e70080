//! Unix-domain sockets of std on coroutines.

mod util;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use util::{Actor, everywhere, on_workers, spawn_running};

/// A path nobody uses, removed again in the end.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lisle-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        SocketPath(std::env::temp_dir().join(name))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // A test that failed may not have made it.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_pair_talks() {
    everywhere(|| {
        for other in 0..2 {
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            let other = Actor::spawn(other, move || {
                let mut word = [0; 4];
                theirs.read_exact(&mut word).unwrap();
                word.reverse();
                theirs.write_all(&word).unwrap();
            });
            ours.write_all(b"abcd").unwrap();
            let mut reply = String::new();
            ours.read_to_string(&mut reply).unwrap();
            assert_eq!(reply, "dcba");
            other.join();
        }
    });
}

#[test]
fn a_listener_serves() {
    everywhere(|| {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        let server = lisle::spawn(move || {
            for stream in listener.incoming().take(20) {
                let mut stream = stream.unwrap();
                lisle::spawn(move || {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    stream.write_all(&[byte[0] * 2]).unwrap();
                });
            }
        });
        let clients: Vec<_> = (0..20_u8)
            .map(|own| {
                let path = path.0.clone();
                Actor::spawn(own.into(), move || {
                    let mut stream = UnixStream::connect(path).unwrap();
                    stream.write_all(&[own]).unwrap();
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    byte[0]
                })
            })
            .collect();
        for (own, client) in (0..).zip(clients) {
            assert_eq!(client.join(), own * 2);
        }
        server.join().unwrap();
    });
}

/// Alone in a process: what other tests fork holds a socket for a moment after it was closed here.
#[test]
fn connections_to_nobody_fail() {
    on_workers(|| {
        let path = SocketPath::new();
        assert_eq!(UnixStream::connect(&path.0).unwrap_err().kind(), ErrorKind::NotFound);
        drop(UnixListener::bind(&path.0).unwrap());
        assert_eq!(UnixStream::connect(&path.0).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn connecting_waits_for_room_in_the_backlog() {
    everywhere(|| {
        // Where TCP would drop the request, a Unix socket makes the client wait.
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        // SAFETY: a plain call on a listening socket: its backlog is made as short as can be.
        let set = unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 0) };
        assert_eq!(set, 0);
        let clients: Vec<_> = (0..10)
            .map(|_| {
                let path = path.0.clone();
                lisle::spawn(move || UnixStream::connect(path).map(drop).unwrap())
            })
            .collect();
        for _ in 0..10 {
            lisle::yield_now();
        }
        for _ in 0..10 {
            listener.accept().unwrap();
        }
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
}

#[test]
fn large_writes_are_whole() {
    everywhere(|| {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let reader = lisle::spawn(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).unwrap();
            all.len()
        });
        assert_eq!(ours.write(&vec![7; 10 << 20]).unwrap(), 10 << 20);
        ours.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.join().unwrap(), 10 << 20);
        assert_eq!(ours.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn timeouts_and_nonblocking_mode() {
    everywhere(|| {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let timeout = Duration::from_millis(50);
        ours.set_read_timeout(Some(timeout)).unwrap();
        let start = Instant::now();
        assert_eq!(ours.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(start.elapsed() >= timeout - Duration::from_millis(10));
        assert!(start.elapsed() < Duration::from_secs(5));
        theirs.set_nonblocking(true).unwrap();
        assert_eq!(theirs.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        theirs.set_nonblocking(false).unwrap();
        let reader = spawn_running(move || theirs.read(&mut [0; 8]).unwrap());
        ours.write_all(b"abc").unwrap();
        assert_eq!(reader.join().unwrap(), 3);
    });
}

#[test]
fn datagrams_keep_their_bounds_and_full_queues_hold_the_sender() {
    everywhere(|| {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        // Many more than a queue takes.
        let sender = lisle::spawn(move || {
            for own in 0..2000_u32 {
                theirs.send(&vec![1; (own % 7) as usize + 1]).unwrap();
            }
        });
        for own in 0..2000_u32 {
            assert_eq!(ours.recv(&mut [0; 16]).unwrap(), (own % 7) as usize + 1);
        }
        sender.join().unwrap();
    });
}

#[test]
fn datagrams_between_bound_sockets() {
    everywhere(|| {
        let [here, there] = [0; 2].map(|_| SocketPath::new());
        let ours = UnixDatagram::bind(&here.0).unwrap();
        let theirs = UnixDatagram::bind(&there.0).unwrap();
        let from = there.0.clone();
        let receiver = spawn_running(move || {
            let mut buffer = [0; 8];
            let (count, sender) = ours.recv_from(&mut buffer).unwrap();
            assert_eq!(sender.as_pathname(), Some(&*from));
            buffer[..count].to_vec()
        });
        theirs.send_to(b"hello", &here.0).unwrap();
        assert_eq!(receiver.join().unwrap(), b"hello");
    });
}
