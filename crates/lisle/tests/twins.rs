//! The same calls on an OS thread and on a coroutine: result, `errno` and side effects are equal.
//!
//! Each case goes through the C library's functions, as C code would, and tells what it saw as
//! lines of text. It runs on an OS thread first, then on a coroutine; the lines must be the same.
//! Cases that wait have a partner (`aside`) of the same kind as themselves that ends the wait, so
//! that on a single worker a call that blocks it is a deadlock.

mod util;

use std::ffi::{c_int, c_void};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use util::{Lines, a_moment, aside, recv, tcp_pair, told, twins};

fn errno() -> c_int {
    // SAFETY: every thread has one.
    unsafe { *libc::__errno_location() }
}

fn set_errno(value: c_int) {
    // SAFETY: every thread has one.
    unsafe { *libc::__errno_location() = value };
}

#[test]
fn errno_is_untouched_by_success() {
    twins(|coroutine| {
        let (ours, mut theirs) = tcp_pair();
        let partner = aside(coroutine, move || {
            a_moment();
            theirs.write_all(b"late").unwrap();
            theirs
        });
        set_errno(77);
        let (got, text) = recv(ours.as_raw_fd(), 16, 0);
        let after = errno();
        drop(partner());
        vec![format!("{got} {text:?} {after}")]
    });
}

#[test]
fn receiving_all_of_it() {
    twins(|coroutine| {
        let (ours, mut theirs) = tcp_pair();
        let partner = aside(coroutine, move || {
            for part in [&b"abc"[..], b"def", b"g"] {
                theirs.write_all(part).unwrap();
                a_moment();
            }
        });
        let first = recv(ours.as_raw_fd(), 6, libc::MSG_WAITALL);
        let second = recv(ours.as_raw_fd(), 6, libc::MSG_WAITALL);
        let third = recv(ours.as_raw_fd(), 6, libc::MSG_WAITALL);
        partner();
        vec![format!("{first:?} {second:?} {third:?}")]
    });
}

#[test]
fn descriptors_that_are_none() {
    twins(|_| {
        let mut byte = 0_u8;
        let place: *mut c_void = (&raw mut byte).cast();
        let mut lines = Vec::new();
        for fd in [-1, 999_999, c_int::MAX] {
            // SAFETY: a place of one byte; the calls fail.
            unsafe {
                lines.push(told("read", libc::read(fd, place, 1)));
                lines.push(told("write", libc::write(fd, place, 1)));
                lines.push(told("recv", libc::recv(fd, place, 1, 0)));
                lines.push(told("accept", libc::accept(fd, null_mut(), null_mut()) as isize));
                lines.push(told("close", libc::close(fd) as isize));
            }
        }
        lines
    });
}

#[test]
fn arguments_that_are_wrong() {
    twins(|_| {
        let mut lines = Vec::new();
        let mut word = 0_u64;
        let place: *mut c_void = (&raw mut word).cast();
        // SAFETY: places of eight bytes; descriptors of our own.
        unsafe {
            let event = libc::eventfd(0, 0);
            lines.push(told("short read of an eventfd", libc::read(event, place, 4)));
            let timer = libc::timerfd_create(libc::CLOCK_MONOTONIC, 0);
            lines.push(told("write to a timerfd", libc::write(timer, place, 8)));
            let epoll = libc::epoll_create1(0);
            lines.push(told("read of an epoll instance", libc::read(epoll, place, 8)));
            let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
            let accepted = libc::accept(datagrams.as_raw_fd(), null_mut(), null_mut());
            lines.push(told("accept of datagrams", accepted as isize));
            let bad = libc::timespec { tv_sec: 0, tv_nsec: -1 };
            lines.push(told("nanosleep", libc::nanosleep(&raw const bad, null_mut()) as isize));
            let id = libc::CLOCK_MONOTONIC;
            let error = libc::clock_nanosleep(id, 0, &raw const bad, null_mut());
            lines.push(format!("clock_nanosleep: {error}"));
            let past = libc::timespec { tv_sec: 1, tv_nsec: 0 };
            let absolute = libc::TIMER_ABSTIME;
            let error = libc::clock_nanosleep(id, absolute, &raw const past, null_mut());
            lines.push(format!("clock_nanosleep in the past: {error}"));
            for fd in [event, timer, epoll] {
                libc::close(fd);
            }
        }
        lines
    });
}

