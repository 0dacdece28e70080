//! Every kind of file that a call can wait for: on a thread and on a coroutine the same is read,
//! written and polled.

mod util;

use std::ffi::{CString, c_int};
use std::io::Error;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use lisle::runtime::{Poller, poller};
use util::{Lines, a_moment, aside, in_child, told, twins, yield_until};

/// One of these tests at a time: a process that another starts has, for a moment, all descriptors.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new descriptor that a call returned.
#[track_caller]
fn owned(fd: c_int) -> OwnedFd {
    assert!(fd >= 0, "{}", Error::last_os_error());
    // SAFETY: just made, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Two new descriptors that a call wrote.
#[track_caller]
fn owned_pair(make: impl FnOnce(*mut c_int) -> c_int) -> (OwnedFd, OwnedFd) {
    let mut fds = [-1; 2];
    assert_eq!(make(fds.as_mut_ptr()), 0, "{}", Error::last_os_error());
    (owned(fds[0]), owned(fds[1]))
}

fn read(file: &OwnedFd, len: usize) -> String {
    let mut place = vec![0_u8; len];
    // SAFETY: a live buffer of that length.
    let got = unsafe { libc::read(file.as_raw_fd(), place.as_mut_ptr().cast(), len) };
    let text = told("read", got);
    place.truncate(usize::try_from(got).unwrap_or(0));
    if place.len() > 64 { text } else { format!("{text} {place:?}") }
}

/// Reads that many bytes, however they come.
fn read_all(file: &OwnedFd, len: usize) -> String {
    let mut all = vec![0_u8; len];
    let mut done = 0;
    while done < len {
        let place = all[done..].as_mut_ptr().cast();
        // SAFETY: a live buffer of that length.
        let got = unsafe { libc::read(file.as_raw_fd(), place, len - done) };
        match usize::try_from(got) {
            Ok(got) if got > 0 => done += got,
            _ => return told("read", got),
        }
    }
    format!("{all:?}")
}

fn write(file: &OwnedFd, data: &[u8]) -> String {
    // SAFETY: the data is that long.
    told("write", unsafe { libc::write(file.as_raw_fd(), data.as_ptr().cast(), data.len()) })
}

fn poll(file: &OwnedFd, events: i16, timeout: c_int) -> String {
    let mut entry = libc::pollfd { fd: file.as_raw_fd(), events, revents: 0 };
    // SAFETY: a live entry.
    let ready = unsafe { libc::poll(&raw mut entry, 1, timeout) };
    format!("{} {:#x}", told("poll", ready as isize), entry.revents)
}

const IN: i16 = libc::POLLIN;
const OUT: i16 = libc::POLLOUT;

fn set_nonblocking(file: &OwnedFd) {
    // SAFETY: a plain call.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, libc::O_RDWR | libc::O_NONBLOCK) };
}

/// What tells a partner when to go on.
#[derive(Clone, Default)]
struct Cues(Arc<AtomicUsize>);

impl Cues {
    /// Tells it once more. It waits a moment, so that the next call is most likely waiting.
    fn give(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// Waits for the cue of this number, from 1.
    fn wait_for(&self, number: usize) {
        yield_until(|| self.0.load(Ordering::Acquire) >= number);
        a_moment();
    }
}

/// Has the partner write one part after another, each when it is told.
fn written_by_partner(
    coroutine: bool,
    cues: &Cues,
    file: OwnedFd,
    parts: &'static [&'static [u8]],
) -> Box<dyn FnOnce() -> Lines> {
    let cues = cues.clone();
    aside(coroutine, move || {
        let each = |(index, part): (usize, &&[u8])| {
            cues.wait_for(index + 1);
            write(&file, part)
        };
        parts.iter().enumerate().map(each).collect()
    })
}

fn pty() -> (OwnedFd, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: live places; no name, settings and size are wanted.
    let made =
        unsafe { libc::openpty(&raw mut master, &raw mut slave, null_mut(), null(), null()) };
    assert_eq!(made, 0, "{}", Error::last_os_error());
    (owned(master), owned(slave))
}

/// Whether coroutines write to some files when those are ready, however large the write is.
fn readiness_only() -> bool {
    poller() == Some(Poller::Epoll)
}

#[test]
fn terminals() {
    let _alone = alone();
    twins(|coroutine| {
        let cues = Cues::default();
        let (master, slave) = pty();
        // SAFETY: a plain call.
        let copy = owned(unsafe { libc::dup(master.as_raw_fd()) });
        let partner =
            written_by_partner(coroutine, &cues, copy, &[b"half", b" a line\nand", b" one\n"]);
        (0..3).for_each(|_| cues.give());
        let mut lines = vec![
            poll(&slave, IN, 0),
            read(&slave, 64),
            poll(&slave, IN, -1),
            read(&slave, 3),
            read(&slave, 64),
        ];
        lines.extend(partner());
        // The echo, and what the other end writes, in parts as they come.
        lines.push(read_all(&master, "half a line\r\nand one\r\n".len()));
        lines.push(write(&slave, b"out\n"));
        lines.push(poll(&master, IN, -1));
        lines.push(read_all(&master, "out\r\n".len()));
        // Neither a line nor an end.
        lines.push(write(&master, b"x\x04"));
        lines.push(read(&slave, 64));
        lines.push(write(&master, b"\x04"));
        lines.push(read(&slave, 64));
        let partner = aside(coroutine, move || {
            a_moment();
            drop(slave);
        });
        // The echo; and then nobody has the other end.
        lines.extend([read(&master, 64), read(&master, 64)]);
        partner();
        lines.push(poll(&master, IN | OUT, -1));
        lines
    });
}

#[test]
fn a_terminal_holds_its_writer() {
    let _alone = alone();
    if readiness_only() {
        return;
    }
    twins(|coroutine| {
        let (master, slave) = pty();
        // SAFETY: live settings; a terminal of our own.
        unsafe {
            let mut settings: libc::termios = zeroed();
            libc::tcgetattr(slave.as_raw_fd(), &raw mut settings);
            libc::cfmakeraw(&raw mut settings);
            libc::tcsetattr(slave.as_raw_fd(), libc::TCSANOW, &raw const settings);
        }
        let partner = aside(coroutine, move || {
            a_moment();
            let (mut sum, mut place) = (0, [0_u8; 1000]);
            while sum < 100_000 {
                // SAFETY: a live buffer of that length.
                let got =
                    unsafe { libc::read(master.as_raw_fd(), place.as_mut_ptr().cast(), 1000) };
                sum += usize::try_from(got).unwrap();
            }
            (sum, master)
        });
        let line = write(&slave, &[b'x'; 100_000]);
        vec![line, partner().0.to_string()]
    });
}

#[test]
fn eventfds() {
    let _alone = alone();
    twins(|coroutine| {
        let mut lines = Vec::new();
        for flags in [0, libc::EFD_SEMAPHORE] {
            // SAFETY: plain calls.
            let event = owned(unsafe { libc::eventfd(3, flags) });
            // SAFETY: as above.
            let copy = owned(unsafe { libc::dup(event.as_raw_fd()) });
            lines.extend([poll(&event, IN | OUT, -1), read(&event, 7), read(&event, 8)]);
            lines.push(write(&event, &u64::MAX.to_ne_bytes()));
            lines.push(write(&event, &[1; 7]));
            lines.push(write(&event, &(u64::MAX - 9).to_ne_bytes()));
            lines.push(poll(&event, IN | OUT, -1));
            let partner = aside(coroutine, move || {
                a_moment();
                let count = if flags == 0 { 1 } else { 10 };
                (0..count).map(|_| read(&copy, 16)).collect::<Lines>()
            });
            // Too much until it is read. A write that fits only in part is not seen without
            // io_uring, see "Readiness first" in PLATFORM.md.
            if !readiness_only() {
                lines.push(write(&event, &10_u64.to_ne_bytes()));
            }
            lines.extend(partner());
            set_nonblocking(&event);
            lines.push(write(&event, &(u64::MAX - 1).to_ne_bytes()));
            lines.push(read(&event, 8));
        }
        lines
    });
}

#[test]
fn timerfds() {
    let _alone = alone();
    twins(|_| {
        // SAFETY: a plain call.
        let timer = owned(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, 0) });
        let set = |first: i64, again: i64| {
            let time = |nanos| libc::timespec { tv_sec: 0, tv_nsec: nanos };
            let setting = libc::itimerspec { it_value: time(first), it_interval: time(again) };
            // SAFETY: a live setting; the old one is not wanted.
            let set = unsafe {
                libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const setting, null_mut())
            };
            told("set", set as isize)
        };
        let mut lines = vec![poll(&timer, IN, 0), set(5_000_000, 0)];
        lines.extend([read(&timer, 8), poll(&timer, IN, 5), set(3_000_000, 0)]);
        lines.extend([poll(&timer, IN, -1), read(&timer, 4), read(&timer, 8)]);
        lines.push(write(&timer, &[0; 8]));
        // One after another: each read counts those since the last.
        lines.push(set(1_000_000, 1_000_000));
        for _ in 0..3 {
            lines.push(read(&timer, 8).starts_with("read: 8").to_string());
        }
        lines.push(set(0, 0));
        set_nonblocking(&timer);
        lines.push(read(&timer, 8));
        lines
    });
}

