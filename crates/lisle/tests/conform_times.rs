//! Waits that end by their own time: on an OS thread and on a coroutine they say the same, last as
//! long as they were asked to at least, are never cut or rounded to nothing, and hold nobody up.

mod util;

use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use util::{
    Folder, Lines, in_child, scaled, set_option, tcp_pair, timeval, told, twins, waits, waits_for,
};

const SOON: Duration = Duration::from_millis(30);

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}

/// The witness of these tests is one: a coroutine that holds the only worker is found out.
#[test]
fn a_worker_that_is_held_is_noticed() {
    let ended = in_child(&[("LISLE_WORKERS", "1"), ("LISLE_SLICE", "off")], || {
        util::hush_panics_on_purpose();
        let spins = lisle::spawn(|| {
            let hold = || {
                let began = Instant::now();
                while began.elapsed() < SOON {
                    std::hint::spin_loop();
                }
            };
            std::panic::catch_unwind(|| waits_for(true, SOON, hold)).is_err()
        });
        // On an OS thread of its own nobody is held up.
        assert_eq!(spins.join().unwrap(), scaled(1, 0) == 1);
    });
    ended.expect_return();
}

#[test]
fn sleeping() {
    twins(|coroutine| {
        let (time, mut rest) = (timespec(SOON), libc::timespec { tv_sec: 7, tv_nsec: 7 });
        let (asked, left) = (&raw const time, &raw mut rest);
        let mut lines = Vec::new();
        let mut say = |name: &str, least, call: &dyn Fn() -> i64| {
            lines.push(format!("{name}: {}", waits_for(coroutine, least, call)));
        };
        // SAFETY: live places.
        unsafe {
            say("usleep", SOON, &|| libc::usleep(SOON.as_micros() as u32).into());
            say("nanosleep", SOON, &|| libc::nanosleep(asked, left).into());
            say("sleep", Duration::from_secs(1), &|| libc::sleep(1).into());
            let clocks = [libc::CLOCK_MONOTONIC, libc::CLOCK_REALTIME, libc::CLOCK_BOOTTIME];
            for clock in clocks.into_iter().chain([libc::CLOCK_TAI]) {
                let name = format!("clock {clock}");
                say(&name, SOON, &|| libc::clock_nanosleep(clock, 0, asked, left).into());
                say(&name, SOON, &|| {
                    let mut then = libc::timespec { tv_sec: 0, tv_nsec: 0 };
                    libc::clock_gettime(clock, &raw mut then);
                    then.tv_nsec += SOON.as_nanos() as i64;
                    then.tv_sec += then.tv_nsec / 1_000_000_000;
                    then.tv_nsec %= 1_000_000_000;
                    libc::clock_nanosleep(clock, libc::TIMER_ABSTIME, &raw const then, left).into()
                });
            }
        }
        // Told by those that were interrupted only.
        lines.push(format!("{} {}", rest.tv_sec, rest.tv_nsec));
        lines
    });
}

#[test]
fn sleeps_that_are_refused() {
    twins(|_| {
        let mut lines = Vec::new();
        for (sec, nsec) in [(0, 1_000_000_000), (0, -1), (-1, 0), (i64::MIN, 0), (0, 0)] {
            let time = libc::timespec { tv_sec: sec, tv_nsec: nsec };
            let clocks = [
                libc::CLOCK_MONOTONIC,
                libc::CLOCK_REALTIME,
                libc::CLOCK_THREAD_CPUTIME_ID,
                libc::CLOCK_MONOTONIC_RAW,
                libc::CLOCK_MONOTONIC_COARSE,
                99,
                -1,
            ];
            // SAFETY: a live place.
            unsafe {
                let slept = libc::nanosleep(&raw const time, null_mut());
                lines.push(told("nanosleep", slept as isize));
                for clock in clocks {
                    for flags in [0, libc::TIMER_ABSTIME] {
                        *libc::__errno_location() = 77;
                        let error =
                            libc::clock_nanosleep(clock, flags, &raw const time, null_mut());
                        let errno = *libc::__errno_location();
                        lines.push(format!("{sec} {nsec} {clock} {flags}: {error} {errno}"));
                    }
                }
            }
        }
        lines
    });
}

