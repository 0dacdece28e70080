//! Calls that wait for descriptors and queues, in their rarer forms and under their other names, on
//! an OS thread and on a coroutine. The partners end the waits.

mod forms;
mod util;

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use forms::{c, pipe, write};
use util::{Folder, a_moment, aside, in_child, tcp_pair, threads, told, twins};

unsafe extern "C" {
    fn __read(fd: c_int, place: *mut c_void, len: usize) -> isize;
    fn __poll(fds: *mut libc::pollfd, count: libc::nfds_t, timeout: c_int) -> c_int;
    fn __nanosleep(time: *const libc::timespec, rest: *mut libc::timespec) -> c_int;
    fn __select(
        count: c_int,
        read: *mut libc::fd_set,
        write: *mut libc::fd_set,
        except: *mut libc::fd_set,
        time: *mut libc::timeval,
    ) -> c_int;
    fn epoll_pwait2(
        fd: c_int,
        events: *mut libc::epoll_event,
        count: c_int,
        time: *const libc::timespec,
        mask: *const libc::sigset_t,
    ) -> c_int;
    fn eventfd_read(fd: c_int, value: *mut u64) -> c_int;
}

fn millis(millis: i64) -> libc::timespec {
    libc::timespec { tv_sec: millis / 1000, tv_nsec: millis % 1000 * 1_000_000 }
}

/// A set of these descriptors.
fn set(fds: &[c_int]) -> libc::fd_set {
    // SAFETY: all-zero is the empty set.
    let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
    for fd in fds {
        // SAFETY: a live set.
        unsafe { libc::FD_SET(*fd, &raw mut set) };
    }
    set
}

/// Which of the descriptors are in the set.
fn members(set: &libc::fd_set, fds: &[c_int]) -> Vec<bool> {
    // SAFETY: a live set.
    fds.iter().map(|fd| unsafe { libc::FD_ISSET(*fd, set) }).collect()
}

#[test]
fn select_in_all_its_ways() {
    twins(|coroutine| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (one, two) = (ours.as_raw_fd(), theirs.as_raw_fd());
        let top = 1024;
        let mut lines = Vec::new();
        let select = |read: &[c_int], wants_write: bool, micros: Option<(i64, i64)>| {
            let (mut read, mut write) = (set(read), set(&[two]));
            let mut time = micros.map(|(s, us)| libc::timeval { tv_sec: s, tv_usec: us });
            let began = Instant::now();
            let writes = if wants_write { &raw mut write } else { null_mut() };
            let time_place = time.as_mut().map_or(null_mut(), |time| &raw mut *time);
            // SAFETY: live places.
            let count = unsafe { libc::select(top, &raw mut read, writes, null_mut(), time_place) };
            let line = told("select", count as isize);
            // Where nothing but the timeout ends it.
            let took = micros != Some((0, 30_000)) || began.elapsed() >= Duration::from_millis(30);
            let left = time.map(|time| (time.tv_sec, time.tv_usec > 0));
            let sets = (members(&read, &[one, two]), members(&write, &[one, two]));
            format!("{line} {sets:?} {took} {left:?}")
        };
        lines.push(select(&[one], false, Some((0, 0))));
        lines.push(select(&[one], false, Some((0, 30_000))));
        lines.push(select(&[one], false, Some((-1, 0))));
        lines.push(select(&[one], true, None));
        let (from, to) = pipe();
        // SAFETY: descriptors of our own.
        unsafe { libc::close(from) };
        lines.push(select(&[from], false, None));
        // SAFETY: as above.
        unsafe { libc::close(to) };
        let partner = aside(coroutine, move || {
            a_moment();
            write(two, b"x");
        });
        lines.push(select(&[one], false, Some((100, 0))));
        partner();
        let partner = aside(coroutine, move || {
            a_moment();
            let mut byte = 0_u8;
            // SAFETY: a place of one byte.
            unsafe { libc::recv(one, (&raw mut byte).cast(), 1, 0) };
            a_moment();
            drop(ours);
        });
        // Twice: nothing, then the end.
        a_moment();
        partner();
        lines.push(select(&[two], false, None));
        lines
    });
}