#[test]
fn inotify() {
    let _alone = alone();
    twins(|coroutine| {
        let name = format!("lisle-kinds-{}-{coroutine}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let path = CString::new(folder.to_str().unwrap()).unwrap();
        // SAFETY: plain calls; a live text.
        let (watch, added) = unsafe {
            let watch = owned(libc::inotify_init1(0));
            let what = libc::IN_CREATE | libc::IN_DELETE;
            let added = libc::inotify_add_watch(watch.as_raw_fd(), path.as_ptr(), what);
            (watch, added)
        };
        let mut lines = vec![format!("{}", added > 0), poll(&watch, IN, 5)];
        let file = folder.join("one");
        let cues = Cues::default();
        let told = cues.clone();
        let partner = aside(coroutine, move || {
            told.wait_for(1);
            std::fs::write(&file, "").unwrap();
            told.wait_for(2);
            std::fs::remove_file(&file).unwrap();
        });
        cues.give();
        lines.push(read(&watch, 256));
        cues.give();
        lines.extend([poll(&watch, IN, -1), read(&watch, 256)]);
        lines.extend([write(&watch, b"x"), poll(&watch, IN | OUT, 5)]);
        partner();
        std::fs::remove_dir(&folder).unwrap();
        lines
    });
}

#[test]
fn pidfds() {
    let _alone = alone();
    twins(|coroutine| {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        // SAFETY: a plain call.
        let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
        let pidfd = owned(pidfd as c_int);
        let mut lines = vec![poll(&pidfd, IN, 5), read(&pidfd, 8), write(&pidfd, b"x")];
        let input = child.stdin.take();
        let partner = aside(coroutine, move || {
            a_moment();
            drop(input);
        });
        lines.push(poll(&pidfd, IN, -1));
        partner();
        lines.push(format!("{:?}", child.wait().unwrap()));
        lines
    });
}

#[test]
fn pipes() {
    let _alone = alone();
    twins(|coroutine| {
        let cues = Cues::default();
        // SAFETY: a live place for two.
        let (reader, writer) = owned_pair(|fds| unsafe { libc::pipe(fds) });
        let mut lines = vec![poll(&reader, IN, 5), poll(&writer, OUT, -1)];
        lines.extend([read(&writer, 1), write(&reader, b"x")]);
        let partner = written_by_partner(coroutine, &cues, writer, &[b"abcdef", b"ghi"]);
        cues.give();
        lines.extend([read(&reader, 4), read(&reader, 4)]);
        cues.give();
        lines.push(read(&reader, 64));
        lines.extend(partner());
        lines.extend([poll(&reader, IN, -1), read(&reader, 4)]);
        lines
    });
}

#[test]
fn pipes_of_packets() {
    let _alone = alone();
    twins(|coroutine| {
        // SAFETY: a live place for two.
        let (reader, writer) = owned_pair(|fds| unsafe { libc::pipe2(fds, libc::O_DIRECT) });
        let partner = aside(coroutine, move || {
            a_moment();
            let mut lines = vec![write(&writer, b"one"), write(&writer, b"two"), String::new()];
            lines.push(write(&writer, b"truncated"));
            a_moment();
            // In packets of a page; and more than there is room for.
            lines.push(write(&writer, &[1; 10_000]));
            lines.push(write(&writer, &[2; 100_000]));
            lines
        });
        let mut lines = vec![read(&reader, 64), read(&reader, 64), read(&reader, 5)];
        a_moment();
        a_moment();
        lines.extend((0..28).map(|_| read(&reader, 1 << 16)));
        lines.extend(partner());
        lines.push(read(&reader, 1));
        lines
    });
}

/// Both ends of a pair of Unix sockets.
fn unix_pair(kind: c_int) -> (OwnedFd, OwnedFd) {
    // SAFETY: a live place for two.
    owned_pair(|fds| unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds) })
}

