//! What a descriptor is: all the ways in which it is set not to block and back, what its duplicates
//! share with it, where it came from, and that nobody sees a trace of the runtime on it. On an OS
//! thread and on a coroutine the same.

mod util;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::ptr::null_mut;
use std::time::Duration;

use util::{Folder, Lines, in_child, tcp_pair, told, twins, twins_alone, twins_of_a_child, waits};

const LEAST: Duration = Duration::from_millis(10);

fn flags(fd: RawFd) -> i32 {
    // SAFETY: a plain call.
    unsafe { libc::fcntl(fd, libc::F_GETFL) }
}

fn read(fd: RawFd) -> String {
    let mut place = [0_u8; 8];
    // SAFETY: a place of eight bytes.
    told("read", unsafe { libc::read(fd, place.as_mut_ptr().cast(), 8) })
}

/// A pair of sockets made by C's function. Processes that other tests start do not get them.
fn socket_pair(kind: i32) -> [OwnedFd; 2] {
    let (mut pair, kind) = ([0; 2], kind | libc::SOCK_CLOEXEC);
    // SAFETY: a place for two numbers, which are open and nobody else's.
    unsafe {
        assert_eq!(libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()), 0);
        pair.map(|fd| OwnedFd::from_raw_fd(fd))
    }
}

/// Descriptors of which each call that has nothing to read is to fail, and the names of the ways
/// in which they came to be so.
fn not_to_block() -> Vec<(&'static str, OwnedFd, Option<OwnedFd>)> {
    let mut all = Vec::new();
    // SAFETY: plain calls, whose numbers are open and nobody else's.
    unsafe {
        let [ours, theirs] = socket_pair(libc::SOCK_STREAM);
        libc::fcntl(ours.as_raw_fd(), libc::F_SETFL, flags(ours.as_raw_fd()) | libc::O_NONBLOCK);
        all.push(("F_SETFL", ours, Some(theirs)));
        let [ours, theirs] = socket_pair(libc::SOCK_STREAM);
        let mut on = 1;
        libc::ioctl(ours.as_raw_fd(), libc::FIONBIO, &raw mut on);
        all.push(("FIONBIO", ours, Some(theirs)));
        let [ours, theirs] = socket_pair(libc::SOCK_STREAM | libc::SOCK_NONBLOCK);
        all.push(("socketpair", ours, Some(theirs)));
        let udp = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0);
        all.push(("socket", OwnedFd::from_raw_fd(udp), None));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let fd = libc::accept4(listener.as_raw_fd(), null_mut(), null_mut(), libc::SOCK_NONBLOCK);
        all.push(("accept4", OwnedFd::from_raw_fd(fd), Some(client.into())));
        let mut pipe = [0; 2];
        assert_eq!(libc::pipe2(pipe.as_mut_ptr(), libc::O_NONBLOCK), 0);
        let [from, into] = pipe.map(|fd| OwnedFd::from_raw_fd(fd));
        all.push(("pipe2", from, Some(into)));
        let event = libc::eventfd(0, libc::EFD_NONBLOCK);
        all.push(("eventfd", OwnedFd::from_raw_fd(event), None));
        let timer = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK);
        all.push(("timerfd", OwnedFd::from_raw_fd(timer), None));
        let inotify = libc::inotify_init1(libc::IN_NONBLOCK);
        all.push(("inotify", OwnedFd::from_raw_fd(inotify), None));
        // Set on one, seen through a duplicate that was made before.
        let [ours, theirs] = socket_pair(libc::SOCK_STREAM);
        let copy = ours.try_clone().unwrap();
        libc::fcntl(copy.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK | libc::O_RDWR);
        all.push(("a duplicate", ours, Some(theirs)));
    }
    all
}

#[test]
fn every_way_not_to_block_and_back() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        for (name, ours, theirs) in not_to_block() {
            let fd = ours.as_raw_fd();
            lines.push(format!("{name}: {:#o}, {}, {:#o}", flags(fd), read(fd), flags(fd)));
            // SAFETY: a plain call.
            unsafe { libc::fcntl(fd, libc::F_SETFL, flags(fd) & !libc::O_NONBLOCK) };
            lines.push(format!("{:#o}", flags(fd)));
            if let Some(theirs) = theirs {
                let write = move || File::from(theirs).write_all(b"back").unwrap();
                lines.push(waits(coroutine, LEAST, write, || read(fd)).0);
            }
        }
        lines
    });
}