#[test]
fn select_for_urgent_data_and_pselect() {
    twins(|coroutine| {
        let (ours, theirs) = tcp_pair();
        let fd = ours.as_raw_fd();
        let other = theirs.as_raw_fd();
        let mut lines = Vec::new();
        let partner = aside(coroutine, move || {
            a_moment();
            // SAFETY: one byte.
            unsafe { libc::send(other, c"!".as_ptr().cast(), 1, libc::MSG_OOB) }
        });
        let (mut read, mut except) = (set(&[fd]), set(&[fd]));
        // SAFETY: live places.
        unsafe {
            let none = null_mut();
            let ready = libc::select(fd + 1, none, none, &raw mut except, null_mut());
            lines.push(format!("{ready} {:?} {}", members(&except, &[fd]), partner()));
            let (short, bad) = (millis(30), libc::timespec { tv_sec: 0, tv_nsec: -1 });
            let pselect = |read: *mut libc::fd_set, time: *const libc::timespec| {
                let ready = libc::pselect(fd + 1, read, null_mut(), null_mut(), time, null());
                told("pselect", ready as isize)
            };
            lines.push(pselect(&raw mut read, &raw const short));
            lines.push(format!("{:?} {}", members(&read, &[fd]), short.tv_nsec));
            lines.push(pselect(&raw mut read, &raw const bad));
            let partner = aside(coroutine, move || {
                a_moment();
                write(other, b"x");
            });
            let mut read = set(&[fd]);
            lines.push(pselect(&raw mut read, null()));
            lines.push(format!("{:?}", members(&read, &[fd])));
            partner();
            // Only time.
            let none = null_mut();
            let mut time = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
            let slept = __select(0, none, none, none, &raw mut time);
            lines.push(format!("{slept} {} {}", time.tv_sec, time.tv_usec));
        }
        drop(theirs);
        lines
    });
}

#[test]
fn batches_of_messages() {
    twins(|coroutine| {
        let (ours, theirs) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        theirs.connect(ours.local_addr().unwrap()).unwrap();
        let (ours, theirs) = (ours.into_raw_fd(), theirs.into_raw_fd());
        let partner = aside(coroutine, move || {
            let mut sent = Vec::new();
            for batch in 0..3_u8 {
                a_moment();
                let mut texts = [[batch; 5], [batch + 10; 5]];
                let mut parts = texts.each_mut().map(|text| util::part(text));
                // SAFETY: all-zero is a message without anything; live parts.
                unsafe {
                    let mut messages: [libc::mmsghdr; 2] = std::mem::zeroed();
                    for (message, part) in messages.iter_mut().zip(&mut parts) {
                        message.msg_hdr.msg_iov = part;
                        message.msg_hdr.msg_iovlen = 1;
                    }
                    let count = libc::sendmmsg(theirs, messages.as_mut_ptr(), 2, 0);
                    sent.push((count, messages.map(|message| message.msg_len)));
                }
            }
            sent
        });
        let receive = |count: c_uint, flags: c_int, time: *mut libc::timespec| {
            let mut texts = [[0_u8; 8]; 4];
            let mut parts = texts.each_mut().map(|text| util::part(text));
            // SAFETY: all-zero is a message without anything; live parts.
            unsafe {
                let mut messages: [libc::mmsghdr; 4] = std::mem::zeroed();
                for (message, part) in messages.iter_mut().zip(&mut parts) {
                    message.msg_hdr.msg_iov = part;
                    message.msg_hdr.msg_iovlen = 1;
                }
                let got = libc::recvmmsg(ours, messages.as_mut_ptr(), count, flags, time);
                let line = told("recvmmsg", got as isize);
                format!("{line} {:?} {texts:?}", messages.map(|message| message.msg_len))
            }
        };
        let mut lines = vec![receive(4, libc::MSG_DONTWAIT, null_mut())];
        lines.push(receive(4, 0, null_mut()));
        let mut time = millis(10_000);
        lines.push(receive(2, 0, &raw mut time));
        lines.push(format!("{:?}", partner()));
        let partner = aside(coroutine, move || {
            a_moment();
            write(theirs, b"alone");
        });
        lines.push(receive(4, libc::MSG_WAITFORONE, null_mut()));
        partner();
        let short = util::timeval(Duration::from_millis(20));
        // SAFETY: a live structure; descriptors of our own.
        unsafe {
            let len = size_of::<libc::timeval>() as libc::socklen_t;
            let place = (&raw const short).cast();
            libc::setsockopt(ours, libc::SOL_SOCKET, libc::SO_RCVTIMEO, place, len);
            lines.push(receive(4, 0, null_mut()));
            libc::close(ours);
            libc::close(theirs);
        }
        lines
    });
}