/// A call of the readiness family that times out, with what it leaves behind.
fn nothing_ready(which: &str, fd: i32, time: Duration) -> String {
    let (whole, fine, mut coarse) = (time.as_millis() as i32, timespec(time), timeval(time));
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0x55 };
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 5 };
    // SAFETY: live structures; a set with a descriptor below its size.
    unsafe {
        let mut set: libc::fd_set = std::mem::zeroed();
        libc::FD_SET(fd, &raw mut set);
        let epoll = OwnedFd::from_raw_fd(libc::epoll_create1(0));
        let number = epoll.as_raw_fd();
        libc::epoll_ctl(number, libc::EPOLL_CTL_ADD, fd, &raw mut event);
        let (place, none, fine) = (&raw mut event, null_mut(), &raw const fine);
        let count = match which {
            "poll" => libc::poll(&raw mut entry, 1, whole),
            "ppoll" => libc::ppoll(&raw mut entry, 1, fine, null()),
            "epoll_wait" => libc::epoll_wait(number, place, 1, whole),
            "epoll_pwait" => libc::epoll_pwait(number, place, 1, whole, null()),
            "select" => libc::select(fd + 1, &raw mut set, none, none, &raw mut coarse),
            "poll of none" => libc::poll(null_mut(), 0, whole),
            "select of none" => libc::select(0, none, none, none, &raw mut coarse),
            _ => libc::pselect(fd + 1, &raw mut set, none, none, fine, null()),
        };
        let line = told(which, count as isize);
        let (left, is_set) = (coarse.tv_sec * 1_000_000 + coarse.tv_usec, libc::FD_ISSET(fd, &set));
        let after = (*fine).tv_sec * 1_000_000_000 + (*fine).tv_nsec;
        format!("{line}, {:#x}, {is_set}, left {left}, {after}", entry.revents)
    }
}

#[test]
fn nothing_becomes_ready() {
    twins(|coroutine| {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let fd = ours.as_raw_fd();
        let all = ["poll", "ppoll", "epoll_wait", "epoll_pwait", "select", "pselect"];
        let lines = all.into_iter().chain(["poll of none", "select of none"]);
        lines.map(|which| waits_for(coroutine, SOON, || nothing_ready(which, fd, SOON))).collect()
    });
}

/// Times below a millisecond are no times of zero, and nobody comes back early.
#[test]
fn short_times_are_rounded_up() {
    twins(|_| {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let fd = ours.as_raw_fd();
        let mut lines = Vec::new();
        for micros in [1, 500, 999, 1_001, 1_999] {
            let time = Duration::from_micros(micros);
            for which in ["ppoll", "select", "pselect"] {
                let began = Instant::now();
                let line = nothing_ready(which, fd, time);
                assert!(began.elapsed() >= time, "{which} {time:?}: {:?}", began.elapsed());
                lines.push(line);
            }
            let began = Instant::now();
            std::thread::sleep(time);
            assert!(began.elapsed() >= time);
        }
        lines
    });
}

/// The calls that a socket's receive timeout ends.
fn receive(which: &str, fd: i32) -> String {
    let mut place = [0_u8; 4];
    let start = place.as_mut_ptr().cast();
    let mut part = libc::iovec { iov_base: start, iov_len: 4 };
    // SAFETY: live places; all-zero is an empty message.
    let got = unsafe {
        match which {
            "read" => libc::read(fd, start, 4),
            "readv" => libc::readv(fd, &raw const part, 1),
            "recv" => libc::recv(fd, start, 4, 0),
            "recv all" => libc::recv(fd, start, 4, libc::MSG_WAITALL),
            "peek" => libc::recv(fd, start, 4, libc::MSG_PEEK),
            "recvfrom" => libc::recvfrom(fd, start, 4, 0, null_mut(), null_mut()),
            "accept" => libc::accept(fd, null_mut(), null_mut()) as isize,
            _ => {
                let mut message: libc::msghdr = std::mem::zeroed();
                message.msg_iov = &raw mut part;
                message.msg_iovlen = 1;
                libc::recvmsg(fd, &raw mut message, 0)
            }
        }
    };
    told(which, got)
}

