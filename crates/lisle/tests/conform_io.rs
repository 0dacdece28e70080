//! Oddities of input and output: what `poll` says of numbers that are none, which signals a broken
//! pipe raises and how often, how attempts to connect end. On an OS thread and on a coroutine the
//! same.

mod util;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use util::{
    Folder, Lines, in_child, recv, set_option, tcp_pair, told, twins, twins_alone,
    twins_of_a_child, waits, waits_for,
};

const LEAST: Duration = Duration::from_millis(20);

fn poll(entries: &mut [libc::pollfd], timeout: i32) -> String {
    let count = entries.len() as libc::nfds_t;
    // SAFETY: the entries are live.
    let ready = unsafe { libc::poll(entries.as_mut_ptr(), count, timeout) };
    let seen: Vec<_> = entries.iter().map(|e| (e.events, e.revents)).collect();
    format!("{} {seen:x?}", told("poll", ready as isize))
}

fn entry(fd: RawFd, events: i16) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 0x5555 }
}

/// Numbers that are none are told at once, negative ones never, and what was in the places is gone.
#[test]
fn polling_what_is_none() {
    twins(|coroutine| {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (fd, bad, input) = (ours.as_raw_fd(), 888_888, libc::POLLIN);
        let mut lines = vec![
            poll(&mut [entry(bad, input)], -1),
            poll(&mut [entry(bad, 0)], -1),
            poll(&mut [entry(bad, input), entry(bad, input)], -1),
            poll(&mut [entry(fd, input), entry(bad, input), entry(-5, input)], -1),
            poll(&mut [entry(fd, 0), entry(fd, libc::POLLOUT), entry(fd, input)], -1),
            poll(&mut [entry(-1, input), entry(i32::MIN, input)], 0),
        ];
        for entries in [&mut [][..], &mut [entry(-1, input), entry(-2, input)]] {
            lines.push(waits_for(coroutine, LEAST, || poll(entries, 20)));
        }
        // Nothing is asked for: only the end is told.
        let call = || poll(&mut [entry(fd, 0), entry(-1, 0x7fff)], 20);
        lines.push(waits_for(coroutine, LEAST, call));
        // More than there may be open files; and no entries behind the count.
        // SAFETY: the kernel looks at the count first.
        let many = unsafe { libc::poll(null_mut(), libc::nfds_t::MAX, 0) };
        lines.push(told("too many", many as isize));
        lines
    });
}

/// The same descriptor several times, for different events, and duplicates of it.
#[test]
fn polling_the_same_file_twice() {
    twins(|coroutine| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let copy = ours.try_clone().unwrap();
        let (fd, other) = (ours.as_raw_fd(), copy.as_raw_fd());
        let events = [libc::POLLIN, libc::POLLIN | libc::POLLPRI, libc::POLLRDHUP, 0];
        let mut all: Vec<_> = [fd, other, fd, other]
            .into_iter()
            .flat_map(|fd| events.map(|events| entry(fd, events)))
            .collect();
        let send = move || theirs.write_all(b"x").map(|()| theirs);
        let (line, theirs) = waits(coroutine, LEAST, send, || poll(&mut all, -1));
        let mut lines = vec![line];
        recv(fd, 4, 0);
        let end = move || drop(theirs);
        lines.push(waits(coroutine, LEAST, end, || poll(&mut all, -1)).0);
        lines
    });
}

/// Files that are always ready, beside one that is not: nobody waits.
#[test]
fn polling_files_that_are_always_ready() {
    twins(|coroutine| {
        let folder = Folder::new("conform-poll", coroutine);
        std::fs::write(folder.at("file"), b"x").unwrap();
        let file = std::fs::File::open(folder.at("file")).unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        let listing = std::fs::File::open(&folder.0).unwrap();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut lines = Vec::new();
        let both = libc::POLLIN | libc::POLLOUT;
        for ready in [file.as_raw_fd(), null.as_raw_fd(), listing.as_raw_fd()] {
            lines.push(poll(&mut [entry(ours.as_raw_fd(), libc::POLLIN), entry(ready, both)], -1));
            // SAFETY: all-zero is an empty set; descriptors below its size.
            unsafe {
                let mut set: libc::fd_set = std::mem::zeroed();
                libc::FD_SET(ready, &raw mut set);
                libc::FD_SET(ours.as_raw_fd(), &raw mut set);
                let most = ready.max(ours.as_raw_fd()) + 1;
                let none = null_mut();
                let count = libc::select(most, &raw mut set, none, none, none.cast());
                let seen = [ready, ours.as_raw_fd()].map(|fd| libc::FD_ISSET(fd, &raw const set));
                lines.push(format!("select: {count} {seen:?}"));
            }
        }
        lines
    });
}