#[test]
fn streams_by_batches() {
    twins(|coroutine| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let fd = theirs.as_raw_fd();
        let partner = aside(coroutine, move || {
            let big = vec![1_u8; 500_000];
            let mut parts = [util::part(&mut big.clone()), util::part(&mut big.clone())];
            let (mut one, mut two) = (big.clone(), big);
            (parts[0], parts[1]) = (util::part(&mut one), util::part(&mut two));
            // SAFETY: all-zero is a message without anything; live parts.
            unsafe {
                let mut messages: [libc::mmsghdr; 2] = std::mem::zeroed();
                for (message, part) in messages.iter_mut().zip(&mut parts) {
                    message.msg_hdr.msg_iov = part;
                    message.msg_hdr.msg_iovlen = 1;
                }
                let count = libc::sendmmsg(fd, messages.as_mut_ptr(), 2, 0);
                drop(theirs);
                (count, messages.map(|message| message.msg_len))
            }
        });
        a_moment();
        let all = forms::read_all(ours.as_raw_fd()).len();
        vec![format!("{all} {:?}", partner())]
    });
}

#[test]
fn queues_of_posix() {
    twins(|coroutine| {
        let name = format!("/lisle-{}-{coroutine}\0", std::process::id());
        let name = name.as_ptr().cast::<c_char>();
        // SAFETY: C strings, live places; the queue is the test's own.
        unsafe {
            let mut settings: libc::mq_attr = std::mem::zeroed();
            (settings.mq_maxmsg, settings.mq_msgsize) = (2, 16);
            let flags = libc::O_CREAT | libc::O_RDWR;
            let queue = libc::mq_open(name, flags, 0o600, &raw mut settings);
            let mut lines = vec![format!("{}", queue >= 0)];
            libc::mq_unlink(name);
            let mut text = [0 as c_char; 16];
            let mut priority = 0;
            let mut receive = |time: *const libc::timespec| {
                let got =
                    libc::mq_timedreceive(queue, text.as_mut_ptr(), 16, &raw mut priority, time);
                format!("{} {priority}", told("mq_timedreceive", got))
            };
            let mut now = millis(0);
            libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
            let soon = libc::timespec { tv_sec: now.tv_sec + 1, tv_nsec: 0 };
            let bad = libc::timespec { tv_sec: 0, tv_nsec: -1 };
            lines.push(receive(&raw const soon));
            lines.push(receive(&raw const bad));
            let partner = aside(coroutine, move || {
                a_moment();
                libc::mq_send(queue, c"hello".as_ptr(), 5, 3)
            });
            lines.push(receive(null()));
            lines.push(format!("{}", partner()));
            // Full.
            let partner = aside(coroutine, move || {
                a_moment();
                let mut text = [0 as c_char; 16];
                libc::mq_receive(queue, text.as_mut_ptr(), 16, null_mut())
            });
            for number in 0..3 {
                let sent = libc::mq_send(queue, c"full".as_ptr(), 4, number);
                lines.push(told("mq_send", sent as isize));
            }
            lines.push(format!("{}", partner()));
            let sent = libc::mq_timedsend(queue, c"full".as_ptr(), 4, 0, &raw const now);
            lines.push(told("mq_timedsend", sent as isize));
            lines.push(told("too long", libc::mq_send(queue, c"".as_ptr(), 17, 0) as isize));
            settings.mq_flags = libc::O_NONBLOCK.into();
            libc::mq_setattr(queue, &raw const settings, null_mut());
            let sent = libc::mq_send(queue, c"full".as_ptr(), 4, 0);
            lines.push(told("not blocking", sent as isize));
            lines.push(told("mq_close", libc::mq_close(queue) as isize));
            lines
        }
    });
}

