//! Waits that end by their own time at the moment at which what they wait for comes.
//!
//! Whichever wins: no byte is lost, none comes twice, no connection falls between, and once a call
//! has returned its buffer is the coroutine's own again.

mod util;

use std::hint::black_box;
use std::io::{Error, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use util::{Random, on_workers, scaled, set_option, tcp_pair, timeval, yield_until};

/// What a place holds that nobody has written to.
const EMPTY: u8 = 0xa5;

/// The calls that receive, each into a buffer in its own frame.
#[derive(Clone, Copy, Debug)]
enum Way {
    Read,
    Readv,
    Recv,
    RecvFrom,
    RecvMsg,
}

const WAYS: [Way; 5] = [Way::Read, Way::Readv, Way::Recv, Way::RecvFrom, Way::RecvMsg];

/// Receives up to 64 bytes; the number of the error otherwise.
#[inline(never)]
fn receive(way: Way, fd: RawFd, all: &mut Vec<u8>) -> Result<usize, i32> {
    let mut place = [EMPTY; 64];
    let buffer = place.as_mut_ptr().cast();
    let mut part = libc::iovec { iov_base: buffer, iov_len: place.len() };
    // SAFETY: a live buffer of that length; an all-zero address and an all-zero message are valid.
    let got = unsafe {
        let mut from: libc::sockaddr_storage = std::mem::zeroed();
        let mut from_len = size_of_val(&from) as libc::socklen_t;
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        match way {
            Way::Read => libc::read(fd, buffer, 64),
            Way::Readv => libc::readv(fd, &raw const part, 1),
            Way::Recv => libc::recv(fd, buffer, 64, 0),
            Way::RecvFrom => {
                let address = (&raw mut from).cast();
                libc::recvfrom(fd, buffer, 64, 0, address, &raw mut from_len)
            }
            Way::RecvMsg => libc::recvmsg(fd, &raw mut message, 0),
        }
    };
    let Ok(count) = usize::try_from(got) else {
        let errno = Error::last_os_error().raw_os_error().unwrap();
        assert_eq!(black_box(place), [EMPTY; 64], "{way:?} failed and wrote");
        return Err(errno);
    };
    assert!(place[count..].iter().all(|&byte| byte == EMPTY), "{way:?} wrote more than {count}");
    all.extend_from_slice(&place[..count]);
    Ok(count)
}

/// Lets time pass over the place in which the frames of calls before were.
#[inline(never)]
fn nobody_writes_to_old_frames(waits: usize) {
    let mut place = [EMPTY; 4096];
    black_box(&mut place);
    (0..waits).for_each(|_| lisle::yield_now());
    assert!(black_box(&place).iter().all(|&byte| byte == EMPTY), "written after the return");
}

/// The byte at a position of every stream.
fn byte_at(position: usize) -> u8 {
    (position ^ position >> 8).wrapping_mul(31) as u8
}

/// Sets the shortest receive timeout that is not below `time` and returns it: the kernel counts in
/// ticks of its clock.
fn set_timeout(socket: &impl AsRawFd, time: Duration) -> Duration {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, timeval(time));
    // SAFETY: the socket is open, and not closed by this.
    let socket = unsafe { ManuallyDrop::new(TcpStream::from_raw_fd(socket.as_raw_fd())) };
    socket.read_timeout().unwrap().unwrap()
}

/// The chance of a sender to hit the end of a wait that takes `time`.
fn wait_about(time: Duration, random: &mut Random) {
    match random.below(10) {
        0..4 => lisle::sleep(time * (90 + random.below(21) as u32) / 100),
        4..6 => lisle::sleep(time * random.below(200) as u32 / 100),
        6..8 => (0..random.below(6)).for_each(|_| lisle::yield_now()),
        _ => {}
    }
}