#[test]
fn not_this_time() {
    twins(|_| {
        let [ours, _theirs] = socket_pair(libc::SOCK_STREAM);
        let fd = ours.as_raw_fd();
        let mut lines = Vec::new();
        let mut place = [0_u8; 8];
        let start = place.as_mut_ptr().cast();
        // SAFETY: a place of eight bytes, live structures; all-zero is an empty message.
        unsafe {
            let mut part = libc::iovec { iov_base: start, iov_len: 8 };
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = &raw mut part;
            message.msg_iovlen = 1;
            let now = libc::MSG_DONTWAIT;
            lines.push(told("recv", libc::recv(fd, start, 8, now)));
            lines.push(told("recvfrom", libc::recvfrom(fd, start, 8, now, null_mut(), null_mut())));
            lines.push(told("recvmsg", libc::recvmsg(fd, &raw mut message, now)));
            let parts = &raw const part;
            lines.push(told("preadv2", libc::preadv2(fd, parts, 1, -1, libc::RWF_NOWAIT)));
            let data = vec![0_u8; 4 << 20];
            let sent = libc::send(fd, data.as_ptr().cast(), data.len(), now);
            lines.push(format!("{}", (1..4 << 20).contains(&sent)));
            lines.push(told("send", libc::send(fd, start, 8, now)));
            lines.push(told("sendmsg", libc::sendmsg(fd, &raw const message, now)));
        }
        lines.push(format!("{:#o}", flags(fd)));
        lines
    });
}

/// Another process shares the open file: it sees no flag that nobody set, while we wait on it.
#[test]
fn others_who_share_the_file_see_no_flags_of_ours() {
    twins(|coroutine| {
        let (ours, mut theirs) = tcp_pair();
        let (from, mut into) = std::io::pipe().unwrap();
        // Tells the flags of its standard input, in octal digits.
        let seen_by_another = |fd: OwnedFd| {
            let mut command = Command::new("sh");
            command.args(["-c", "sed -n 's/^flags:[ \t]*//p' /proc/self/fdinfo/0"]);
            let output = command.stdin(Stdio::from(fd)).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let [socket, pipe]: [OwnedFd; 2] =
            [ours.try_clone().unwrap().into(), from.try_clone().unwrap().into()];
        let (line, seen) = waits(
            coroutine,
            LEAST,
            move || {
                let seen = [seen_by_another(socket), seen_by_another(pipe)];
                theirs.write_all(b"x").unwrap();
                into.write_all(b"x").unwrap();
                seen
            },
            || [read(ours.as_raw_fd()), read(from.as_raw_fd())],
        );
        vec![format!("{line:?} {seen:?}")]
    });
}

/// A descriptor whose open file another process set not to block, before we had it.
#[test]
fn an_inherited_file_that_does_not_block() {
    const DESCRIPTOR: &str = "LISLE_TEST_INHERITED";
    if let Ok(number) = std::env::var(DESCRIPTOR) {
        let fd: RawFd = number.parse().unwrap();
        return twins_of_a_child(move |_| {
            // The parent's own descriptor shares the file and sees what we do.
            // SAFETY: a live text.
            let wrote = unsafe { libc::write(fd, c"x".as_ptr().cast(), 1) };
            vec![read(fd), format!("{:#o}", flags(fd)), told("write", wrote)]
        });
    }
    util::here(|| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let fd = theirs.as_raw_fd();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "an_inherited_file_that_does_not_block", "--nocapture"]);
        command.env(DESCRIPTOR, fd.to_string());
        // SAFETY: after the fork one system call.
        unsafe {
            command.pre_exec(move || match libc::fcntl(fd, libc::F_SETFD, 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
        // Still so after the other one has ended, and its bytes are there.
        assert_eq!(flags(fd) & libc::O_NONBLOCK, libc::O_NONBLOCK);
        let mut text = [0; 2];
        ours.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"xx");
    });
}