/// The errors of `select` and `epoll_wait`.
#[test]
fn wrong_sets_and_instances() {
    twins(|_| {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut lines = Vec::new();
        // SAFETY: all-zero is an empty set; live places.
        unsafe {
            let mut set: libc::fd_set = std::mem::zeroed();
            libc::FD_SET(900, &raw mut set);
            let none = null_mut();
            let mut now = libc::timeval { tv_sec: 0, tv_usec: 0 };
            let (place, now) = (&raw mut set, &raw mut now);
            lines.push(told("no such file", libc::select(901, place, none, none, now) as isize));
            lines.push(told("negative", libc::select(-1, place, none, none, now) as isize));
            (*now).tv_usec = -1;
            lines.push(told("bad time", libc::select(0, none, none, none, now) as isize));
            let bad = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000_000 };
            let (bad, empty) = (&raw const bad, null());
            let count = libc::pselect(0, none, none, none, bad, empty);
            lines.push(told("bad time", count as isize));
            lines.push(told("bad time", libc::ppoll(null_mut(), 0, bad, empty) as isize));
            let mut event = libc::epoll_event { events: 0, u64: 0 };
            let event = &raw mut event;
            let fd = ours.as_raw_fd();
            lines.push(told("no instance", libc::epoll_wait(fd, event, 1, -1) as isize));
            lines.push(told("no file", libc::epoll_wait(-1, event, 1, -1) as isize));
            lines.push(told("no file", libc::epoll_pwait(888_888, event, 1, 10, empty) as isize));
            let epoll = OwnedFd::from_raw_fd(libc::epoll_create1(0));
            let fd = epoll.as_raw_fd();
            for count in [0, -1] {
                lines.push(told("no room", libc::epoll_wait(fd, event, count, -1) as isize));
            }
        }
        lines
    });
}

/// The instance is asked about one that was added while it was waited for, by edge and once only.
#[test]
fn epoll_by_level_edge_and_once() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        // SAFETY: live places.
        let epoll = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(0)) };
        let fd = epoll.as_raw_fd();
        let control = move |command, on: RawFd, events: i32| {
            let mut event = libc::epoll_event { events: events as u32, u64: on as u64 };
            // SAFETY: a live place.
            unsafe { libc::epoll_ctl(fd, command, on, &raw mut event) }
        };
        let wait = |timeout| {
            let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
            // SAFETY: live places.
            let count = unsafe { libc::epoll_pwait(fd, events.as_mut_ptr(), 4, timeout, null()) };
            let seen = events.map(|e| e.events);
            format!("{} {seen:x?}", told("epoll_pwait", count as isize))
        };
        for kind in [0, libc::EPOLLET, libc::EPOLLONESHOT] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let number = ours.as_raw_fd();
            let add = move || {
                control(libc::EPOLL_CTL_ADD, number, libc::EPOLLIN | kind);
                theirs.write_all(b"x").map(|()| theirs)
            };
            let (line, _theirs) = waits(coroutine, LEAST, add, || wait(-1));
            lines.extend([line, wait(0)]);
            // Still so by level; told already by edge, and once only.
            lines.push(match kind {
                0 => wait(20),
                _ => waits_for(coroutine, LEAST, || wait(20)),
            });
            control(libc::EPOLL_CTL_MOD, number, libc::EPOLLIN | kind);
            lines.push(wait(-1));
            control(libc::EPOLL_CTL_DEL, number, 0);
        }
        lines
    });
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_signal: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