#[test]
fn queues_and_semaphores_of_system_v() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        // SAFETY: live places; objects of the test's own.
        unsafe {
            let queue = libc::msgget(libc::IPC_PRIVATE, 0o600);
            let message: [c_long; 2] = [5, 7];
            let partner = aside(coroutine, move || {
                a_moment();
                libc::msgsnd(queue, message.as_ptr().cast(), size_of::<c_long>(), 0)
            });
            let mut place: [c_long; 2] = [0; 2];
            let now = libc::IPC_NOWAIT;
            let early = libc::msgrcv(queue, place.as_mut_ptr().cast(), 8, 0, now);
            lines.push(told("msgrcv", early));
            let got = libc::msgrcv(queue, place.as_mut_ptr().cast(), 8, 0, 0);
            lines.push(format!("{} {place:?} {}", told("msgrcv", got), partner()));
            libc::msgctl(queue, libc::IPC_RMID, null_mut());
            let gone = libc::msgrcv(queue, place.as_mut_ptr().cast(), 8, 0, 0);
            lines.push(told("gone", gone));

            let set = libc::semget(libc::IPC_PRIVATE, 1, 0o600);
            let operation = |by, flags| libc::sembuf { sem_num: 0, sem_op: by, sem_flg: flags };
            let mut up = operation(2, 0);
            let mut down = operation(-1, 0);
            let mut now = operation(-1, libc::IPC_NOWAIT as i16);
            lines.push(told("not now", libc::semop(set, &raw mut now, 1) as isize));
            let short = millis(20);
            let late = libc::syscall(libc::SYS_semtimedop, set, &raw mut down, 1, &raw const short);
            lines.push(told("semtimedop", late as isize));
            let partner = aside(coroutine, move || {
                a_moment();
                libc::semop(set, &raw mut up, 1)
            });
            lines.push(told("semop", libc::semop(set, &raw mut down, 1) as isize));
            lines.push(told("semop", libc::semop(set, &raw mut down, 1) as isize));
            lines.push(format!("{}", partner()));
            libc::semctl(set, 0, libc::IPC_RMID);
            lines.push(told("gone", libc::semop(set, &raw mut down, 1) as isize));
        }
        lines
    });
}

