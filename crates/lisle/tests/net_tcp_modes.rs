//! TCP sockets on coroutines: timeouts and non-blocking mode, as the program sets them.

mod util;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use util::{Actor, everywhere, spawn_running, tcp_pair};

const TIMEOUT: Duration = Duration::from_millis(50);
/// Until when a timeout must have struck, on however busy a machine.
const AT_LAST: Duration = Duration::from_secs(5);

/// Runs `f` and checks that it failed with `WouldBlock` after about the timeout.
fn times_out<T: std::fmt::Debug>(f: impl FnOnce() -> std::io::Result<T>) {
    let start = Instant::now();
    let error = f().unwrap_err();
    let elapsed = start.elapsed();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    // The kernel's clock for these may tick up to 10 ms early or late.
    assert!(elapsed >= TIMEOUT - Duration::from_millis(10) && elapsed < AT_LAST, "{elapsed:?}");
}

/// More than the buffers of a connection hold.
static BIG: &[u8] = &[9; 64 << 20];

/// Writes until a write would have to wait for longer than it may; how much was written, and how
/// long that last write took.
fn fill(stream: &mut TcpStream) -> (usize, Duration) {
    let mut written = 0;
    loop {
        let start = Instant::now();
        match stream.write(BIG) {
            Ok(count) => {
                assert!(count < BIG.len());
                written += count;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break (written, start.elapsed());
            }
        }
    }
}

#[test]
fn a_read_times_out() {
    everywhere(|| {
        let (mut ours, mut theirs) = tcp_pair();
        ours.set_read_timeout(Some(TIMEOUT)).unwrap();
        times_out(|| ours.read(&mut [0; 8]));
        times_out(|| ours.peek(&mut [0; 8]));
        // The connection is as good as before.
        theirs.write_all(b"late").unwrap();
        let mut buffer = [0; 4];
        ours.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"late");
        times_out(|| ours.read(&mut buffer));
    });
}

#[test]
fn a_timeout_lets_others_run() {
    everywhere(|| {
        let (mut ours, _theirs) = tcp_pair();
        ours.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let reader = spawn_running(move || {
            let error = ours.read(&mut [0; 8]).unwrap_err();
            (error.kind(), told.try_recv())
        });
        // On a single worker this runs while the other waits, or it runs too late.
        tell.send(5).unwrap();
        assert_eq!(reader.join().unwrap(), (ErrorKind::WouldBlock, Ok(5)));
    });
}

#[test]
fn data_beats_the_timeout() {
    everywhere(|| {
        for writer in 0..2 {
            let (mut ours, mut theirs) = tcp_pair();
            ours.set_read_timeout(Some(Duration::from_secs(3600))).unwrap();
            let writer = Actor::spawn(writer, move || theirs.write_all(b"data").unwrap());
            let mut buffer = [0; 4];
            ours.read_exact(&mut buffer).unwrap();
            writer.join();
        }
    });
}

#[test]
fn a_timeout_can_be_taken_back() {
    everywhere(|| {
        let (mut ours, mut theirs) = tcp_pair();
        ours.set_read_timeout(Some(TIMEOUT)).unwrap();
        times_out(|| ours.read(&mut [0; 8]));
        ours.set_read_timeout(None).unwrap();
        let reader = lisle::spawn(move || ours.read(&mut [0; 8]).unwrap());
        lisle::sleep(2 * TIMEOUT);
        assert!(!reader.is_finished());
        theirs.write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap(), 1);
    });
}

#[test]
fn a_timeout_belongs_to_the_socket() {
    everywhere(|| {
        let (ours, _theirs) = tcp_pair();
        let mut other = ours.try_clone().unwrap();
        ours.set_read_timeout(Some(TIMEOUT)).unwrap();
        times_out(move || other.read(&mut [0; 8]));
        // Another socket that gets the same number does not inherit it.
        drop(ours);
        let (mut ours, mut theirs) = tcp_pair();
        let reader = lisle::spawn(move || ours.read(&mut [0; 8]).unwrap());
        lisle::sleep(2 * TIMEOUT);
        assert!(!reader.is_finished());
        theirs.write_all(b"xy").unwrap();
        assert_eq!(reader.join().unwrap(), 2);
    });
}

#[test]
fn a_write_times_out() {
    everywhere(|| {
        let (mut ours, mut theirs) = tcp_pair();
        ours.set_write_timeout(Some(TIMEOUT)).unwrap();
        // What the buffers took counts as success, as it does on an OS thread.
        let (mut written, last) = fill(&mut ours);
        assert!(last >= TIMEOUT - Duration::from_millis(10) && last < AT_LAST, "{last:?}");
        let reader = lisle::spawn(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).unwrap();
            all.len()
        });
        written += ours.write(&BIG[..1000]).unwrap();
        drop(ours);
        assert_eq!(reader.join().unwrap(), written);
    });
}

#[test]
fn an_accept_times_out() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let timeout = libc::timeval { tv_sec: 0, tv_usec: TIMEOUT.as_micros() as _ };
        // SAFETY: the option's value is a timeval of the given size.
        let set = unsafe {
            libc::setsockopt(
                listener.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const timeout).cast(),
                size_of_val(&timeout) as u32,
            )
        };
        assert_eq!(set, 0);
        times_out(|| listener.accept());
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.accept().unwrap();
    });
}

#[test]
fn a_nonblocking_socket_does_not_wait() {
    everywhere(|| {
        let (mut ours, mut theirs) = tcp_pair();
        ours.set_nonblocking(true).unwrap();
        assert_eq!(ours.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        fill(&mut ours);

        // The peer's mode is its own.
        let drained = lisle::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            assert!(theirs.read(&mut buffer).unwrap() > 0);
            theirs
        });
        let theirs = drained.join().unwrap();

        ours.set_nonblocking(false).unwrap();
        let reader = spawn_running(move || ours.read(&mut [0; 8]).unwrap());
        (&theirs).write_all(b"abc").unwrap();
        assert_eq!(reader.join().unwrap(), 3);
    });
}

#[test]
fn the_mode_is_shared_with_duplicates() {
    everywhere(|| {
        let (ours, _theirs) = tcp_pair();
        let mut duplicate = ours.try_clone().unwrap();
        duplicate.set_nonblocking(true).unwrap();
        assert_eq!((&ours).read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        ours.set_nonblocking(false).unwrap();
        duplicate.set_read_timeout(Some(TIMEOUT)).unwrap();
        times_out(|| duplicate.read(&mut [0; 8]));
    });
}

#[test]
fn a_blocking_socket_is_not_made_nonblocking_behind_the_programs_back() {
    everywhere(|| {
        let (mut ours, mut theirs) = tcp_pair();
        let fd = ours.as_raw_fd();
        // SAFETY: a plain query.
        let flags = move || unsafe { libc::fcntl(fd, libc::F_GETFL) };
        let before = flags();
        assert_eq!(before & libc::O_NONBLOCK, 0);
        let reader = spawn_running(move || ours.read(&mut [0; 8]).map(|_| ours).unwrap());
        assert_eq!(flags(), before, "while a coroutine waits");
        theirs.write_all(b"x").unwrap();
        let _ours = reader.join().unwrap();
        assert_eq!(flags(), before, "afterwards");
    });
}

#[test]
fn a_nonblocking_listener_does_not_wait() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        listener.set_nonblocking(false).unwrap();
        let address = listener.local_addr().unwrap();
        let client = lisle::spawn(move || TcpStream::connect(address).unwrap());
        listener.accept().unwrap();
        client.join().unwrap();
    });
}