/// A broken pipe raises one signal for each call, none where that was asked for, and the error
/// is told once something was written by the next call.
#[test]
fn a_broken_pipe_is_told_once() {
    let ended = in_child(&[("LISLE_WORKERS", "1")], || {
        // SAFETY: the handler counts, and nothing else.
        unsafe { libc::signal(libc::SIGPIPE, count as *const () as libc::sighandler_t) };
        twins_of_a_child(|coroutine| {
            let mut lines = Vec::new();
            let text = [0_u8; 16];
            let start = text.as_ptr().cast();
            let mut say = |name: &str, call: &dyn Fn() -> isize| {
                SIGNALS.store(0, Ordering::SeqCst);
                let line = told(name, call());
                lines.push(format!("{line}, {} signals", SIGNALS.load(Ordering::SeqCst)));
            };
            let (pipe, socket) = (std::io::pipe().unwrap().1, UnixStream::pair().unwrap().0);
            let (pipe, socket) = (pipe.as_raw_fd(), socket.as_raw_fd());
            let part = libc::iovec { iov_base: text.as_ptr().cast_mut().cast(), iov_len: 16 };
            // SAFETY: live places; all-zero is an empty message.
            unsafe {
                let mut message: libc::msghdr = std::mem::zeroed();
                message.msg_iov = (&raw const part).cast_mut();
                message.msg_iovlen = 1;
                let (parts, message) = (&raw const part, &raw const message);
                let quiet = libc::MSG_NOSIGNAL;
                say("write to a pipe", &|| libc::write(pipe, start, 16));
                say("writev to a pipe", &|| libc::writev(pipe, parts, 1));
                say("write", &|| libc::write(socket, start, 16));
                say("writev", &|| libc::writev(socket, parts, 1));
                say("send", &|| libc::send(socket, start, 16, 0));
                say("send quietly", &|| libc::send(socket, start, 16, quiet));
                say("sendto quietly", &|| libc::sendto(socket, start, 16, quiet, null(), 0));
                say("sendmsg", &|| libc::sendmsg(socket, message, 0));
                say("sendmsg quietly", &|| libc::sendmsg(socket, message, quiet));
                say("not now", &|| libc::send(socket, start, 16, libc::MSG_DONTWAIT));
            }
            // The other end goes while a large write is under way.
            let (from, into) = std::io::pipe().unwrap();
            let fd = into.as_raw_fd();
            let data = vec![0_u8; 1 << 20];
            SIGNALS.store(0, Ordering::SeqCst);
            let end = move || drop(from);
            // SAFETY: the data is that long.
            let write = || unsafe { libc::write(fd, data.as_ptr().cast(), data.len()) };
            let (wrote, ()) = waits(coroutine, LEAST, end, write);
            lines.push(format!("{wrote}, {} signals", SIGNALS.load(Ordering::SeqCst)));
            lines
        });
    });
    ended.expect_return();
}

/// The address of a local port.
fn ipv4(port: u16) -> libc::sockaddr_in {
    // SAFETY: all-zero is a valid address.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
    address
}

fn connect(fd: RawFd, address: &libc::sockaddr_in) -> String {
    let len = size_of_val(address) as libc::socklen_t;
    // SAFETY: a live address of that length.
    told("connect", unsafe { libc::connect(fd, (&raw const *address).cast(), len) } as isize)
}

fn error_of(fd: RawFd) -> i32 {
    let (mut error, mut len) = (0, 4);
    // SAFETY: live places.
    unsafe {
        let place = (&raw mut error).cast();
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, place, &raw mut len);
    }
    error
}

/// Every end of an attempt to connect. Alone in a process: what other tests fork holds a socket for
/// a moment after it was closed here.
#[test]
fn connecting_and_its_errors() {
    twins_alone(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let there = ipv4(listener.local_addr().unwrap().port());
        let mut lines = Vec::new();
        let socket = |kind| {
            // SAFETY: a new number, which is nobody else's.
            unsafe { OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, kind, 0)) }
        };
        let one = socket(libc::SOCK_STREAM);
        let fd = one.as_raw_fd();
        lines.push(format!("refused: {} {}", connect(fd, &ipv4(nobody)), error_of(fd)));
        // The same socket, once more.
        lines.push(format!("connected: {} {}", connect(fd, &there), error_of(fd)));
        lines.push(format!("again: {}", connect(fd, &there)));
        let two = socket(libc::SOCK_STREAM | libc::SOCK_NONBLOCK);
        let fd = two.as_raw_fd();
        lines.push(format!("begun: {}", connect(fd, &there)));
        lines.push(poll(&mut [entry(fd, libc::POLLOUT)], -1));
        lines.push(format!("{} {}", error_of(fd), connect(fd, &there)));
        let three = socket(libc::SOCK_STREAM | libc::SOCK_NONBLOCK);
        let fd = three.as_raw_fd();
        lines.push(format!("begun in vain: {}", connect(fd, &ipv4(nobody))));
        lines.push(poll(&mut [entry(fd, libc::POLLOUT)], -1));
        lines.push(format!("{} {}", error_of(fd), error_of(fd)));
        lines.push(format!("a listener: {}", connect(listener.as_raw_fd(), &there)));
        lines.push(format!("no socket: {}", connect(0, &there)));
        lines.push(format!("no file: {}", connect(-1, &there)));
        let mut strange = there;
        strange.sin_family = 200;
        lines.push(format!(
            "a strange family: {}",
            connect(socket(libc::SOCK_STREAM).as_raw_fd(), &strange)
        ));
        // Datagrams: giving the peer, and taking it back.
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let fd = udp.as_raw_fd();
        lines.push(format!("datagrams: {} {}", connect(fd, &ipv4(nobody)), connect(fd, &there)));
        let mut none = there;
        none.sin_family = libc::AF_UNSPEC as libc::sa_family_t;
        lines.push(format!("{} {:?}", connect(fd, &none), udp.send(b"x").map_err(|e| e.kind())));
        lines
    });
}