#[test]
fn futexes() {
    fn futex(word: &u32, op: c_int, value: u32, time: *const libc::timespec, mask: u32) -> isize {
        let op = op | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: a live word; null or a live timespec.
        unsafe {
            libc::syscall(libc::SYS_futex, word, op, value, time, null::<u32>(), mask) as isize
        }
    }
    twins(|_| {
        let word = 5_u32;
        let soon = libc::timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        let bad = libc::timespec { tv_sec: -1, tv_nsec: 0 };
        vec![
            told("another value", futex(&word, libc::FUTEX_WAIT, 4, null(), 0)),
            told("a timeout", futex(&word, libc::FUTEX_WAIT, 5, &raw const soon, 0)),
            told("a bad timeout", futex(&word, libc::FUTEX_WAIT, 5, &raw const bad, 0)),
            told("a past deadline", futex(&word, libc::FUTEX_WAIT_BITSET, 5, &raw const soon, 1)),
            told("no bits", futex(&word, libc::FUTEX_WAIT_BITSET, 5, null(), 0)),
            told("nobody", futex(&word, libc::FUTEX_WAKE, 10, null(), 0)),
            told("nobody by bits", futex(&word, libc::FUTEX_WAKE_BITSET, 10, null(), 0)),
        ]
    });
}

#[test]
fn polling() {
    twins(|coroutine| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let fd = ours.as_raw_fd();
        let entry = |fd, events| libc::pollfd { fd, events, revents: 0x55 };
        let poll = |entries: &mut [libc::pollfd], timeout| {
            // SAFETY: the entries are live.
            let count =
                unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, timeout) };
            let seen: Vec<_> = entries.iter().map(|e| e.revents).collect();
            format!("{} {seen:?}", told("poll", count as isize))
        };
        let mut lines = vec![
            poll(&mut [entry(fd, libc::POLLIN)], 0),
            poll(&mut [entry(fd, libc::POLLIN), entry(-1, libc::POLLIN)], 10),
            poll(&mut [entry(fd, libc::POLLOUT), entry(fd, libc::POLLIN)], -1),
            poll(&mut [entry(999_999, libc::POLLIN), entry(fd, libc::POLLIN)], -1),
            poll(&mut [entry(fd, libc::POLLWRNORM)], -1),
            poll(&mut [], 10),
        ];
        let partner = aside(coroutine, move || {
            a_moment();
            theirs.write_all(b"x").unwrap();
            a_moment();
            drop(theirs);
        });
        lines.push(poll(&mut [entry(fd, libc::POLLIN), entry(fd, libc::POLLIN)], 10_000));
        lines.push(format!("{:?}", recv(fd, 8, 0)));
        lines.push(poll(&mut [entry(fd, libc::POLLIN)], 10_000));
        partner();
        lines
    });
}

#[test]
fn flags_are_the_users() {
    twins(|_| {
        let (ours, _theirs) = tcp_pair();
        let fd = ours.as_raw_fd();
        // SAFETY: plain calls on a descriptor of our own.
        let flags = || unsafe { libc::fcntl(fd, libc::F_GETFL) };
        let mut lines = vec![format!("{:#x}", flags())];
        ours.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        lines.push(told("a timeout", recv(fd, 1, 0).0));
        lines.push(format!("{:#x}", flags()));
        ours.set_read_timeout(None).unwrap();
        // Through a duplicate, which shares the open file.
        ours.try_clone().unwrap().set_nonblocking(true).unwrap();
        lines.push(told("not blocking", recv(fd, 1, 0).0));
        lines.push(format!("{:#x}", flags()));
        ours.set_nonblocking(false).unwrap();
        lines.push(told("this time only", recv(fd, 1, libc::MSG_DONTWAIT).0));
        lines
    });
}

/// Waits for a byte while its descriptor is closed or replaced, as `replace` does it.
fn while_waiting(coroutine: bool, replace: fn(c_int)) -> Lines {
    let (ours, mut theirs) = tcp_pair();
    let fd = ours.into_raw_fd();
    let partner = aside(coroutine, move || {
        a_moment();
        replace(fd);
        a_moment();
        // The file that is waited for lives on: this is no broken pipe.
        let sent = theirs.write(b"still there").map_err(|error| error.kind());
        a_moment();
        // Now nobody has it.
        let mut rest = [0; 8];
        let end = theirs.read(&mut rest).map_err(|error| error.kind());
        (sent, end)
    });
    let got = recv(fd, 64, 0);
    vec![format!("{got:?} {:?}", partner())]
}

#[test]
fn closed_while_waiting() {
    twins(|coroutine| {
        while_waiting(coroutine, |fd| {
            // SAFETY: the reader's own descriptor, which it does not use again.
            unsafe { libc::close(fd) };
        })
    });
}

#[test]
fn replaced_while_waiting() {
    twins(|coroutine| {
        while_waiting(coroutine, |fd| {
            let other = std::fs::File::open("/dev/null").unwrap();
            // SAFETY: the reader's own descriptor, which it does not use again.
            unsafe {
                libc::dup2(other.as_raw_fd(), fd);
                libc::close(fd);
            }
        })
    });
}