/// Sends `chunks` chunks while the other end receives with a timeout; returns the timeouts.
fn race(way: Way, ours: OwnedFd, theirs: OwnedFd, chunks: usize, mut random: Random) -> usize {
    let time = set_timeout(&ours, Duration::from_micros(100));
    let mut theirs_random = random.fork();
    let sender = lisle::spawn(move || {
        let (mut sent, mut stream) = (0, std::fs::File::from(theirs));
        for _ in 0..chunks {
            let len = 1 + theirs_random.below(48);
            let chunk: Vec<u8> = (sent..sent + len).map(byte_at).collect();
            stream.write_all(&chunk).unwrap();
            sent += len;
            wait_about(time, &mut theirs_random);
        }
        sent
    });
    let (mut all, mut timeouts) = (Vec::new(), 0);
    loop {
        match receive(way, ours.as_raw_fd(), &mut all) {
            Ok(0) => break,
            Ok(_) => {}
            Err(errno) => {
                assert_eq!(errno, libc::EAGAIN, "{way:?}");
                timeouts += 1;
                nobody_writes_to_old_frames(random.below(4));
            }
        }
    }
    assert_eq!(all.len(), sender.join().unwrap(), "{way:?}");
    let wrong = all.iter().enumerate().find(|&(position, &byte)| byte != byte_at(position));
    assert_eq!(wrong, None, "{way:?}");
    timeouts
}

/// Races on streams made by `pair`: many at once, and that with as many seeds as it takes for
/// thousands of timeouts.
fn races(pair: fn() -> (OwnedFd, OwnedFd)) {
    let (mut timeouts, mut seed) = (0, 0);
    while timeouts < scaled(2000, 100) {
        seed += 1;
        let mut random = Random::new(seed);
        let pairs: Vec<_> = (0..scaled(150, 30))
            .map(|own| {
                let (ours, theirs) = pair();
                let random = random.fork();
                lisle::spawn(move || race(WAYS[own % WAYS.len()], ours, theirs, 40, random))
            })
            .collect();
        timeouts += pairs.into_iter().map(|one| one.join().unwrap()).sum::<usize>();
    }
}

#[test]
fn a_timeout_of_tcp_loses_no_byte() {
    on_workers(|| {
        races(|| {
            let (ours, theirs) = tcp_pair();
            (ours.into(), theirs.into())
        });
    });
}

#[test]
fn a_timeout_of_a_unix_stream_loses_no_byte() {
    on_workers(|| {
        races(|| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            (ours.into(), theirs.into())
        });
    });
}

#[test]
fn a_timeout_loses_no_datagram() {
    /// Messages of each sender.
    const N: usize = 150;
    on_workers(|| {
        let all: Vec<_> = (0..20)
            .map(|own| {
                lisle::spawn(move || {
                    let [ours, theirs] = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
                    theirs.connect(ours.local_addr().unwrap()).unwrap();
                    let time = set_timeout(&ours, Duration::from_micros(100));
                    let received = Arc::new(AtomicUsize::new(0));
                    let seen = Arc::clone(&received);
                    let sender = lisle::spawn(move || {
                        let mut random = Random::new(own as u64);
                        for number in 0..N {
                            // No more under way than the receiver's buffer holds.
                            yield_until(|| seen.load(Ordering::Acquire) + 100 > number);
                            theirs.send(&number.to_ne_bytes()).unwrap();
                            wait_about(time, &mut random);
                        }
                    });
                    let (mut timeouts, mut all) = (0, Vec::new());
                    while received.load(Ordering::Relaxed) < N {
                        match receive(WAYS[own % WAYS.len()], ours.as_raw_fd(), &mut all) {
                            Ok(len) => {
                                assert_eq!(len, 8);
                                received.fetch_add(1, Ordering::Release);
                            }
                            Err(errno) => {
                                assert_eq!(errno, libc::EAGAIN);
                                timeouts += 1;
                                nobody_writes_to_old_frames(2);
                            }
                        }
                    }
                    sender.join().unwrap();
                    let expected: Vec<u8> = (0..N).flat_map(usize::to_ne_bytes).collect();
                    assert_eq!(all, expected);
                    timeouts
                })
            })
            .collect();
        assert!(all.into_iter().map(|one| one.join().unwrap()).sum::<usize>() > 0);
    });
}

/// The sockets that this process has open. Other descriptors come and go with the workers.
fn open_sockets() -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = all.filter_map(|one| std::fs::read_link(one.unwrap().path()).ok());
    links.filter(|link| link.as_os_str().as_encoded_bytes().starts_with(b"socket:")).count()
}

#[inline(never)]
fn accept(listener: RawFd) -> Result<TcpStream, i32> {
    // SAFETY: an all-zero address is valid; the new descriptor is ours.
    unsafe {
        let mut from: libc::sockaddr_in = std::mem::zeroed();
        let mut len = size_of_val(&from) as libc::socklen_t;
        match libc::accept(listener, (&raw mut from).cast(), &raw mut len) {
            -1 => Err(Error::last_os_error().raw_os_error().unwrap()),
            fd => {
                let stream = TcpStream::from_raw_fd(fd);
                let peer = stream.peer_addr().unwrap();
                assert_eq!(peer.port(), u16::from_be(from.sin_port));
                Ok(stream)
            }
        }
    }
}