#[test]
fn a_receive_timeout_ends_every_way_of_receiving() {
    twins(|coroutine| {
        let (unix, _theirs) = UnixStream::pair().unwrap();
        let (tcp, _other) = tcp_pair();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut lines = Vec::new();
        for fd in [unix.as_raw_fd(), tcp.as_raw_fd(), udp.as_raw_fd()] {
            // SAFETY: a descriptor that is open throughout.
            let socket = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
            set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, timeval(SOON));
            for which in ["read", "readv", "recv", "recv all", "peek", "recvfrom", "recvmsg"] {
                lines.push(waits_for(coroutine, SOON, || receive(which, fd)));
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        set_option(&listener, libc::SOL_SOCKET, libc::SO_RCVTIMEO, timeval(SOON));
        lines.push(waits_for(coroutine, SOON, || receive("accept", listener.as_raw_fd())));
        lines
    });
}

/// Some of what was asked for came before the time was up: that is what is returned.
#[test]
fn a_timeout_after_progress_is_no_error() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        let (unix, theirs) = UnixStream::pair().unwrap();
        let (tcp, other) = tcp_pair();
        for (ours, theirs) in
            [(unix.as_raw_fd(), theirs.as_raw_fd()), (tcp.as_raw_fd(), other.as_raw_fd())]
        {
            // SAFETY: descriptors that are open throughout; live places of that length.
            unsafe {
                let socket = std::os::fd::BorrowedFd::borrow_raw(ours);
                set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, timeval(SOON));
                set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, timeval(SOON));
                let got = waits_for(coroutine, SOON, || {
                    assert_eq!(libc::send(theirs, c"ab".as_ptr().cast(), 2, 0), 2);
                    receive("recv all", ours)
                });
                lines.push(got);
                // More than both buffers have room for, which is not the same each time.
                let data = vec![1_u8; 64 << 20];
                let start = data.as_ptr().cast();
                for which in ["send", "write"] {
                    let whole = data.len() as isize;
                    let mut right = None;
                    waits_for(coroutine, SOON, || {
                        let sent = match which {
                            "send" => libc::send(ours, start, data.len(), 0),
                            _ => libc::write(ours, start, data.len()),
                        };
                        let full = told("", sent) == told("", -1) && errno() == libc::EAGAIN;
                        // The first one fills all there is; from then on nothing is taken, or a
                        // little that was freed meanwhile.
                        let first = which == "send" && right.is_none();
                        right.get_or_insert((1..whole).contains(&sent) || full && !first);
                    });
                    lines.push(format!("{which}: {right:?}"));
                }
            }
        }
        lines
    });
}

/// A timeout for sending bounds connecting too.
#[test]
fn a_send_timeout_bounds_connecting() {
    twins(|coroutine| {
        let folder = Folder::new("conform-connect", coroutine);
        let listener = UnixListener::bind(folder.at("socket")).unwrap();
        // SAFETY: a listener of our own; a socket made for this.
        let socket = unsafe {
            assert_eq!(libc::listen(listener.as_raw_fd(), 0), 0);
            OwnedFd::from_raw_fd(libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0))
        };
        let _first = UnixStream::connect(folder.at("socket")).unwrap();
        set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, timeval(SOON));
        // SAFETY: all-zero is a valid address; the path fits.
        let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in address.sun_path.iter_mut().zip(folder.c("socket").as_bytes()) {
            *to = *from as libc::c_char;
        }
        let call = || {
            let (place, len) = (&raw const address, size_of_val(&address) as libc::socklen_t);
            // SAFETY: a live address of that length.
            told("connect", unsafe { libc::connect(socket.as_raw_fd(), place.cast(), len) }
                as isize)
        };
        vec![waits_for(coroutine, SOON, call)]
    });
}

/// Zero is no timeout, and a time that no clock reaches is for ever: somebody ends each wait.
#[test]
fn none_and_huge_times_are_for_ever() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        let huge =
            [(0, 0), (i64::from(i32::MAX), 0), (i64::MAX / 1_000_000, 999_999), (i64::MAX, 0)];
        for (sec, micros) in huge {
            for kind in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
                let (ours, theirs) = tcp_pair();
                let value = libc::timeval { tv_sec: sec, tv_usec: micros };
                let (fd, len) = (ours.as_raw_fd(), size_of::<libc::timeval>() as libc::socklen_t);
                let place = (&raw const value).cast();
                // SAFETY: a live value of that length.
                let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, kind, place, len) };
                lines.push(told("setsockopt", set as isize));
                let send = move || std::io::Write::write_all(&mut &theirs, b"x").map(|()| theirs);
                lines.push(waits(coroutine, SOON, send, || receive("recv", fd)).0);
            }
            for which in ["ppoll", "select", "pselect", "poll", "epoll_wait"] {
                let (ours, mut theirs) = UnixStream::pair().unwrap();
                if sec == 0 {
                    continue;
                }
                let time = (sec, micros);
                let send = move || std::io::Write::write_all(&mut theirs, b"x").map(|()| theirs);
                let call = || ready_in(which, ours.as_raw_fd(), time);
                lines.push(waits(coroutine, SOON, send, call).0);
            }
        }
        lines
    });
}