#[test]
fn connecting_by_path_and_its_errors() {
    twins(|coroutine| {
        let folder = Folder::new("conform-connecting", coroutine);
        let mut lines: Lines = Vec::new();
        drop(UnixListener::bind(folder.at("left")).unwrap());
        let _datagrams = UnixDatagram::bind(folder.at("datagrams")).unwrap();
        std::fs::write(folder.at("file"), b"").unwrap();
        for name in ["left", "datagrams", "file", "nothing"] {
            let stream = UnixStream::connect(folder.at(name)).map(|_| ());
            let datagram = UnixDatagram::unbound().unwrap().connect(folder.at(name));
            let errors = [stream, datagram].map(|result| result.map_err(|e| e.raw_os_error()));
            lines.push(format!("{name}: {errors:?}"));
        }
        lines
    });
}

/// An error that is pending is told by one call, whichever it is, and then gone.
#[test]
fn a_pending_error_is_told_once() {
    twins(|_| {
        let mut lines = Vec::new();
        for first in ["recv", "send", "SO_ERROR", "poll"] {
            let (ours, theirs) = tcp_pair();
            let reset = libc::linger { l_onoff: 1, l_linger: 0 };
            set_option(&theirs, libc::SOL_SOCKET, libc::SO_LINGER, reset);
            drop(theirs);
            let fd = ours.as_raw_fd();
            let say = |which| match which {
                "recv" => told("recv", recv(fd, 1, 0).0),
                // SAFETY: a live text.
                "send" => told("send", unsafe {
                    libc::send(fd, c"x".as_ptr().cast(), 1, libc::MSG_NOSIGNAL)
                }),
                "SO_ERROR" => format!("SO_ERROR: {}", error_of(fd)),
                _ => poll(&mut [entry(fd, libc::POLLIN | libc::POLLOUT)], -1),
            };
            // The end is there at once on the loopback interface.
            lines.push(["poll", first, "recv", "send", "recv", "poll"].map(say).join(", "));
        }
        lines
    });
}

/// Reads and writes of nothing, at the end, and on the wrong side.
#[test]
fn nothing_and_the_end() {
    twins(|_| {
        let (mut from, mut into) = std::io::pipe().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (tcp, other) = tcp_pair();
        let mut lines = Vec::new();
        let (mut place, text) = ([0_u8; 4], [1_u8; 4]);
        let (place, text) = (place.as_mut_ptr().cast(), text.as_ptr().cast());
        let [read, write, unix, tcp_fd] =
            [from.as_raw_fd(), into.as_raw_fd(), ours.as_raw_fd(), tcp.as_raw_fd()];
        // SAFETY: places of four bytes.
        unsafe {
            for fd in [read, write, unix, tcp_fd, -1] {
                if fd != unix && fd != tcp_fd {
                    lines.push(told("read nothing", libc::read(fd, place, 0)));
                }
                lines.push(told("write nothing", libc::write(fd, text, 0)));
            }
            lines.push(told("send nothing", libc::send(unix, text, 0, 0)));
            lines.push(told("the wrong side", libc::read(write, place, 4)));
            lines.push(told("the wrong side", libc::write(read, text, 4)));
            into.write_all(b"rest").unwrap();
            drop(into);
            from.read_exact(&mut [0; 3]).unwrap();
            lines.push(told("the rest", libc::read(read, place, 4)));
            lines.push(told("the end", libc::read(read, place, 4)));
            drop((theirs, other));
            for fd in [unix, tcp_fd] {
                lines.push(told("the end", libc::read(fd, place, 4)));
                lines.push(told("the end", libc::recv(fd, place, 4, libc::MSG_WAITALL)));
            }
            let parts = libc::iovec { iov_base: place, iov_len: 4 };
            for count in [0, -1, 1025] {
                lines.push(told("readv", libc::readv(unix, &raw const parts, count)));
                lines.push(told("writev", libc::writev(unix, &raw const parts, count)));
            }
        }
        let stream: TcpStream = tcp;
        lines.push(format!("{:?}", stream.shutdown(std::net::Shutdown::Read).is_ok()));
        lines
    });
}