#[test]
fn unix_sockets() {
    let _alone = alone();
    twins(|coroutine| {
        let mut lines = Vec::new();
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
            let cues = Cues::default();
            let (ours, theirs) = unix_pair(kind);
            lines.extend([poll(&ours, IN, 5), poll(&ours, IN | OUT, -1)]);
            // SAFETY: a plain call.
            let copy = owned(unsafe { libc::dup(theirs.as_raw_fd()) });
            let parts: &[&[u8]] = match kind {
                libc::SOCK_STREAM => &[b"abcdef", b"ghi"],
                // What does not fit of the first two is gone.
                _ => &[b"abcdef", b"ghi", b"j"],
            };
            let partner = written_by_partner(coroutine, &cues, copy, parts);
            for len in [4, 2] {
                cues.give();
                lines.push(read(&ours, len));
            }
            cues.give();
            lines.extend([poll(&ours, IN, -1), read(&ours, 64)]);
            lines.extend(partner());
            lines.push(write(&theirs, &[7; 3000]));
            lines.push(read(&ours, 4000));
            if kind != libc::SOCK_STREAM {
                lines.extend([write(&theirs, &[7; 1 << 22]), write(&theirs, b"")]);
                lines.push(read(&ours, 8));
            }
            drop(theirs);
            if kind != libc::SOCK_DGRAM {
                lines.extend([read(&ours, 8), poll(&ours, IN | OUT, -1)]);
            }
            lines.push(write(&ours, b"nobody"));
        }
        lines
    });
}

