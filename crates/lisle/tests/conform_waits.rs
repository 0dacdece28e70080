//! Every hooked call that waits for others: on an OS thread and on a coroutine it returns the same,
//! not before its time, and others run meanwhile.
//!
//! What each call says of errors and odd arguments is in `twins.rs` and its kin; timeouts are in
//! `conform_times.rs`.

mod util;

use std::fs::File;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Command;
use std::ptr::{null, null_mut};
use std::time::Duration;

use util::{Folder, Lines, a_moment, told, twins, twins_alone, waits};

/// What a call that somebody ends lasts at least.
const LEAST: Duration = Duration::from_millis(20);

/// A part of a vectored call.
fn part(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
}

/// A call that waits for one byte from a partner, which sends it through `theirs`.
fn for_a_byte(
    coroutine: bool,
    name: &str,
    mut theirs: impl Write + Send + 'static,
    call: impl FnOnce(&mut [u8; 4]) -> isize,
) -> Lines {
    let mut place = [0; 4];
    let send = move || {
        theirs.write_all(b"x").unwrap();
        theirs
    };
    let (line, _theirs) = waits(coroutine, LEAST, send, || told(name, call(&mut place)));
    vec![format!("{line} {place:?}")]
}

#[test]
fn reading_a_pipe() {
    twins(|coroutine| {
        let (from, into) = std::io::pipe().unwrap();
        let fd = from.as_raw_fd();
        // SAFETY: places of four bytes and descriptors of our own, here and below.
        let mut lines = for_a_byte(coroutine, "read", into, |place| unsafe {
            libc::read(fd, place.as_mut_ptr().cast(), 4)
        });
        let (from, into) = std::io::pipe().unwrap();
        let fd = from.as_raw_fd();
        lines.extend(for_a_byte(coroutine, "readv", into, |place| {
            let (one, two) = place.split_at_mut(2);
            let parts = [part(one), part(two)];
            // SAFETY: as above.
            unsafe { libc::readv(fd, parts.as_ptr(), 2) }
        }));
        lines
    });
}

#[test]
fn receiving() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        for which in ["read", "recv", "recvfrom", "recvmsg", "readv"] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let fd = ours.as_raw_fd();
            lines.extend(for_a_byte(coroutine, which, theirs, |place| {
                let (start, mut parts) = (place.as_mut_ptr().cast(), [part(place)]);
                // SAFETY: a place of four bytes, live structures; all-zero is an empty message.
                unsafe {
                    match which {
                        "read" => libc::read(fd, start, 4),
                        "recv" => libc::recv(fd, start, 4, 0),
                        "recvfrom" => libc::recvfrom(fd, start, 4, 0, null_mut(), null_mut()),
                        "readv" => libc::readv(fd, parts.as_ptr(), 1),
                        _ => {
                            let mut message: libc::msghdr = std::mem::zeroed();
                            message.msg_iov = parts.as_mut_ptr();
                            message.msg_iovlen = 1;
                            libc::recvmsg(fd, &raw mut message, 0)
                        }
                    }
                }
            }));
        }
        lines
    });
}

#[test]
fn receiving_datagrams() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
        let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
        theirs.connect(ours.local_addr().unwrap()).unwrap();
        let mut place = [0; 4];
        let (got, from) = waits(
            coroutine,
            LEAST,
            move || {
                theirs.send(b"x").unwrap();
                theirs.local_addr().unwrap()
            },
            || ours.recv_from(&mut place).unwrap(),
        );
        lines.push(format!("{} {} {place:?}", got.0, got.1 == from));
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let (got, ()) = waits(
            coroutine,
            LEAST,
            move || assert_eq!(theirs.send(b"unix").unwrap(), 4),
            || ours.recv(&mut place).unwrap(),
        );
        lines.push(format!("{got} {place:?}"));
        lines
    });
}