#[test]
fn other_names_of_calls() {
    twins(|coroutine| {
        let (from, to) = pipe();
        let (mut byte, mut lines) = (0_u8, Vec::new());
        // SAFETY: live places; descriptors of our own.
        unsafe {
            let partner = aside(coroutine, move || {
                a_moment();
                write(to, b"xyz");
            });
            lines.push(told("__read", __read(from, (&raw mut byte).cast(), 1)));
            partner();
            let mut entry = libc::pollfd { fd: from, events: libc::POLLIN, revents: 0 };
            lines.push(format!("{} {}", __poll(&raw mut entry, 1, -1), entry.revents));
            lines.push(told("__nanosleep", __nanosleep(&millis(2), null_mut()) as isize));
            let epoll = libc::epoll_create1(0);
            let mut interest = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 9 };
            libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, from, &raw mut interest);
            let mut wait = |time: *const libc::timespec| {
                let ready = epoll_pwait2(epoll, &raw mut interest, 1, time, null());
                told("epoll_pwait2", ready as isize)
            };
            lines.push(wait(&millis(1000)));
            libc::read(from, (&raw mut byte).cast(), 1);
            libc::read(from, (&raw mut byte).cast(), 1);
            lines.push(wait(&millis(20)));
            lines.push(wait(&libc::timespec { tv_sec: -1, tv_nsec: 0 }));
            let partner = aside(coroutine, move || {
                a_moment();
                write(to, b"x");
            });
            lines.push(wait(null()));
            partner();
            libc::close(epoll);
            let counter = libc::eventfd(0, 0);
            let partner = aside(coroutine, move || {
                a_moment();
                let seven = 7_u64;
                libc::write(counter, (&raw const seven).cast(), 8)
            });
            let mut value = 0;
            lines.push(format!("{} {value}", eventfd_read(counter, &raw mut value)));
            lines.push(format!("{value} {}", partner()));
            libc::close(counter);
            libc::close(from);
            libc::close(to);
        }
        lines
    });
}

#[test]
fn calls_by_number() {
    twins(|coroutine| {
        let (from, to) = pipe();
        let (mut byte, mut lines) = (0_u8, Vec::new());
        let place = (&raw mut byte).cast::<c_void>();
        // SAFETY: live places; descriptors of our own.
        unsafe {
            let mut call = |name: &str, result: c_long| lines.push(told(name, result as isize));
            let partner = aside(coroutine, move || {
                a_moment();
                libc::syscall(libc::SYS_write, to, c"abc".as_ptr(), 3)
            });
            call("read", libc::syscall(libc::SYS_read, from, place, 1));
            call("write", partner());
            let mut entry = libc::pollfd { fd: from, events: libc::POLLIN, revents: 0 };
            call("poll", libc::syscall(libc::SYS_poll, &raw mut entry, 1, -1));
            call("ppoll", libc::syscall(libc::SYS_ppoll, &raw mut entry, 1, 0, 0, 8));
            call("bad", libc::syscall(libc::SYS_read, -1, place, 1));
            let (one, two, time) = (libc::syscall(libc::SYS_dup, from), 0, millis(3));
            call("lseek", libc::syscall(libc::SYS_lseek, one, two, 0));
            call("close", libc::syscall(libc::SYS_close, one));
            call("close", libc::syscall(libc::SYS_close, one));
            let bad = libc::timespec { tv_sec: 0, tv_nsec: -1 };
            call("nanosleep", libc::syscall(libc::SYS_nanosleep, &raw const time, 0));
            call("clock_nanosleep", {
                libc::syscall(libc::SYS_clock_nanosleep, 1, 0, &raw const bad, 0)
            });
            let partner = aside(coroutine, move || {
                a_moment();
                libc::usleep(1000)
            });
            let mut left = millis(30);
            libc::read(from, place, 1);
            libc::read(from, place, 1);
            call("ppoll", libc::syscall(libc::SYS_ppoll, &raw mut entry, 1, &raw mut left, 0, 8));
            // The bare call tells what is left.
            call("left", (left.tv_nsec + left.tv_sec) as c_long);
            partner();
            let child = libc::fork();
            if child == 0 {
                libc::usleep(20_000);
                libc::_exit(3);
            }
            let mut status = 0;
            let ended = libc::syscall(libc::SYS_wait4, child, &raw mut status, 0, 0);
            call("wait4", c_long::from(ended == c_long::from(child)));
            call("status", status.into());
            call("fsync", libc::syscall(libc::SYS_fsync, from));
            call("mkdir", libc::syscall(libc::SYS_mkdir, c"/proc/none".as_ptr(), 0o700));
            call("getpid", c_long::from(libc::syscall(libc::SYS_getpid) > 0));
            libc::close(from);
            libc::close(to);
        }
        lines
    });
}