/// Sends descriptors over a socket and receives them there.
fn passed_on(fds: &[RawFd]) -> Vec<OwnedFd> {
    let [ours, theirs] = socket_pair(libc::SOCK_STREAM);
    let len = size_of_val(fds);
    // SAFETY: live structures; the control data has room for the numbers, and those that come
    // out are open and nobody else's.
    unsafe {
        let mut byte = 0_u8;
        let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        let mut control = [0_u64; 32];
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(len as u32) as usize;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(len as u32) as usize;
        std::ptr::copy_nonoverlapping(fds.as_ptr(), libc::CMSG_DATA(header).cast(), fds.len());
        assert_eq!(libc::sendmsg(ours.as_raw_fd(), &raw const message, 0), 1);
        control.fill(0);
        assert_eq!(libc::recvmsg(theirs.as_raw_fd(), &raw mut message, 0), 1);
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        let data = libc::CMSG_DATA(header).cast::<RawFd>();
        (0..fds.len()).map(|i| OwnedFd::from_raw_fd(data.add(i).read_unaligned())).collect()
    }
}

#[test]
fn descriptors_that_came_in_a_message() {
    twins_alone(|coroutine| {
        let mut lines = Vec::new();
        let [ours, theirs] = socket_pair(libc::SOCK_STREAM | libc::SOCK_NONBLOCK);
        let (from, mut into) = std::io::pipe().unwrap();
        let (tcp, mut other) = tcp_pair();
        let numbers = [ours.as_raw_fd(), from.as_raw_fd(), tcp.as_raw_fd()];
        let new = passed_on(&numbers);
        // The sender's are closed, so that the received ones are the only ones.
        drop((ours, from, tcp));
        let [socket, pipe, connection] = [0, 1, 2].map(|i| new[i].as_raw_fd());
        lines.push(format!("{:#o} {}", flags(socket), read(socket)));
        let write = move || into.write_all(b"pipe").unwrap();
        lines.push(waits(coroutine, LEAST, write, || read(pipe)).0);
        lines.push(read(pipe));
        let write = move || other.write_all(b"tcp").map(|()| other);
        lines.push(waits(coroutine, LEAST, write, || read(connection)).0);
        drop(theirs);
        lines.push(read(socket));
        lines
    });
}

/// Those that no hook saw being made or closed: by system calls, under numbers used before.
#[test]
fn descriptors_that_no_hook_has_seen() {
    twins_alone(|coroutine| {
        let mut lines = Vec::new();
        // SAFETY: plain system calls; a place for two numbers, which are nobody else's.
        unsafe {
            let mut pair = [0_i32; 2];
            let made = libc::syscall(
                libc::SYS_socketpair,
                libc::AF_UNIX,
                libc::SOCK_STREAM,
                0,
                &raw mut pair,
            );
            assert_eq!(made, 0);
            let [ours, theirs] = pair;
            let write = move || File::from_raw_fd(theirs).write_all(b"x").unwrap();
            lines.push(waits(coroutine, LEAST, write, || read(ours)).0);
            lines.push(read(ours));
            // Closed so that the wrapper of `syscall` knows; the number comes again.
            assert_eq!(libc::syscall(libc::SYS_close, ours), 0);
            let mut pipe = [0_i32; 2];
            assert_eq!(libc::syscall(libc::SYS_pipe2, &raw mut pipe, 0), 0);
            let [from, into] = pipe;
            let write = move || File::from_raw_fd(into).write_all(b"pipe").unwrap();
            lines.push(waits(coroutine, LEAST, write, || read(from)).0);
            lines.push(told("close", libc::close(from) as isize));
        }
        lines
    });
}

/// As high a number as this process may have. There are no tables with an end below that.
#[test]
fn high_numbers() {
    let ended = in_child(&[], || {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a live place.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
        let most = limit.rlim_max.min(1 << 20);
        assert!(most > 1024, "the limit of open files, {most}, leaves no high number");
        util::allow_files(most);
        twins_of_a_child(|coroutine| {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: a live place.
            unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
            let high = limit.rlim_cur as i32 - 1;
            let mut lines = Vec::new();
            let (ours, mut theirs) = tcp_pair();
            // SAFETY: plain calls.
            unsafe {
                lines.push(format!("{}", libc::dup2(ours.as_raw_fd(), high) == high));
                drop(ours);
                let write = move || theirs.write_all(b"x").map(|()| theirs);
                let (line, theirs) = waits(coroutine, LEAST, write, || read(high));
                lines.push(line);
                let none = libc::fcntl(high, libc::F_DUPFD, high + 1);
                lines.push(told("beyond", none as isize));
                lines.push(told("close", libc::close(high) as isize));
                lines.push(read(high));
                drop(theirs);
            }
            lines
        });
    });
    ended.expect_return();
}