#[test]
fn full_unix_sockets_hold_their_writers() {
    let _alone = alone();
    twins(|coroutine| {
        let mut lines = Vec::new();
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
            let (ours, theirs) = unix_pair(kind);
            let partner = aside(coroutine, move || {
                a_moment();
                let (mut sum, mut place) = (0, [0_u8; 5000]);
                while sum < 400 * 5000 {
                    let fd = ours.as_raw_fd();
                    // SAFETY: a live buffer of that length.
                    let got = unsafe { libc::read(fd, place.as_mut_ptr().cast(), 5000) };
                    sum += usize::try_from(got).unwrap();
                }
                sum
            });
            let written: Vec<_> = (0..400).map(|_| write(&theirs, &[1; 5000])).collect();
            let whole = written.iter().all(|line| line == "write: 5000");
            lines.push(format!("{kind}: {whole} {}", partner()));
        }
        lines
    });
}

#[test]
fn udp() {
    let _alone = alone();
    twins(|coroutine| {
        let cues = Cues::default();
        let [ours, theirs] = [0; 2].map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        ours.connect(theirs.local_addr().unwrap()).unwrap();
        theirs.connect(ours.local_addr().unwrap()).unwrap();
        let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
        // SAFETY: a plain call.
        let copy = owned(unsafe { libc::dup(theirs.as_raw_fd()) });
        let partner = written_by_partner(coroutine, &cues, copy, &[b"abcdef", b"", b"ghi"]);
        let mut lines = Vec::new();
        for _ in 0..2 {
            cues.give();
            lines.push(read(&ours, 4));
        }
        cues.give();
        lines.extend([poll(&ours, IN, -1), read(&ours, 9)]);
        lines.extend(partner());
        lines.push(write(&theirs, &[0; 1 << 17]));
        let partner = aside(coroutine, move || {
            a_moment();
            drop(theirs);
        });
        partner();
        // Refused by nobody's port: told by the next call.
        lines.push(write(&ours, b"nobody"));
        lines.push(poll(&ours, IN, -1));
        lines.push(read(&ours, 9));
        lines
    });
}