#[test]
fn bytes_between_pipes() {
    twins(|coroutine| {
        let ((from, to), (back, into)) = (pipe(), pipe());
        let mut lines = Vec::new();
        // SAFETY: descriptors of our own.
        unsafe {
            let now = libc::SPLICE_F_NONBLOCK;
            lines.push(told("tee", libc::tee(from, into, 8, now)));
            lines.push(told("splice", libc::splice(from, null_mut(), into, null_mut(), 8, now)));
            let partner = aside(coroutine, move || {
                a_moment();
                write(to, b"teed");
            });
            lines.push(told("tee", libc::tee(from, into, 8, 0)));
            partner();
            lines.push(told("splice", libc::splice(from, null_mut(), into, null_mut(), 8, now)));
            let mut text = *b"gifts";
            let part = util::part(&mut text);
            lines.push(told("vmsplice", libc::vmsplice(into, &raw const part, 1, 0)));
            libc::close(into);
            lines.push(String::from_utf8(forms::read_all(back)).unwrap());
            for fd in [from, to, back] {
                libc::close(fd);
            }
        }
        lines
    });
}

#[test]
fn locks_on_parts_of_files() {
    twins(|coroutine| {
        let folder = Folder::new("lockf", coroutine);
        let path = folder.c("file");
        let fd = util::open(&path, libc::O_CREAT | libc::O_RDWR);
        let mut lines = Vec::new();
        let (told_us, tell) = pipe();
        let (told_it, tell_it) = pipe();
        // SAFETY: descriptors of our own; the child calls what children may.
        unsafe {
            // Locks are a process's, so another one has it.
            let child = libc::fork();
            if child == 0 {
                let mut byte = 0_u8;
                libc::lockf(fd, libc::F_LOCK, 0);
                write(tell, b"x");
                libc::read(told_it, (&raw mut byte).cast(), 1);
                libc::usleep(50_000);
                libc::_exit(0);
            }
            let mut byte = 0_u8;
            libc::read(told_us, (&raw mut byte).cast(), 1);
            lines.push(told("F_TLOCK", libc::lockf(fd, libc::F_TLOCK, 0) as isize));
            write(tell_it, b"x");
            lines.push(told("F_LOCK", libc::lockf(fd, libc::F_LOCK, 0) as isize));
            libc::waitpid(child, null_mut(), 0);
            for fd in [fd, told_us, tell, told_it, tell_it] {
                libc::close(fd);
            }
        }
        lines
    });
}

#[test]
fn terminals() {
    twins(|coroutine| {
        let (mut master, mut slave) = (0, 0);
        let mut lines = Vec::new();
        // SAFETY: live places; descriptors of our own.
        unsafe {
            let none = null_mut();
            assert_eq!(libc::openpty(&raw mut master, &raw mut slave, none, null(), null()), 0);
            let partner = aside(coroutine, move || {
                a_moment();
                let mut text = [0_u8; 64];
                libc::read(master, text.as_mut_ptr().cast(), 64)
            });
            write(slave, b"text\n");
            lines.push(told("tcdrain", libc::tcdrain(slave) as isize));
            let mut settings: libc::termios = std::mem::zeroed();
            libc::tcgetattr(slave, &raw mut settings);
            let set = libc::tcsetattr(slave, libc::TCSADRAIN, &raw const settings);
            lines.push(told("tcsetattr", set as isize));
            lines.push(told("tcflow", libc::tcflow(slave, libc::TCION) as isize));
            lines.push(format!("{}", partner()));
            libc::close(master);
            libc::close(slave);
        }
        lines
    });
}

/// What a fortified call on a buffer of 16 bytes does.
fn fitting(coroutine: bool, call: fn(c_int, usize) -> isize) -> util::Lines {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let fd = theirs.as_raw_fd();
    let partner = aside(coroutine, move || {
        a_moment();
        write(fd, b"0123456789abcdefgh");
    });
    let got = call(ours.as_raw_fd(), 16);
    partner();
    drop(theirs);
    vec![format!("{got}")]
}