#[test]
fn a_timeout_loses_no_connection() {
    on_workers(|| {
        const CLIENTS: usize = 8;
        const EACH: usize = 50;
        let before = open_sockets();
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let time = set_timeout(&*listener, Duration::from_micros(100));
        let served = Arc::new(AtomicUsize::new(0));
        let acceptors = [0; 4].map(|_| {
            let (listener, served) = (Arc::clone(&listener), Arc::clone(&served));
            lisle::spawn(move || {
                let mut timeouts = 0;
                while served.load(Ordering::Relaxed) < CLIENTS * EACH {
                    match accept(listener.as_raw_fd()) {
                        Ok(mut stream) => {
                            // It has the listener's.
                            stream.set_read_timeout(None).unwrap();
                            let mut name = [0; 8];
                            stream.read_exact(&mut name).unwrap();
                            stream.write_all(&name).unwrap();
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(errno) => {
                            assert_eq!(errno, libc::EAGAIN);
                            timeouts += 1;
                            nobody_writes_to_old_frames(1);
                        }
                    }
                }
                timeouts
            })
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|own| {
                lisle::spawn(move || {
                    let mut random = Random::new(own as u64);
                    for number in 0..EACH {
                        let mut stream = TcpStream::connect(address).unwrap();
                        let name = (own << 32 | number).to_ne_bytes();
                        stream.write_all(&name).unwrap();
                        let mut answer = [0; 8];
                        stream.read_exact(&mut answer).unwrap();
                        assert_eq!(answer, name);
                        drop(stream);
                        wait_about(time, &mut random);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|one| one.join().unwrap());
        assert!(acceptors.into_iter().map(|one| one.join().unwrap()).sum::<usize>() > 0);
        assert_eq!(served.load(Ordering::Relaxed), CLIENTS * EACH);
        drop(listener);
        assert_eq!(open_sockets(), before, "a connection was accepted and lost");
    });
}

/// Waits for input on all of them; the number of those that have some.
#[inline(never)]
fn poll_all(streams: &[UnixStream], time: Duration) -> usize {
    let entry =
        |one: &UnixStream| libc::pollfd { fd: one.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut entries: Vec<_> = streams.iter().map(entry).collect();
    let time = libc::timespec { tv_sec: 0, tv_nsec: time.as_nanos() as libc::c_long };
    let count = entries.len() as libc::nfds_t;
    // SAFETY: live entries and a live time.
    let ready = unsafe { libc::ppoll(entries.as_mut_ptr(), count, &raw const time, null()) };
    let shown = entries.iter().filter(|entry| entry.revents != 0).count();
    assert_eq!(usize::try_from(ready), Ok(shown));
    shown
}

#[test]
fn a_poll_that_times_out_misses_nothing() {
    on_workers(|| {
        let all: Vec<_> = (0..8)
            .map(|own| {
                lisle::spawn(move || {
                    let mut random = Random::new(own);
                    let time = Duration::from_micros(30 + 20 * own);
                    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                    for _ in 0..3 {
                        let (one, other) = UnixStream::pair().unwrap();
                        one.set_nonblocking(true).unwrap();
                        ours.push(one);
                        theirs.push(other);
                    }
                    let sender = lisle::spawn(move || {
                        for _ in 0..400 {
                            let to = random.below(3);
                            theirs[to].write_all(&[1]).unwrap();
                            wait_about(time, &mut random);
                        }
                        theirs
                    });
                    let (mut got, mut timeouts) = (0, 0);
                    while got < 400 {
                        let shown = poll_all(&ours, time);
                        timeouts += usize::from(shown == 0);
                        // What was shown is there; what was not may have come since.
                        let read = ours.iter_mut().filter_map(|one| one.read(&mut [0; 1]).ok());
                        let read: usize = read.sum();
                        assert!(read >= shown);
                        got += read;
                    }
                    drop(sender.join().unwrap());
                    timeouts
                })
            })
            .collect();
        assert!(all.into_iter().map(|one| one.join().unwrap()).sum::<usize>() > 0);
    });
}

/// A TCP socket that gives up connecting after a time.
fn hasty_socket(time: Duration) -> OwnedFd {
    // SAFETY: a plain call; the new descriptor is ours.
    let socket = unsafe {
        OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0))
    };
    set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, timeval(time));
    socket
}

#[inline(never)]
fn connect(socket: &OwnedFd, port: u16) -> Result<(), i32> {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: a live address of that length.
    match unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), len) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error().raw_os_error().unwrap()),
    }
}