/// Duplicates of all makes share the file and its flags, and one stays when the other is closed.
#[test]
fn duplicates_of_all_makes() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        for which in ["dup", "dup2", "dup3", "F_DUPFD", "F_DUPFD_CLOEXEC"] {
            let (ours, mut theirs) = tcp_pair();
            let old = ours.into_raw_fd();
            // SAFETY: plain calls on numbers of our own.
            unsafe {
                let target = libc::dup(0);
                let new = match which {
                    "dup" => libc::dup(old),
                    "dup2" => libc::dup2(old, target),
                    "dup3" => libc::dup3(old, target, libc::O_CLOEXEC),
                    "F_DUPFD" => libc::fcntl(old, libc::F_DUPFD, 200),
                    _ => libc::fcntl(old, libc::F_DUPFD_CLOEXEC, 200),
                };
                if new != target {
                    libc::close(target);
                }
                let cloexec = libc::fcntl(new, libc::F_GETFD);
                libc::fcntl(new, libc::F_SETFL, libc::O_RDWR | libc::O_NONBLOCK);
                lines.push(format!("{which}: {cloexec} {} {:#o}", read(old), flags(old)));
                libc::fcntl(old, libc::F_SETFL, libc::O_RDWR);
                libc::close(old);
                let write = move || theirs.write_all(b"x").map(|()| theirs);
                lines.push(waits(coroutine, LEAST, write, || read(new)).0);
                lines.push(told("close", libc::close(new) as isize));
            }
        }
        lines
    });
}

/// Commands that the hooks know nothing of get their arguments.
#[test]
fn other_commands_are_passed_on() {
    twins(|_| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let fd = ours.as_raw_fd();
        theirs.write_all(b"12345").unwrap();
        let (from, _into) = std::io::pipe().unwrap();
        let mut lines = Vec::new();
        // SAFETY: live places of the right kind for each command.
        unsafe {
            let mut count = 0;
            lines.push(told("FIONREAD", libc::ioctl(fd, libc::FIONREAD, &raw mut count) as isize));
            lines.push(format!("{count}"));
            lines.push(told("FIOCLEX", libc::ioctl(fd, libc::FIOCLEX) as isize));
            lines.push(format!("{}", libc::fcntl(fd, libc::F_GETFD)));
            lines.push(told("F_SETFD", libc::fcntl(fd, libc::F_SETFD, 0) as isize));
            lines.push(format!("{}", libc::fcntl(fd, libc::F_GETFD)));
            let pipe = from.as_raw_fd();
            lines.push(format!("{}", libc::fcntl(pipe, libc::F_SETPIPE_SZ, 1 << 16)));
            lines.push(format!("{}", libc::fcntl(pipe, libc::F_GETPIPE_SZ)));
            let mut lock: libc::flock = std::mem::zeroed();
            lock.l_type = libc::F_WRLCK as libc::c_short;
            let null = File::open("/dev/null").unwrap();
            let number = null.as_raw_fd();
            let got = libc::fcntl(number, libc::F_GETLK, &raw mut lock);
            lines.push(format!("{} {}", told("F_GETLK", got as isize), lock.l_type));
            lines.push(told(
                "F_SETLKW",
                libc::fcntl(number, libc::F_SETLKW, &raw const lock) as isize,
            ));
            let mut size: libc::winsize = std::mem::zeroed();
            lines.push(told(
                "TIOCGWINSZ",
                libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) as isize,
            ));
            lines.push(told("unknown", libc::fcntl(fd, 9_999, 0) as isize));
            lines.push(told("unknown", libc::ioctl(fd, 0xdead, 0) as isize));
            lines.push(told("closed", libc::fcntl(-1, libc::F_GETFL) as isize));
        }
        lines
    });
}