#[test]
fn fortified_calls_that_fit() {
    twins(|coroutine| {
        fitting(coroutine, |fd, len| {
            let mut into = [0 as c_char; 16];
            let into = into.as_mut_ptr();
            // SAFETY: a place of 16 bytes.
            unsafe { c!(read_16(fd => c_int, len => usize, into => *mut c_char) -> isize) }
        })
    });
}

#[test]
fn fortified_receiving_that_fits() {
    twins(|coroutine| {
        fitting(coroutine, |fd, len| {
            let mut into = [0 as c_char; 16];
            let into = into.as_mut_ptr();
            // SAFETY: a place of 16 bytes.
            unsafe {
                c!(poll_1(fd => c_int, 1 => libc::nfds_t, -1 => c_int) -> c_int);
                c!(recv_16(fd => c_int, 4 => usize, into => *mut c_char) -> isize)
                    + c!(recvfrom_16(fd => c_int, len => usize, into => *mut c_char) -> isize)
            }
        })
    });
}

/// Ends the child by a call that would overflow a buffer, made on a coroutine.
fn overflowing(call: fn()) {
    lisle::spawn(move || {
        call();
        println!("it was let through, threads: {}", threads());
    })
    .join()
    .unwrap();
}

/// Tests that a fortified call of 17 bytes into 16 aborts.
macro_rules! aborts {
    ($($test:ident: $call:expr;)*) => {$(
        #[test]
        fn $test() {
            let ended = in_child(&[], || overflowing($call));
            ended.expect_abort();
            assert!(ended.stderr.contains("buffer overflow detected"), "{ended}");
        }
    )*};
}

fn place() -> *mut c_char {
    null_mut()
}

aborts! {
    // SAFETY: it aborts before it writes beyond its own buffer.
    a_read_too_long: || unsafe {
        c!(read_16(0 => c_int, 17 => usize, place() => *mut c_char) -> isize);
    };
    // SAFETY: it aborts before it writes beyond its own buffer.
    a_pread_too_long: || unsafe {
        c!(pread_16(0 => c_int, 17 => usize, place() => *mut c_char) -> isize);
    };
    // SAFETY: it aborts before it writes beyond its own buffer.
    a_recv_too_long: || unsafe {
        c!(recv_16(0 => c_int, 17 => usize, place() => *mut c_char) -> isize);
    };
    // SAFETY: it aborts before it writes beyond its own buffer.
    a_recvfrom_too_long: || unsafe {
        c!(recvfrom_16(0 => c_int, 17 => usize, place() => *mut c_char) -> isize);
    };
    // SAFETY: it aborts before it writes beyond its own buffer.
    a_readlink_too_long: || unsafe {
        c!(readlink_16(c"/".as_ptr() => *const c_char, 17 => usize, place() => *mut c_char)
            -> isize);
    };
    // SAFETY: it aborts before it writes beyond its own buffer.
    a_poll_too_long: || unsafe {
        c!(poll_1(0 => c_int, 2 => libc::nfds_t, 0 => c_int) -> c_int);
    };
    // SAFETY: it aborts before it writes beyond its own buffer.
    an_fread_too_long: || unsafe {
        let file = libc::fopen(c"/proc/self/maps".as_ptr(), c"r".as_ptr());
        c!(fread_16(file => *mut libc::FILE, 17 => usize, place() => *mut c_char) -> usize);
    };
    // SAFETY: it aborts before it writes beyond its own buffer.
    an_fgets_too_long: || unsafe {
        let file = libc::fopen(c"/proc/self/maps".as_ptr(), c"r".as_ptr());
        c!(gets_16(file => *mut libc::FILE, 17 => c_int, place() => *mut c_char) -> *mut c_char);
    };
}