/// A call that writes a megabyte into what has room for less, until a partner has read it all.
fn into_the_full(coroutine: bool, which: &str) -> String {
    const LEN: usize = 1 << 20;
    let mut data = vec![7_u8; LEN];
    let start = data.as_mut_ptr().cast();
    let (read, write): (OwnedFd, OwnedFd) = if which.ends_with("pipe") {
        let (from, into) = std::io::pipe().unwrap();
        (from.into(), into.into())
    } else {
        let (theirs, ours) = UnixStream::pair().unwrap();
        (theirs.into(), ours.into())
    };
    let fd = write.as_raw_fd();
    let (head, tail) = data.split_at_mut(LEN / 3);
    let mut parts = [part(head), part(tail)];
    let drain = move || {
        let mut all = vec![0; LEN];
        File::from(read).read_exact(&mut all).unwrap();
        all.iter().all(|byte| *byte == 7)
    };
    let (line, whole) = waits(coroutine, LEAST, drain, || {
        // SAFETY: live parts, which are all of the data; all-zero is an empty message.
        let sent = unsafe {
            match which.split(' ').next().unwrap() {
                "write" => libc::write(fd, start, LEN),
                "writev" => libc::writev(fd, parts.as_ptr(), 2),
                "send" => libc::send(fd, start, LEN, libc::MSG_NOSIGNAL),
                "sendto" => libc::sendto(fd, start, LEN, 0, null(), 0),
                _ => {
                    let mut message: libc::msghdr = std::mem::zeroed();
                    message.msg_iov = parts.as_mut_ptr();
                    message.msg_iovlen = 2;
                    libc::sendmsg(fd, &raw const message, 0)
                }
            }
        };
        told(which, sent)
    });
    format!("{line} {whole}")
}

#[test]
fn writing_what_has_no_room() {
    twins(|coroutine| {
        let all =
            ["write to a pipe", "writev to a pipe", "write", "writev", "send", "sendto", "msg"];
        all.map(|which| into_the_full(coroutine, which)).to_vec()
    });
}

#[test]
fn accepting_and_connecting() {
    twins(|coroutine| {
        let folder = Folder::new("conform-accept", coroutine);
        let path = folder.at("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let fd = listener.as_raw_fd();
        let mut lines = Vec::new();
        for which in ["accept", "accept4"] {
            let theirs = path.clone();
            let call = || {
                // SAFETY: a listener of our own; no address is wanted.
                let fd = unsafe {
                    match which {
                        "accept" => libc::accept(fd, null_mut(), null_mut()),
                        _ => libc::accept4(fd, null_mut(), null_mut(), libc::SOCK_CLOEXEC),
                    }
                };
                // SAFETY: accepted just now.
                let (flags, closed) = unsafe { (libc::fcntl(fd, libc::F_GETFD), libc::close(fd)) };
                format!("{which}: {} {flags} {closed}", fd >= 0)
            };
            let connect = move || UnixStream::connect(theirs).unwrap();
            lines.push(waits(coroutine, LEAST, connect, call).0);
        }
        // With a backlog of none one connection has room.
        // SAFETY: a listener of our own.
        assert_eq!(unsafe { libc::listen(fd, 0) }, 0);
        let first = UnixStream::connect(&path).unwrap();
        let accept = move || listener.accept().map(|_| listener);
        let (second, listener) = waits(coroutine, LEAST, accept, || UnixStream::connect(&path));
        lines.push(format!("connect: {} {}", second.is_ok(), listener.is_ok()));
        drop(first);
        lines
    });
}

/// The calls that wait for readiness of one descriptor; returns what they say of it.
fn readiness(which: &str, fd: i32, mask: *const libc::sigset_t) -> String {
    let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0x55 };
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 5 };
    // SAFETY: live structures; a set with a descriptor below its size; null or a live mask.
    unsafe {
        let mut set: libc::fd_set = std::mem::zeroed();
        libc::FD_SET(fd, &raw mut set);
        let epoll = libc::epoll_create1(0);
        libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event);
        event = libc::epoll_event { events: 0, u64: 0 };
        let place = &raw mut event;
        let none = null_mut();
        let count = match which {
            "poll" => libc::poll(&raw mut entry, 1, -1),
            "ppoll" => libc::ppoll(&raw mut entry, 1, null(), mask),
            "epoll_wait" => libc::epoll_wait(epoll, place, 1, -1),
            "epoll_pwait" => libc::epoll_pwait(epoll, place, 1, -1, mask),
            "select" => libc::select(fd + 1, &raw mut set, none, none, null_mut()),
            _ => libc::pselect(fd + 1, &raw mut set, none, none, null(), mask),
        };
        let line = told(which, count as isize);
        libc::close(epoll);
        let (events, data) = (event.events, event.u64);
        let seen = match which {
            "poll" | "ppoll" => format!("{:#x}", entry.revents),
            "select" | "pselect" => format!("{}", libc::FD_ISSET(fd, &raw const set)),
            _ => format!("{events:#x} {data}"),
        };
        format!("{line} {seen}")
    }
}