#[test]
fn connecting_gives_up_in_time() {
    on_workers(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // SAFETY: a plain call: again, and now with the shortest queue.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let all: Vec<_> = (0..20)
            .map(|own| {
                lisle::spawn(move || {
                    let mut outcomes = Vec::new();
                    for number in 0..15 {
                        let socket = hasty_socket(Duration::from_micros(100 + 37 * own + number));
                        let outcome = connect(&socket, port);
                        if outcome == Err(libc::EINPROGRESS) {
                            nobody_writes_to_old_frames(1);
                            // It goes on all the same.
                            assert_eq!(connect(&socket, port), Err(libc::EALREADY));
                        }
                        outcomes.push((outcome, socket));
                    }
                    outcomes
                })
            })
            .collect();
        let all: Vec<_> = all.into_iter().flat_map(|one| one.join().unwrap()).collect();
        let connected = all.iter().filter(|(outcome, _)| outcome.is_ok()).count();
        let given_up = all.iter().filter(|(o, _)| *o == Err(libc::EINPROGRESS)).count();
        assert_eq!(connected + given_up, 300);
        // The queue takes one, or two.
        assert!((1..=2).contains(&connected), "{connected}");
        drop(listener);
    });
}

#[test]
fn connections_that_come_about_after_a_timeout_are_there() {
    on_workers(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // As many as the queue of those to be accepted takes.
        let sockets: Vec<_> = (0..100)
            .map(|own| {
                lisle::spawn(move || {
                    // The connection comes about at once, or within this time, or after it.
                    let socket = hasty_socket(Duration::from_micros(1 + own % 5));
                    let outcome = connect(&socket, port);
                    assert!(outcome.is_ok() || outcome == Err(libc::EINPROGRESS), "{outcome:?}");
                    set_option(
                        &socket,
                        libc::SOL_SOCKET,
                        libc::SO_SNDTIMEO,
                        timeval(Duration::ZERO),
                    );
                    if outcome.is_err() {
                        let again = connect(&socket, port);
                        assert!(matches!(again, Ok(()) | Err(libc::EISCONN)), "{again:?}");
                    }
                    let mut stream = TcpStream::from(socket);
                    stream.write_all(&[own as u8]).unwrap();
                    stream.read_exact(&mut [0; 1]).unwrap();
                })
            })
            .collect();
        let mut sum = 0;
        for stream in listener.incoming().take(100) {
            let (mut stream, mut byte) = (stream.unwrap(), [0]);
            stream.read_exact(&mut byte).unwrap();
            sum += usize::from(byte[0]);
            stream.write_all(&byte).unwrap();
        }
        sockets.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(sum, 99 * 50);
    });
}

#[test]
fn a_unix_listener_that_takes_nobody_is_given_up() {
    on_workers(|| {
        let name = format!("lisle-cancel-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        // SAFETY: a plain call: again, and now with the shortest queue.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as _, sun_path: [0; 108] };
        for (to, from) in address.sun_path.iter_mut().zip(path.to_str().unwrap().bytes()) {
            *to = from as _;
        }
        let outcomes: Vec<_> = (0..10)
            .map(|_| {
                lisle::spawn(move || {
                    // SAFETY: plain calls on a socket of our own, with a live address.
                    unsafe {
                        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
                        let socket = OwnedFd::from_raw_fd(libc::socket(libc::AF_UNIX, kind, 0));
                        let time = timeval(Duration::from_millis(1));
                        set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, time);
                        let len = size_of_val(&address) as libc::socklen_t;
                        let place = (&raw const address).cast();
                        let result = libc::connect(socket.as_raw_fd(), place, len);
                        let errno = Error::last_os_error().raw_os_error();
                        ((result, errno.filter(|_| result != 0)), socket)
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = outcomes.into_iter().map(|one| one.join().unwrap()).collect();
        let count = |wanted| outcomes.iter().filter(|(outcome, _)| *outcome == wanted).count();
        assert_eq!((count((0, None)), count((-1, Some(libc::EAGAIN)))), (1, 9));
        std::fs::remove_file(&path).unwrap();
    });
}
