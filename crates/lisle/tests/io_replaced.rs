//! Descriptors that cease to be what they are: closed and opened anew all the time, and closed,
//! shut down or replaced while somebody waits for them.

mod util;

use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lisle::runtime::{Poller, poller};
use util::{Call, Lines, Random, aside, on_workers, recv, scaled, tcp_pair, told, twins_alone};

/// A pair of connected streams of a random kind.
fn pair(random: &mut Random) -> (std::fs::File, std::fs::File) {
    let ends: (OwnedFd, OwnedFd) = match random.below(2) {
        0 => {
            let (one, other) = tcp_pair();
            (one.into(), other.into())
        }
        _ => {
            let (one, other) = UnixStream::pair().unwrap();
            (one.into(), other.into())
        }
    };
    (ends.0.into(), ends.1.into())
}

/// Sends `name` there and back `rounds` times and sees to it that nothing else comes.
fn exchange(name: u32, rounds: usize, random: &mut Random) {
    let (mut ours, mut theirs) = pair(random);
    let echo = lisle::spawn(move || {
        let mut word = [0; 4];
        while theirs.read_exact(&mut word).is_ok() {
            assert_eq!(u32::from_ne_bytes(word), name, "another connection's");
            theirs.write_all(&word).unwrap();
        }
        // Closed while the other end may wait for its close to be seen.
        drop(theirs);
    });
    for _ in 0..rounds {
        ours.write_all(&name.to_ne_bytes()).unwrap();
        let mut word = [0; 4];
        ours.read_exact(&mut word).unwrap();
        assert_eq!(u32::from_ne_bytes(word), name, "another connection's");
    }
    drop(ours);
    echo.join().unwrap();
}