/// Urgent data is the one event that comes without one for reading or writing.
#[test]
fn readiness_for_urgent_data_alone() {
    twins(|coroutine| {
        let (ours, theirs) = util::tcp_pair();
        let mut entry = libc::pollfd { fd: ours.as_raw_fd(), events: libc::POLLPRI, revents: 0 };
        let send = move || {
            // SAFETY: a live place of one byte.
            let sent =
                unsafe { libc::send(theirs.as_raw_fd(), c"x".as_ptr().cast(), 1, libc::MSG_OOB) };
            (sent, theirs)
        };
        // SAFETY: a live entry.
        let call = || unsafe { libc::poll(&raw mut entry, 1, 20_000) };
        let (count, (sent, _theirs)) = waits(coroutine, LEAST, send, call);
        vec![format!("{count} {sent} {:#x}", entry.revents)]
    });
}

#[test]
fn readiness_in_all_forms() {
    twins(|coroutine| {
        // SAFETY: all-zero is a set; a live place.
        let mask = unsafe {
            let mut mask: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut mask);
            libc::sigaddset(&raw mut mask, libc::SIGUSR2);
            mask
        };
        let mut lines = Vec::new();
        for mask in [null(), &raw const mask] {
            for which in ["poll", "ppoll", "epoll_wait", "epoll_pwait", "select", "pselect"] {
                let (ours, mut theirs) = UnixStream::pair().unwrap();
                let fd = ours.as_raw_fd();
                let send = move || theirs.write_all(b"x").map(|()| theirs);
                lines.push(waits(coroutine, LEAST, send, || readiness(which, fd, mask)).0);
            }
        }
        lines
    });
}

#[test]
fn a_futex_word() {
    twins(|coroutine| {
        static WORD: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let futex = |op: i32, value: u32| {
            let word = WORD.as_ptr();
            // SAFETY: a static word, no timeout.
            unsafe {
                libc::syscall(libc::SYS_futex, word, op, value, null::<u8>(), null::<u8>(), 4_u32)
            }
        };
        let mut lines = Vec::new();
        for (wait, wake) in [
            (libc::FUTEX_WAIT, libc::FUTEX_WAKE),
            (libc::FUTEX_WAIT_BITSET, libc::FUTEX_WAKE_BITSET),
        ] {
            for shared in [0, libc::FUTEX_PRIVATE_FLAG] {
                let wake = move || {
                    // Asked again until it is there: waking says how many waited.
                    while futex(wake | shared, 9) != 1 {
                        a_moment();
                    }
                };
                let call = || told("futex", futex(wait | shared, 0) as isize);
                lines.push(waits(coroutine, LEAST, wake, call).0);
            }
        }
        lines
    });
}