#[test]
fn a_reset_in_the_middle_of_a_write() {
    twins(|coroutine| {
        let data = vec![1_u8; 64 << 20];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        let partner = aside(coroutine, move || {
            a_moment();
            let reset = libc::linger { l_onoff: 1, l_linger: 0 };
            let (place, len) = ((&raw const reset).cast(), size_of::<libc::linger>());
            let (fd, level) = (theirs.as_raw_fd(), libc::SOL_SOCKET);
            // SAFETY: a live structure of that length.
            unsafe {
                libc::setsockopt(fd, level, libc::SO_LINGER, place, len as libc::socklen_t);
            }
            drop(theirs);
        });
        let fd = ours.as_raw_fd();
        // SAFETY: the data is that long.
        let sent = unsafe { libc::send(fd, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL) };
        partner();
        // Some of it was taken; the error comes with the next call.
        let part = (1..data.len() as isize).contains(&sent);
        let after = told("the next call", recv(fd, 1, 0).0);
        vec![format!("{part}"), after]
    });
}

#[test]
fn a_full_receiver_of_unix_messages() {
    twins(|coroutine| {
        let folder = std::env::temp_dir().join(format!("lisle-twins-{}", std::process::id()));
        let path = folder.with_extension(format!("{coroutine}"));
        let _ = std::fs::remove_file(&path);
        let receiver = UnixDatagram::bind(&path).unwrap();
        let partner = aside(coroutine, move || {
            a_moment();
            let mut sum = 0;
            for _ in 0..1000 {
                let mut message = [0; 8];
                sum += receiver.recv(&mut message).unwrap();
            }
            sum
        });
        let sender = UnixDatagram::unbound().unwrap();
        let sent: usize = (0..1000).map(|_| sender.send_to(b"12345678", &path).unwrap()).sum();
        let received = partner();
        std::fs::remove_file(&path).unwrap();
        vec![format!("{sent} {received}")]
    });
}

#[test]
fn counters_timers_and_children() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        let mut word = 0_u64;
        let place: *mut c_void = (&raw mut word).cast();
        // SAFETY: places of eight bytes and more; descriptors and children of our own.
        unsafe {
            let event = libc::eventfd(0, 0);
            let partner = aside(coroutine, move || {
                a_moment();
                let three = 3_u64;
                libc::write(event, (&raw const three).cast(), 8)
            });
            lines.push(told("a counter", libc::read(event, place, 8)));
            lines.push(format!("{word} {}", partner()));
            libc::close(event);

            let timer = libc::timerfd_create(libc::CLOCK_MONOTONIC, 0);
            let mut setting: libc::itimerspec = std::mem::zeroed();
            setting.it_value.tv_nsec = 10_000_000;
            libc::timerfd_settime(timer, 0, &raw const setting, null_mut());
            lines.push(told("a timer", libc::read(timer, place, 8)));
            lines.push(format!("{word}"));
            libc::close(timer);

            let mut status = 0;
            let mut command = std::process::Command::new("sh");
            let mut child = command.args(["-c", "exit 7"]).spawn().unwrap();
            let pid = child.id() as libc::pid_t;
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let keep = libc::WEXITED | libc::WNOWAIT;
            let seen = libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, keep);
            lines.push(format!("{seen} {} {}", info.si_pid() == pid, info.si_status()));
            let waited = libc::waitpid(pid, &raw mut status, 0);
            lines.push(format!("{} {status:#x}", waited == pid));
            lines.push(told("gone", libc::waitpid(pid, &raw mut status, 0) as isize));
            lines.push(format!("{:?}", child.wait().map_err(|error| error.raw_os_error())));
        }
        lines
    });
}

#[test]
fn an_epoll_instance_of_the_programs_own() {
    twins(|coroutine| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
        // SAFETY: live places; descriptors of our own.
        unsafe {
            let epoll = OwnedFd::from_raw_fd(libc::epoll_create1(0));
            let fd = epoll.as_raw_fd();
            let mut interest = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 9 };
            libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, ours.as_raw_fd(), &raw mut interest);
            let mut wait = |timeout| {
                let count = libc::epoll_wait(fd, events.as_mut_ptr(), 4, timeout);
                let (seen, data) = (events[0].events, events[0].u64);
                format!("{} {seen:#x} {data}", told("epoll_wait", count as isize))
            };
            let mut lines = vec![wait(0), wait(10)];
            let partner = aside(coroutine, move || {
                a_moment();
                theirs.write_all(b"x").unwrap();
                theirs
            });
            lines.push(wait(-1));
            // Level-triggered: still so.
            lines.push(wait(-1));
            drop(partner());
            lines
        }
    });
}