/// A call of the readiness family with a time of that many seconds, or the most it can be told.
fn ready_in(which: &str, fd: i32, (sec, micros): (i64, i64)) -> String {
    let fine = libc::timespec { tv_sec: sec, tv_nsec: micros * 1_000 };
    let mut coarse = libc::timeval { tv_sec: sec, tv_usec: micros };
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 5 };
    // SAFETY: live structures; a set with a descriptor below its size.
    unsafe {
        let mut set: libc::fd_set = std::mem::zeroed();
        libc::FD_SET(fd, &raw mut set);
        let epoll = OwnedFd::from_raw_fd(libc::epoll_create1(0));
        let (number, none) = (epoll.as_raw_fd(), null_mut());
        libc::epoll_ctl(number, libc::EPOLL_CTL_ADD, fd, &raw mut event);
        let count = match which {
            "ppoll" => libc::ppoll(&raw mut entry, 1, &raw const fine, null()),
            "select" => libc::select(fd + 1, &raw mut set, none, none, &raw mut coarse),
            "pselect" => libc::pselect(fd + 1, &raw mut set, none, none, &raw const fine, null()),
            "poll" => libc::poll(&raw mut entry, 1, i32::MAX),
            _ => libc::epoll_wait(number, &raw mut event, 1, i32::MAX),
        };
        told(which, count as isize)
    }
}

/// Sleeps and futexes of such times cannot be ended by anybody, but must be under way still.
#[test]
fn sleeps_of_centuries_do_not_end() {
    let ended = in_child(&[("LISLE_WORKERS", "1")], || {
        static ENDED: AtomicU32 = AtomicU32::new(0);
        static WORD: AtomicU32 = AtomicU32::new(0);
        for sec in [i64::from(i32::MAX), i64::MAX / 1_000_000_000, i64::MAX] {
            for which in 0..4 {
                lisle::spawn(move || {
                    let time = libc::timespec { tv_sec: sec, tv_nsec: 999_999_999 };
                    let (asked, none) = (&raw const time, null_mut());
                    // SAFETY: live places, a static word.
                    unsafe {
                        match which {
                            0 => libc::nanosleep(asked, none).into(),
                            1 => {
                                libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, asked, none).into()
                            }
                            2 => libc::clock_nanosleep(libc::CLOCK_REALTIME, 1, asked, none).into(),
                            _ => {
                                let (word, op) = (WORD.as_ptr(), libc::FUTEX_WAIT | 128);
                                libc::syscall(libc::SYS_futex, word, op, 0_u32, asked)
                            }
                        }
                    };
                    ENDED.fetch_add(1, Ordering::AcqRel);
                });
            }
        }
        lisle::spawn(|| waits_for(true, SOON, || lisle::sleep(SOON))).join().unwrap();
        assert_eq!(ENDED.load(Ordering::Acquire), 0);
    });
    ended.expect_return();
}

#[test]
fn futexes_give_up() {
    twins(|coroutine| {
        let word = AtomicU32::new(5);
        let relative = timespec(SOON);
        let mut lines: Lines = Vec::new();
        for private in [0, libc::FUTEX_PRIVATE_FLAG] {
            for (op, clock) in [
                (libc::FUTEX_WAIT, None),
                (libc::FUTEX_WAIT_BITSET, Some(libc::CLOCK_MONOTONIC)),
                (libc::FUTEX_WAIT_BITSET | libc::FUTEX_CLOCK_REALTIME, Some(libc::CLOCK_REALTIME)),
            ] {
                lines.push(waits_for(coroutine, SOON, || {
                    let mut time = relative;
                    // SAFETY: live places; a live word.
                    unsafe {
                        if let Some(clock) = clock {
                            libc::clock_gettime(clock, &raw mut time);
                            time.tv_nsec += relative.tv_nsec;
                            time.tv_sec += time.tv_nsec / 1_000_000_000;
                            time.tv_nsec %= 1_000_000_000;
                        }
                        let (place, op) = (word.as_ptr(), op | private);
                        let time = &raw const time;
                        let result = libc::syscall(
                            libc::SYS_futex,
                            place,
                            op,
                            5_u32,
                            time,
                            null::<u32>(),
                            1,
                        );
                        told("futex", result as isize)
                    }
                }));
            }
        }
        lines
    });
}