/// Starts a program that ends, with a status of 7, when its input does.
fn program() -> (libc::pid_t, std::process::ChildStdin, std::process::Child) {
    let mut command = Command::new("sh");
    command.args(["-c", "read -r line; exit 7"]).stdin(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let input = child.stdin.take().unwrap();
    (child.id() as libc::pid_t, input, child)
}

#[test]
fn children() {
    // One after the other in a process of their own, since some wait for any child.
    let case = |coroutine| {
        let mut lines = Vec::new();
        let any = ["wait", "waitpid -1", "waitid P_ALL", "waitpid 0"];
        for which in ["waitpid", "wait4", "waitid"].iter().chain(&any) {
            let (pid, input, _child) = program();
            let end = move || drop(input);
            let call = || {
                let mut status = 0;
                let place = &raw mut status;
                // SAFETY: all-zero is a valid value of both; live places.
                unsafe {
                    let mut usage: libc::rusage = std::mem::zeroed();
                    let mut info: libc::siginfo_t = std::mem::zeroed();
                    let id = pid as libc::id_t;
                    let result = match *which {
                        "wait" => libc::wait(place),
                        "waitpid" => libc::waitpid(pid, place, 0),
                        "waitpid -1" => libc::waitpid(-1, place, 0),
                        "waitpid 0" => libc::waitpid(0, place, 0),
                        "wait4" => libc::wait4(pid, place, 0, &raw mut usage),
                        "waitid" => libc::waitid(libc::P_PID, id, &raw mut info, libc::WEXITED),
                        _ => libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED),
                    };
                    let line = if result == pid {
                        "the child".to_owned()
                    } else {
                        told("", result as isize)
                    };
                    let told =
                        (info.si_signo, info.si_code, info.si_status(), info.si_pid() == pid);
                    let used = usage.ru_maxrss > 0;
                    format!("{which}: {line} {status:#x} {told:?} {used}")
                }
            };
            lines.push(waits(coroutine, LEAST, end, call).0);
        }
        lines
    };
    util::in_child(&[("LISLE_WORKERS", "1")], || util::twins_of_a_child(case)).expect_return();
}

#[test]
fn locks_of_files() {
    twins(|coroutine| {
        let folder = Folder::new("conform-locks", coroutine);
        let open = || File::options().create(true).append(true).open(folder.at("file")).unwrap();
        let mut lines = Vec::new();
        let write = libc::F_WRLCK as libc::c_short;
        // SAFETY: all-zero is a valid lock.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = write;
        for which in ["flock", "F_OFD_SETLKW"] {
            let (ours, theirs) = (open(), open());
            let take = |fd| {
                // SAFETY: descriptors of our own, a live lock.
                unsafe {
                    match which {
                        "flock" => libc::flock(fd, libc::LOCK_EX),
                        _ => libc::fcntl(fd, libc::F_OFD_SETLKW, &raw const lock),
                    }
                }
            };
            lines.push(told("theirs", take(theirs.as_raw_fd()) as isize));
            let release = move || drop(theirs);
            let call = || told(which, take(ours.as_raw_fd()) as isize);
            lines.push(waits(coroutine, LEAST, release, call).0);
        }
        // Locks of a process are held against another one. It is there before we open the file: it
        // would lose its lock by closing what it inherits.
        let mut input = util::lock_holder(&folder.at("file"));
        let ours = open();
        let release = move || input.release();
        let call = || {
            // SAFETY: a descriptor of our own, a live lock.
            let taken = unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_SETLKW, &raw const lock) };
            told("F_SETLKW", taken as isize)
        };
        lines.push(waits(coroutine, LEAST, release, call).0);
        lines
    });
}

#[test]
fn moving_bytes() {
    twins(|coroutine| {
        let (from, mut into) = std::io::pipe().unwrap();
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        let write = move || into.write_all(b"spliced").unwrap();
        let mut lines = vec![
            // SAFETY: descriptors of our own, no offsets.
            waits(coroutine, LEAST, write, || unsafe {
                let (from, to) = (from.as_raw_fd(), ours.as_raw_fd());
                told("splice", libc::splice(from, null_mut(), to, null_mut(), 64, 0))
            })
            .0,
        ];
        let mut text = [0; 7];
        theirs.read_exact(&mut text).unwrap();
        lines.push(format!("{text:?}"));
        let folder = Folder::new("conform-sendfile", coroutine);
        std::fs::write(folder.at("file"), vec![3_u8; 1 << 20]).unwrap();
        let file = File::open(folder.at("file")).unwrap();
        let drain = move || {
            let mut all = vec![0; 1 << 20];
            theirs.read_exact(&mut all).unwrap();
            all.iter().all(|byte| *byte == 3)
        };
        let (line, whole) = waits(coroutine, LEAST, drain, || {
            // SAFETY: descriptors of our own; the file's position is used.
            let sent =
                unsafe { libc::sendfile(ours.as_raw_fd(), file.as_raw_fd(), null_mut(), 1 << 20) };
            told("sendfile", sent)
        });
        lines.push(format!("{line} {whole}"));
        lines
    });
}