#[test]
fn numbers_that_are_used_again_at_once_do_not_mix_connections() {
    on_workers(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let steady: Vec<_> = (0..8)
            .map(|own| {
                let stop = Arc::clone(&stop);
                lisle::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        exchange(own, 50, &mut Random::new(own.into()));
                    }
                })
            })
            .collect();
        let changing: Vec<_> = (0..scaled(24, 8))
            .map(|own| {
                lisle::spawn(move || {
                    let mut random = Random::new(own as u64);
                    for number in 0..60 {
                        let name = 1000 + own as u32 * 1000 + number;
                        exchange(name, random.below(4), &mut random);
                    }
                })
            })
            .collect();
        changing.into_iter().for_each(|one| one.join().unwrap());
        stop.store(true, Ordering::Relaxed);
        steady.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_timeout_on_a_number_that_is_used_again_is_the_new_ones_own() {
    on_workers(|| {
        let all: Vec<_> = (0..20)
            .map(|own| {
                lisle::spawn(move || {
                    let mut random = Random::new(own);
                    for number in 0..15_u8 {
                        // A reader gives up and closes; its number is somebody's at once.
                        let (ours, theirs) = UnixStream::pair().unwrap();
                        ours.set_read_timeout(Some(Duration::from_micros(1))).unwrap();
                        let error = (&ours).read(&mut [0; 1]).unwrap_err();
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                        drop((ours, theirs));
                        let (mut ours, mut theirs) = pair(&mut random);
                        let sender = lisle::spawn(move || {
                            lisle::sleep(Duration::from_micros(100));
                            theirs.write_all(&[number]).unwrap();
                        });
                        let mut byte = [0];
                        ours.read_exact(&mut byte).unwrap();
                        assert_eq!(byte[0], number);
                        sender.join().unwrap();
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// What happens to a descriptor while somebody waits.
type Change = fn(c_int);

fn close(fd: c_int) {
    // SAFETY: the waiting call's own descriptor, which is not used again.
    unsafe { libc::close(fd) };
}

fn replace(fd: c_int) {
    let other = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: as above.
    unsafe {
        libc::dup2(other.as_raw_fd(), fd);
        libc::close(fd);
    }
}

/// Replaces it by something that stays quiet and open, for as long as the process lives.
fn replace_by_a_quiet_one(fd: c_int) {
    let (quiet, other) = UnixStream::pair().unwrap();
    // SAFETY: as above.
    unsafe { libc::dup2(quiet.as_raw_fd(), fd) };
    let _ = other.into_raw_fd();
}

fn shut_down_for_reading(fd: c_int) {
    // SAFETY: a plain call.
    unsafe { libc::shutdown(fd, libc::SHUT_RD) };
}

fn shut_down(fd: c_int) {
    // SAFETY: a plain call.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

const CHANGES: [(&str, Change); 5] = [
    ("close", close),
    ("dup2", replace),
    ("dup2 of a quiet one", replace_by_a_quiet_one),
    ("shutdown of reading", shut_down_for_reading),
    ("shutdown", shut_down),
];

/// Whether a change ends the wait, rather than letting it go on.
fn ends_it(name: &str) -> bool {
    name.starts_with("shutdown")
}

/// Whether a change leaves the number open.
fn leaves_it_open(name: &str) -> bool {
    !["close", "dup2"].contains(&name)
}

/// Waits by `call` on one end while `change` happens to it, and then something comes from the other
/// end: some bytes, and its end.
fn changed_while_waiting(
    coroutine: bool,
    ends: (OwnedFd, OwnedFd),
    (name, change): (&'static str, Change),
    call: impl FnOnce(c_int) -> String,
) -> String {
    let fd = ends.0.into_raw_fd();
    let mut theirs = std::fs::File::from(ends.1);
    let waits = Arc::new(Call::default());
    let made = Arc::clone(&waits);
    let partner = aside(coroutine, move || {
        made.until_it_waits(coroutine);
        change(fd);
        if ends_it(name) {
            made.until_it_returned();
        }
        let sent = theirs.write(b"still there").map_err(|error| error.kind());
        made.until_it_returned();
        sent
    });
    let seen = waits.make(|| call(fd));
    let sent = partner();
    if leaves_it_open(name) {
        close(fd);
    }
    format!("{name}: {seen} {sent:?}")
}

fn tcp_ends() -> (OwnedFd, OwnedFd) {
    let (ours, theirs) = tcp_pair();
    (ours.into(), theirs.into())
}

fn udp_ends() -> (OwnedFd, OwnedFd) {
    let [ours, theirs] = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    ours.connect(theirs.local_addr().unwrap()).unwrap();
    theirs.connect(ours.local_addr().unwrap()).unwrap();
    (ours.into(), theirs.into())
}

fn pipe_ends() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = io::pipe().unwrap();
    (reader.into(), writer.into())
}

fn all_changes(
    coroutine: bool,
    ends: fn() -> (OwnedFd, OwnedFd),
    call: fn(c_int) -> String,
) -> Lines {
    let once = |&change| changed_while_waiting(coroutine, ends(), change, call);
    CHANGES.iter().map(once).collect()
}

/// The changes that a wait for a UDP socket learns of. One that is shut down is readable, but says
/// so to blocking calls alone, so whoever waits for readiness does not learn of it.
fn changes_of_udp() -> &'static [(&'static str, Change)] {
    if poller() == Some(Poller::Epoll) { &CHANGES[..3] } else { &CHANGES }
}

fn read(fd: c_int) -> String {
    let mut place = [0_u8; 32];
    // SAFETY: a live buffer of that length.
    let got = unsafe { libc::read(fd, place.as_mut_ptr().cast(), place.len()) };
    format!("{} {place:?}", told("read", got))
}

#[test]
fn while_somebody_receives() {
    twins_alone(|coroutine| {
        all_changes(coroutine, tcp_ends, |fd| format!("{:?}", recv(fd, 32, 0)))
    });
}

#[test]
fn while_somebody_receives_all() {
    twins_alone(|coroutine| {
        all_changes(coroutine, tcp_ends, |fd| format!("{:?}", recv(fd, 11, libc::MSG_WAITALL)))
    });
}

#[test]
fn while_somebody_reads_a_socket() {
    twins_alone(|coroutine| all_changes(coroutine, tcp_ends, read));
}

#[test]
fn while_somebody_reads_a_pipe() {
    // It cannot be shut down.
    twins_alone(|coroutine| {
        let once = |&change| changed_while_waiting(coroutine, pipe_ends(), change, read);
        CHANGES[..3].iter().map(once).collect()
    });
}

#[test]
fn while_somebody_receives_messages() {
    twins_alone(|coroutine| {
        let call = |fd| {
            let mut place = [0_u8; 32];
            let mut part =
                libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() };
            // SAFETY: live parts; all-zero is a message without anything.
            let got = unsafe {
                let mut message: libc::msghdr = std::mem::zeroed();
                message.msg_iov = &raw mut part;
                message.msg_iovlen = 1;
                libc::recvmsg(fd, &raw mut message, 0)
            };
            format!("{} {place:?}", told("recvmsg", got))
        };
        let once = |&change| changed_while_waiting(coroutine, udp_ends(), change, call);
        changes_of_udp().iter().map(once).collect()
    });
}

#[test]
fn while_somebody_receives_with_the_address() {
    twins_alone(|coroutine| {
        let call = |fd| {
            let mut place = [0_u8; 32];
            // SAFETY: a live buffer and a live address; all-zero is one.
            let (got, family) = unsafe {
                let mut from: libc::sockaddr_in = std::mem::zeroed();
                let mut len = size_of_val(&from) as libc::socklen_t;
                let (buffer, address) = (place.as_mut_ptr().cast(), (&raw mut from).cast());
                (libc::recvfrom(fd, buffer, 32, 0, address, &raw mut len), from.sin_family)
            };
            format!("{} {family} {place:?}", told("recvfrom", got))
        };
        let once = |&change| changed_while_waiting(coroutine, udp_ends(), change, call);
        changes_of_udp().iter().map(once).collect()
    });
}

#[test]
fn while_somebody_polls() {
    // Only what leaves the number what it was: what a wait for a number says that stands for
    // another file meanwhile is told in PLATFORM.md.
    twins_alone(|coroutine| {
        let poll = |fd| {
            let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: a live entry.
            let ready = unsafe { libc::poll(&raw mut entry, 1, -1) };
            format!("{} {:#x}", told("poll", ready as isize), entry.revents)
        };
        let changes = CHANGES[3..].iter();
        changes.map(|&change| changed_while_waiting(coroutine, tcp_ends(), change, poll)).collect()
    });
}

#[test]
fn while_somebody_accepts() {
    twins_alone(|coroutine| {
        CHANGES
            .iter()
            .map(|&(name, change)| {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                let fd = listener.into_raw_fd();
                let waits = Arc::new(Call::default());
                let made = Arc::clone(&waits);
                let partner = aside(coroutine, move || {
                    made.until_it_waits(coroutine);
                    change(fd);
                    // One that is shut down has lost its port, to whomever.
                    (!ends_it(name)).then(|| TcpStream::connect(address).unwrap())
                });
                let accepted =
                    // SAFETY: no address is wanted.
                    waits.make(|| unsafe { libc::accept(fd, null_mut(), null_mut()) });
                let error = io::Error::last_os_error().raw_os_error().filter(|_| accepted < 0);
                if accepted >= 0 {
                    // SAFETY: just made.
                    drop(unsafe { OwnedFd::from_raw_fd(accepted) });
                }
                drop(partner());
                if leaves_it_open(name) {
                    close(fd);
                }
                format!("{name}: {} {error:?}", accepted >= 0)
            })
            .collect()
    });
}

#[test]
fn while_somebody_writes() {
    twins_alone(|coroutine| {
        let changes = [CHANGES[0], CHANGES[1], CHANGES[2], CHANGES[4]];
        let run = |(name, change): (&'static str, Change)| {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let fd = ours.into_raw_fd();
            let waits = Arc::new(Call::default());
            let made = Arc::clone(&waits);
            let partner = aside(coroutine, move || {
                made.until_it_waits(coroutine);
                change(fd);
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).map_err(|error| error.kind()).map(|_| all.len())
            });
            let data = vec![7_u8; 4 << 20];
            let send = || {
                // SAFETY: the data is that long.
                unsafe { libc::send(fd, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) }
            };
            let sent = waits.make(send);
            if leaves_it_open(name) {
                close(fd);
            }
            let got = partner();
            // All that is said to be written arrives. That may be a part: of a socket that is shut
            // down, and where a coroutine's descriptor is closed while it writes.
            let equal = got.as_ref().is_ok_and(|got| *got as isize == sent);
            format!("{name}: {equal}, {}", sent > 0)
        };
        changes.into_iter().map(run).collect()
    });
}

#[test]
fn the_rest_of_a_write_goes_to_nobody_else() {
    on_workers(|| {
        for _ in 0..20 {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let (other, mut spy) = UnixStream::pair().unwrap();
            // Full, so that the write begins with a wait.
            ours.set_nonblocking(true).unwrap();
            while (&ours).write(&[0; 4096]).is_ok() {}
            ours.set_nonblocking(false).unwrap();
            let fd = ours.into_raw_fd();
            let writer = util::spawn_running(move || {
                let data = vec![7_u8; 4 << 20];
                // SAFETY: the data is that long.
                unsafe {
                    libc::send(fd, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL);
                }
            });
            for _ in 0..10 {
                lisle::yield_now();
            }
            // SAFETY: the writer's own descriptor, which it does not use again.
            unsafe { libc::dup2(other.as_raw_fd(), fd) };
            drop(other);
            // Its end comes when nobody writes to the old file any more.
            let drain = lisle::spawn(move || {
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).unwrap();
                all.contains(&7)
            });
            let listener = lisle::spawn(move || {
                let mut all = Vec::new();
                spy.read_to_end(&mut all).unwrap();
                all.len()
            });
            writer.join().unwrap();
            close(fd);
            let (began, strayed) = (drain.join().unwrap(), listener.join().unwrap());
            // A write that began after the change goes where it should.
            assert!(!began || strayed == 0, "{strayed} bytes for another");
        }
    });
}

#[test]
fn the_last_attempt_after_a_timeout_is_not_made_on_another_file() {
    /// What the read got, whose file becomes another while it waits, if it has begun by then.
    fn round() -> isize {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let fd = ours.into_raw_fd();
        let reader = util::spawn_running(move || recv(fd, 8, 0).0);
        let (other, mut full) = UnixStream::pair().unwrap();
        full.write_all(b"another's").unwrap();
        // SAFETY: the reader's own descriptor, which it does not use again.
        unsafe { libc::dup2(other.as_raw_fd(), fd) };
        let got = reader.join().unwrap();
        assert!(got == -1 || got == 8, "{got}");
        let mut all = Vec::new();
        drop(full);
        (&other).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), if got == -1 { 9 } else { 1 });
        close(fd);
        got
    }
    on_workers(|| {
        // One that was still to begin reads what is there now. Were the last attempt made on that,
        // all would.
        let mut waited = 0;
        for _ in 0..200 {
            waited += u32::from(round() == -1);
            if waited == 10 {
                return;
            }
        }
        panic!("{waited} of 200 waited and got nothing");
    });
}