/// Streams of C's that are closed: the number is free, and comes again as something else. In a
/// process of its own, where nobody else gets the number in between.
#[test]
fn closing_streams() {
    twins_alone(|coroutine| {
        let folder = Folder::new("conform-fclose", coroutine);
        let mut lines = Vec::new();
        // SAFETY: C strings; no stream is used after it was closed.
        unsafe {
            let stream = libc::fopen(folder.c("file").as_ptr(), c"w".as_ptr());
            let fd = libc::fileno(stream);
            libc::fputs(c"flushed at the end".as_ptr(), stream);
            *libc::__errno_location() = 77;
            let closed = libc::fclose(stream);
            lines.push(format!("{closed} {}", *libc::__errno_location()));
            lines.push(std::fs::read_to_string(folder.at("file")).unwrap());
            // Its number, as something else.
            let (ours, mut theirs) = tcp_pair();
            let new = libc::dup2(ours.as_raw_fd(), fd);
            let write = move || theirs.write_all(b"x").map(|()| theirs);
            lines.push(waits(coroutine, LEAST, write, || read(new)).0);
            libc::close(new);
            // One whose number was closed already, and one without a number.
            let stream = libc::fopen(folder.c("file").as_ptr(), c"w".as_ptr());
            libc::fputs(c"lost".as_ptr(), stream);
            libc::close(libc::fileno(stream));
            lines.push(told("fclose", libc::fclose(stream) as isize));
            let mut place = [0_u8; 64];
            let stream = libc::fmemopen(place.as_mut_ptr().cast(), 64, c"w".as_ptr());
            libc::fputs(c"memory".as_ptr(), stream);
            *libc::__errno_location() = 77;
            let closed = libc::fclose(stream);
            let text = String::from_utf8_lossy(&place[..6]).into_owned();
            lines.push(format!("{closed} {text} {}", *libc::__errno_location()));
        }
        lines
    });
}

/// A stream that is closed while another one waits for its file, which the other one still has.
#[test]
fn a_stream_that_is_closed_under_a_reader() {
    twins_alone(|coroutine| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let fd = ours.into_raw_fd();
        // SAFETY: the number is the stream's from here on, and closed with it.
        let stream = unsafe { libc::fdopen(fd, c"r".as_ptr()) } as usize;
        let close = move || {
            // SAFETY: opened above, closed here alone.
            let closed = unsafe { libc::fclose(stream as *mut libc::FILE) };
            theirs.write_all(b"still").unwrap();
            closed
        };
        let (line, closed) = waits(coroutine, LEAST, close, || read(fd));
        vec![format!("{line} {closed}"), read(fd)]
    });
}

#[test]
fn closing_many_at_once() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        // A block of numbers of our own, above those that others use.
        // SAFETY: plain calls on numbers of our own.
        unsafe {
            let base = if coroutine { 700 } else { 800 };
            let numbers: Vec<_> =
                (0..5).map(|i| libc::fcntl(ours.as_raw_fd(), libc::F_DUPFD, base + i)).collect();
            let (first, last) = (numbers[0], numbers[4]);
            let close = move || {
                let closed = libc::close_range(first as u32, last as u32, 0);
                theirs.write_all(b"still").unwrap();
                closed
            };
            let (line, closed) = waits(coroutine, LEAST, close, || read(last));
            lines.push(format!("{line} {closed}"));
            lines.extend(numbers.iter().map(|fd| read(*fd)));
            lines.push(told("wrong", libc::close_range(5, 4, 0) as isize));
            lines.push(told("wrong", libc::close_range(5_000, 5_001, 99) as isize));
            let copy = libc::fcntl(ours.as_raw_fd(), libc::F_DUPFD, base);
            let flag = libc::CLOSE_RANGE_CLOEXEC as i32;
            lines.push(told("flag", libc::close_range(copy as u32, copy as u32, flag) as isize));
            lines.push(format!("{} {}", libc::fcntl(copy, libc::F_GETFD), libc::close(copy)));
        }
        lines
    });
}

#[test]
fn a_listener_and_its_connections_differ_in_flags() {
    twins(|coroutine| {
        let folder = Folder::new("conform-inherit", coroutine);
        let listener = UnixListener::bind(folder.at("socket")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut lines: Lines = vec![format!("{:?}", listener.accept().map_err(|e| e.kind()).err())];
        let mut client = UnixStream::connect(folder.at("socket")).unwrap();
        // On Linux what is accepted does not inherit the flag.
        let (ours, _) = listener.accept().unwrap();
        lines.push(format!("{:#o}", flags(ours.as_raw_fd())));
        let write = move || client.write_all(b"x").unwrap();
        lines.push(waits(coroutine, LEAST, write, || read(ours.as_raw_fd())).0);
        lines
    });
}