#[test]
fn an_os_thread() {
    extern "C" fn body(word: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: the other end of a socket pair is passed as a number, which is open.
        let got = unsafe {
            let mut byte = 0_u8;
            libc::read(word.addr() as i32, (&raw mut byte).cast(), 1)
        };
        std::ptr::without_provenance_mut(40 + got as usize)
    }
    twins(|coroutine| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let word = std::ptr::without_provenance_mut(ours.as_raw_fd() as usize);
        let mut thread = 0;
        // SAFETY: live places; the thread is joined below, before the descriptor is closed.
        assert_eq!(unsafe { libc::pthread_create(&raw mut thread, null(), body, word) }, 0);
        let mut value = null_mut();
        let send = move || theirs.write_all(b"x").unwrap();
        // SAFETY: the thread made above, a live place.
        let call = || unsafe { libc::pthread_join(thread, &raw mut value) };
        let joined = waits(coroutine, LEAST, send, call).0;
        vec![format!("{joined} {}", value.addr())]
    });
}

#[test]
fn giving_the_processor_away() {
    twins(|coroutine| {
        use std::sync::atomic::{AtomicU32, Ordering};
        static TURNS: AtomicU32 = AtomicU32::new(0);
        TURNS.store(0, Ordering::Relaxed);
        let other = util::aside(coroutine, || TURNS.fetch_add(1, Ordering::Relaxed));
        let mut lines = Vec::new();
        // SAFETY: plain calls.
        let calls = unsafe {
            [libc::sched_yield() as isize, libc::syscall(libc::SYS_sched_yield) as isize]
        };
        lines.push(format!("{calls:?}"));
        util::yield_until(|| TURNS.load(Ordering::Relaxed) == 1);
        lines.push(format!("{}", other()));
        lines
    });
}

/// A FIFO's ends wait for each other when they are opened.
#[test]
fn opening_a_fifo() {
    // Alone, because a child that others fork has both ends until it executes something.
    twins_alone(|coroutine| {
        let folder = Folder::new("conform-fifo", coroutine);
        let path = folder.c("fifo");
        // SAFETY: C strings throughout; no stream is used after it was closed.
        unsafe {
            assert_eq!(libc::mkfifo(path.as_ptr(), 0o600), 0);
            let mut lines = Vec::new();
            for which in ["open", "open64", "openat", "creat", "fopen"] {
                let (other, reads) = (folder.at("fifo"), which == "creat");
                let partner =
                    move || File::options().read(reads).write(!reads).open(other).unwrap();
                let call = || match which {
                    "open" => libc::open(path.as_ptr(), libc::O_RDONLY),
                    "open64" => libc::open64(path.as_ptr(), libc::O_RDONLY),
                    "openat" => libc::openat(libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY),
                    "creat" => libc::creat(path.as_ptr(), 0o600),
                    _ => {
                        let stream = libc::fopen(path.as_ptr(), c"r".as_ptr());
                        assert!(!stream.is_null());
                        let fd = libc::dup(libc::fileno(stream));
                        libc::fclose(stream);
                        fd
                    }
                };
                let (fd, _other) = waits(coroutine, LEAST, partner, call);
                lines.push(format!("{which}: {} {}", fd >= 0, libc::close(fd)));
            }
            lines
        }
    });
}