#[test]
fn parts_and_messages() {
    twins(|coroutine| {
        let (ours, theirs) = tcp_pair();
        let was_read = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&was_read);
        let partner = aside(coroutine, move || {
            a_moment();
            let (one, two) = (*b"hello ", *b"world");
            let part = |text: &[u8]| libc::iovec {
                iov_base: text.as_ptr().cast_mut().cast(),
                iov_len: text.len(),
            };
            let parts = [part(&one), part(&[]), part(&two)];
            // SAFETY: live parts; all-zero is a message without anything.
            unsafe {
                let written = libc::writev(theirs.as_raw_fd(), parts.as_ptr(), 3);
                util::yield_until(|| seen.load(Ordering::Acquire));
                a_moment();
                let mut message: libc::msghdr = std::mem::zeroed();
                message.msg_iov = parts.as_ptr().cast_mut();
                message.msg_iovlen = 3;
                (written, libc::sendmsg(theirs.as_raw_fd(), &raw const message, 0))
            }
        });
        let (mut one, mut two) = ([0_u8; 4], [0_u8; 64]);
        let mut parts = [
            libc::iovec { iov_base: one.as_mut_ptr().cast(), iov_len: one.len() },
            libc::iovec { iov_base: two.as_mut_ptr().cast(), iov_len: two.len() },
        ];
        // SAFETY: live parts; all-zero is a message without anything.
        let (read, received) = unsafe {
            let read = libc::readv(ours.as_raw_fd(), parts.as_ptr(), 2);
            was_read.store(true, Ordering::Release);
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = parts.as_mut_ptr();
            message.msg_iovlen = 2;
            (read, libc::recvmsg(ours.as_raw_fd(), &raw mut message, 0))
        };
        vec![format!("{read} {received} {one:?} {two:?} {:?}", partner())]
    });
}

#[test]
fn locks_on_files() {
    twins(|coroutine| {
        let path = std::env::temp_dir()
            .join(format!("lisle-twins-lock-{}-{coroutine}", std::process::id()));
        let open = || std::fs::File::create(&path).unwrap();
        let (ours, theirs) = (open(), open());
        // SAFETY: plain calls on descriptors of our own.
        let lock = |fd, how| unsafe { libc::flock(fd, how) as isize };
        let mut lines = vec![told("theirs", lock(theirs.as_raw_fd(), libc::LOCK_EX))];
        lines.push(told("not now", lock(ours.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB)));
        let partner = aside(coroutine, move || {
            a_moment();
            drop(theirs);
        });
        lines.push(told("ours", lock(ours.as_raw_fd(), libc::LOCK_EX)));
        partner();
        std::fs::remove_file(&path).unwrap();
        lines
    });
}

#[test]
fn moving_bytes_within_the_kernel() {
    twins(|coroutine| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (from, mut into) = std::io::pipe().unwrap();
        let partner = aside(coroutine, move || {
            a_moment();
            into.write_all(b"spliced").unwrap();
        });
        let null_offset = null_mut();
        // SAFETY: descriptors of our own, no offsets.
        let moved = unsafe {
            libc::splice(from.as_raw_fd(), null_offset, theirs.as_raw_fd(), null_offset, 64, 0)
        };
        partner();
        let mut text = [0; 7];
        ours.read_exact(&mut text).unwrap();
        vec![told("splice", moved), format!("{text:?}")]
    });
}

#[test]
fn readiness_in_other_forms() {
    twins(|coroutine| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let fd = ours.as_raw_fd();
        let partner = aside(coroutine, move || {
            a_moment();
            theirs.write_all(b"x").unwrap();
            theirs
        });
        let mut lines = Vec::new();
        // SAFETY: live places; a set with one descriptor below its size.
        unsafe {
            let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            let soon = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            let early = libc::ppoll(&raw mut entry, 1, &raw const soon, null());
            lines.push(told("ppoll", early as isize));
            let mut set: libc::fd_set = std::mem::zeroed();
            libc::FD_SET(fd, &raw mut set);
            let ready = libc::select(fd + 1, &raw mut set, null_mut(), null_mut(), null_mut());
            lines.push(format!("{} {}", told("select", ready as isize), libc::FD_ISSET(fd, &set)));
            let late = libc::ppoll(&raw mut entry, 1, null(), null());
            lines.push(format!("{} {}", told("ppoll", late as isize), entry.revents));
            lines.push(told("usleep", libc::usleep(1_000) as isize));
            lines.push(format!("sleep: {}", libc::sleep(0)));
            let copy = libc::dup(fd);
            lines.push(told("dup3 to itself", libc::dup3(copy, copy, 0) as isize));
            let number = copy as libc::c_uint;
            lines.push(told("close_range", libc::close_range(number, number, 0) as isize));
            lines.push(told("gone", libc::close(copy) as isize));
        }
        drop(partner());
        lines
    });
}