#[test]
fn devices() {
    let _alone = alone();
    twins(|_| {
        let mut lines = Vec::new();
        for path in ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"] {
            let file = std::fs::OpenOptions::new().read(true).write(true).open(path);
            let Ok(file) = file.map(OwnedFd::from) else { continue };
            lines.push(path.to_owned());
            let got = read(&file, 100);
            lines.push(got);
            lines.push(write(&file, b"text"));
            lines.push(poll(&file, IN | OUT, -1));
            lines.push(write(&file, &[]));
        }
        lines
    });
}

/// The signal that the scenario sends to its own process.
const SIGNAL: c_int = libc::SIGUSR1;

fn signals(coroutine: bool) -> Lines {
    // SAFETY: a live set; plain calls.
    let file = unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigaddset(&raw mut set, SIGNAL);
        owned(libc::signalfd(-1, &raw const set, 0))
    };
    let numbers = |line: String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let mut lines = vec![poll(&file, IN, 5)];
    let cues = Cues::default();
    let told = cues.clone();
    let partner = aside(coroutine, move || {
        for number in 1..=2 {
            told.wait_for(number);
            // SAFETY: a plain call; all threads have the signal blocked.
            unsafe { libc::kill(libc::getpid(), SIGNAL) };
        }
    });
    // Larger than what is told for display; its length tells that there was one.
    cues.give();
    lines.push(numbers(read(&file, 128)));
    cues.give();
    lines.push(poll(&file, IN, -1));
    lines.push(numbers(read(&file, 256)));
    partner();
    set_nonblocking(&file);
    lines.push(read(&file, 128));
    lines.push(read(&file, 4));
    lines
}

#[test]
fn signalfds() {
    let _alone = alone();
    for workers in ["1", "4"] {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            // A process with a single thread, all of whose threads to come have the mask.
            // SAFETY: the child goes on with this thread alone.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: a live set.
                unsafe {
                    let mut set: libc::sigset_t = zeroed();
                    libc::sigaddset(&raw mut set, SIGNAL);
                    libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, null_mut());
                }
                let native = thread::spawn(|| signals(false)).join().unwrap();
                let coroutine = lisle::spawn(|| signals(true)).join().unwrap();
                if native != coroutine {
                    eprintln!("{native:?}\n{coroutine:?}");
                }
                std::process::exit(i32::from(native != coroutine));
            }
            let mut status = -1;
            // SAFETY: a live place for the status.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
        });
        ended.expect_return();
    }
}

#[test]
fn named_pipes() {
    let _alone = alone();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    twins(|coroutine| {
        let cues = Cues::default();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("lisle-kinds-pipe-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let text = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: a live text. Opened for both, which waits for nobody.
        let both = unsafe {
            assert_eq!(libc::mkfifo(text.as_ptr(), 0o600), 0);
            owned(libc::open(text.as_ptr(), libc::O_RDWR))
        };
        // SAFETY: a plain call.
        let copy = owned(unsafe { libc::dup(both.as_raw_fd()) });
        let partner = written_by_partner(coroutine, &cues, copy, &[b"abc", b"def"]);
        cues.give();
        let mut lines = vec![read(&both, 9)];
        cues.give();
        lines.push(poll(&both, IN, -1));
        lines.push(read(&both, 2));
        lines.extend(partner());
        std::fs::remove_file(&path).unwrap();
        lines
    });
}

/// Both at once, of one file: who reads holds nobody who writes.
#[test]
fn reading_and_writing_at_once() {
    let _alone = alone();
    twins(|coroutine| {
        let pairs: [fn() -> (OwnedFd, OwnedFd); 2] = [|| unix_pair(libc::SOCK_STREAM), pty];
        let each = |make: &fn() -> (OwnedFd, OwnedFd)| {
            let (ours, theirs) = make();
            let fd: RawFd = ours.as_raw_fd();
            let reader = aside(coroutine, move || {
                let mut place = [0_u8; 4];
                // SAFETY: a live buffer of that length; the file is open until it is joined.
                let got = unsafe { libc::read(fd, place.as_mut_ptr().cast(), 4) };
                format!("{got} {place:?}")
            });
            a_moment();
            let mut lines = vec![write(&ours, b"abc\n"), read(&theirs, 4)];
            lines.push(write(&theirs, b"def\n"));
            lines.push(reader());
            lines
        };
        pairs.iter().flat_map(each).collect()
    });
}
