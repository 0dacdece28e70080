//! Signals to one coroutine, and what they do to what it waits in.

mod util;

use std::ffi::c_void;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use libc::{SIG_SETMASK, SIG_UNBLOCK, SIGUSR1, SIGUSR2, c_int, pthread_t};
use util::signal::{count, counted, install, mask, pending, set};
use util::{
    Lines, Random, a_moment, alone_in_child, in_child, scaled, set_option, tcp_pair, threads,
    timeval, told, twins_alone, yield_until,
};

/// One that is about to wait, or does.
#[derive(Default)]
struct Target {
    thread: AtomicUsize,
    over: AtomicBool,
}

impl Target {
    /// Says who it is, to those who would interrupt it.
    fn here(&self) {
        // SAFETY: a plain call.
        self.thread.store(unsafe { libc::pthread_self() } as usize, Ordering::SeqCst);
    }

    fn thread(&self) -> pthread_t {
        yield_until(|| self.thread.load(Ordering::SeqCst) != 0);
        self.thread.load(Ordering::SeqCst) as pthread_t
    }
}

fn pthread_kill(thread: pthread_t, signal: c_int) -> c_int {
    // SAFETY: a thread that exists, or waits to be joined.
    unsafe { libc::pthread_kill(thread, signal) }
}

/// Makes a call that waits while a partner sends signals with a handler, which has these flags,
/// until it returns. If it may be restarted the handler runs three times; then `finish`, if there
/// is one, ends the wait.
fn interrupted(
    coroutine: bool,
    flags: c_int,
    call: impl FnOnce() -> String + Send + 'static,
    finish: Option<Box<dyn FnOnce() + Send>>,
) -> String {
    install(SIGUSR1, count, flags);
    let target = Arc::new(Target::default());
    let theirs = Arc::clone(&target);
    let partner = util::aside(coroutine, move || {
        let (thread, before) = (theirs.thread(), counted());
        let rounds = if flags == 0 || finish.is_none() { usize::MAX } else { 3 };
        for round in 1..=rounds {
            a_moment();
            if theirs.over.load(Ordering::SeqCst) {
                break;
            }
            assert_eq!(pthread_kill(thread, SIGUSR1), 0);
            yield_until(|| counted() >= before + round || theirs.over.load(Ordering::SeqCst));
        }
        if let Some(finish) = finish {
            finish();
        }
    });
    target.here();
    let line = call();
    target.over.store(true, Ordering::SeqCst);
    partner();
    line
}

/// With a handler that restarts calls, and with one that does not.
fn both(
    name: &str,
    coroutine: bool,
    case: impl Fn() -> (Box<dyn FnOnce() -> String + Send>, Option<Box<dyn FnOnce() + Send>>),
) -> Lines {
    [0, libc::SA_RESTART]
        .into_iter()
        .map(|flags| {
            let (call, finish) = case();
            format!("{name} {flags:#x}: {}", interrupted(coroutine, flags, call, finish))
        })
        .collect()
}

/// What ends a wait.
fn by(finish: impl FnOnce() + Send + 'static) -> Option<Box<dyn FnOnce() + Send>> {
    Some(Box::new(finish))
}

fn read(fd: c_int) -> String {
    let mut buffer = [0_u8; 16];
    // SAFETY: a live buffer.
    told("read", unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), 16) })
}

#[test]
fn reading() {
    twins_alone(|coroutine| {
        let pipe = || {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let call = Box::new(move || read(reader.as_raw_fd())) as Box<_>;
            (call, by(move || drop(writer.write_all(b"pipe"))))
        };
        let tcp = || {
            let (ours, mut theirs) = tcp_pair();
            let call = Box::new(move || read(ours.as_raw_fd())) as Box<_>;
            (call, by(move || drop(theirs.write_all(b"tcp"))))
        };
        let unix = || {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let call = move || {
                let (got, text) = util::recv(ours.as_raw_fd(), 16, libc::MSG_WAITALL);
                format!("{} {text:?}", told("recv", got))
            };
            (Box::new(call) as Box<_>, by(move || drop(theirs.write_all(&[1; 16]))))
        };
        let event = || {
            // SAFETY: a new descriptor.
            let fd = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, 0)) };
            let theirs = fd.try_clone().unwrap();
            let call = Box::new(move || read(fd.as_raw_fd())) as Box<_>;
            let one = 1_u64.to_ne_bytes();
            // SAFETY: a live buffer.
            let finish = move || unsafe {
                libc::write(theirs.as_raw_fd(), one.as_ptr().cast(), 8);
            };
            (call, by(finish))
        };
        let mut lines = both("pipe", coroutine, pipe);
        lines.extend(both("tcp", coroutine, tcp));
        lines.extend(both("unix", coroutine, unix));
        lines.extend(both("eventfd", coroutine, event));
        lines
    });
}

#[test]
fn with_a_timeout_of_the_socket() {
    twins_alone(|coroutine| {
        both("recv", coroutine, || {
            let (ours, mut theirs) = tcp_pair();
            let time = timeval(Duration::from_secs(20));
            set_option(&ours, libc::SOL_SOCKET, libc::SO_RCVTIMEO, time);
            let call = move || told("recv", util::recv(ours.as_raw_fd(), 16, 0).0);
            (Box::new(call) as Box<_>, by(move || drop(theirs.write_all(b"late"))))
        })
    });
}

#[test]
fn writing() {
    twins_alone(|coroutine| {
        let filled = || {
            let (reader, mut writer) = std::io::pipe().unwrap();
            writer.write_all(&[0; 65536]).unwrap();
            let kept = reader.try_clone().unwrap();
            let call = move || {
                let _kept = kept;
                // SAFETY: a live buffer.
                told("write", unsafe { libc::write(writer.as_raw_fd(), [0; 8].as_ptr().cast(), 8) })
            };
            // A whole page, which makes room.
            let finish = move || (&reader).read_exact(&mut [0; 4096]).unwrap();
            (Box::new(call) as Box<_>, by(finish))
        };
        both("full pipe", coroutine, filled)
    });
}

#[test]
fn accepting_and_receiving_messages() {
    twins_alone(|coroutine| {
        let listener = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let call = move || {
                // SAFETY: no address is wanted.
                let fd = unsafe { libc::accept(listener.as_raw_fd(), null_mut(), null_mut()) };
                if fd >= 0 { "accepted".to_owned() } else { told("accept", fd as isize) }
            };
            let finish = move || drop(std::net::TcpStream::connect(address));
            (Box::new(call) as Box<_>, by(finish))
        };
        let datagram = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = socket.local_addr().unwrap();
            let call = move || told("recv", util::recv(socket.as_raw_fd(), 16, 0).0);
            let finish = move || {
                let other = UdpSocket::bind("127.0.0.1:0").unwrap();
                other.send_to(b"datagram", address).unwrap();
            };
            (Box::new(call) as Box<_>, by(finish))
        };
        let mut lines = both("accept", coroutine, listener);
        lines.extend(both("datagram", coroutine, datagram));
        lines
    });
}

#[test]
fn waiting_for_readiness() {
    twins_alone(|coroutine| {
        let poll = |timeout: c_int| {
            move || {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let call = move || {
                    let mut entry =
                        libc::pollfd { fd: ours.as_raw_fd(), events: libc::POLLIN, revents: 0 };
                    // SAFETY: one live entry.
                    let result = unsafe { libc::poll(&raw mut entry, 1, timeout) };
                    drop(theirs);
                    told("poll", result as isize)
                };
                (Box::new(call) as Box<_>, None)
            }
        };
        let nothing_to_poll = || {
            // SAFETY: no entries.
            let call = || told("poll", unsafe { libc::poll(null_mut(), 0, 10_000) } as isize);
            (Box::new(call) as Box<_>, None)
        };
        let epoll = || {
            let call = || {
                // SAFETY: a new descriptor; a live place.
                unsafe {
                    let fd = OwnedFd::from_raw_fd(libc::epoll_create1(0));
                    let mut event = libc::epoll_event { events: 0, u64: 0 };
                    told("epoll", libc::epoll_wait(fd.as_raw_fd(), &raw mut event, 1, -1) as isize)
                }
            };
            (Box::new(call) as Box<_>, None)
        };
        let select = || {
            let call = || {
                let mut time = libc::timeval { tv_sec: 10, tv_usec: 0 };
                let none = null_mut();
                // SAFETY: live places.
                let result = unsafe { libc::select(0, none, none, none, &raw mut time) };
                told("select", result as isize)
            };
            (Box::new(call) as Box<_>, None)
        };
        let mut lines = both("poll", coroutine, poll(-1));
        lines.extend(both("poll with a timeout", coroutine, poll(10_000)));
        lines.extend(both("poll of nothing", coroutine, nothing_to_poll));
        lines.extend(both("epoll", coroutine, epoll));
        lines.extend(both("select", coroutine, select));
        lines
    });
}

#[test]
fn sleeping() {
    twins_alone(|coroutine| {
        let of = |what: c_int| {
            move || {
                let call = move || {
                    let long = libc::timespec { tv_sec: 10, tv_nsec: 0 };
                    let mut rest = libc::timespec { tv_sec: 0, tv_nsec: 0 };
                    let began = Instant::now();
                    // SAFETY: live places.
                    let result = unsafe {
                        match what {
                            0 => libc::nanosleep(&raw const long, &raw mut rest),
                            1 => libc::usleep(10_000_000),
                            2 => libc::sleep(10) as c_int,
                            3 => libc::clock_nanosleep(
                                libc::CLOCK_REALTIME,
                                0,
                                &raw const long,
                                &raw mut rest,
                            ),
                            _ => {
                                let mut until = rest;
                                libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut until);
                                until.tv_sec += 10;
                                let flags = libc::TIMER_ABSTIME;
                                let id = libc::CLOCK_MONOTONIC;
                                libc::clock_nanosleep(id, flags, &raw const until, &raw mut rest)
                            }
                        }
                    };
                    let early = began.elapsed() < Duration::from_secs(9);
                    format!("{} {} {early}", told("sleep", result as isize), rest.tv_sec)
                };
                (Box::new(call) as Box<_>, None)
            }
        };
        (0..5).flat_map(|what| both(&what.to_string(), coroutine, of(what))).collect()
    });
}

#[test]
fn std_sleeps_on() {
    twins_alone(|coroutine| {
        both("sleep", coroutine, || {
            let call = || {
                let began = Instant::now();
                thread::sleep(Duration::from_millis(100));
                (began.elapsed() >= Duration::from_millis(100)).to_string()
            };
            (Box::new(call) as Box<_>, None)
        })
    });
}

#[test]
fn waiting_for_a_word() {
    twins_alone(|coroutine| {
        both("futex", coroutine, || {
            let (word, over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
            let (theirs, theirs_over) = (Arc::clone(&word), Arc::clone(&over));
            let call = move || {
                let op = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
                // SAFETY: a live word.
                let result = unsafe {
                    libc::syscall(libc::SYS_futex, word.as_ptr(), op, 0, null::<u8>(), 0, 0)
                };
                over.store(true, Ordering::SeqCst);
                told("futex", result as isize)
            };
            let finish = move || {
                let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
                // Restarted by now or not, it waits in the end.
                // SAFETY: a live word.
                let wake = || unsafe { libc::syscall(libc::SYS_futex, theirs.as_ptr(), op, 1) };
                yield_until(|| theirs_over.load(Ordering::SeqCst) || wake() == 1);
            };
            (Box::new(call) as Box<_>, by(finish))
        })
    });
}

#[test]
fn waiting_for_a_child() {
    twins_alone(|coroutine| {
        both("waitpid", coroutine, || {
            let mut child = Command::new("sleep").arg("0.2").spawn().unwrap();
            let call = move || {
                let (id, mut status) = (child.id() as libc::pid_t, 0);
                // SAFETY: a live place.
                let result = unsafe { libc::waitpid(id, &raw mut status, 0) };
                if result == id {
                    // Nothing is left to wait for.
                    assert!(child.wait().is_err());
                    return format!("its status: {status}");
                }
                let line = told("waitpid", result as isize);
                child.wait().unwrap();
                line
            };
            (Box::new(call) as Box<_>, None)
        })
    });
}

#[test]
fn blocked_and_taken_later() {
    twins_alone(|coroutine| {
        let before = counted();
        install(SIGUSR1, count, 0);
        install(SIGUSR2, count, 0);
        mask(SIG_SETMASK, &[SIGUSR1, 44]);
        // SAFETY: a plain call.
        let me = unsafe { libc::pthread_self() };
        util::aside(coroutine, move || {
            assert_eq!(pthread_kill(me, SIGUSR1), 0);
            assert_eq!(pthread_kill(me, SIGUSR1), 0);
            for value in 1..=3 {
                let value = libc::sigval { sival_ptr: value as *mut c_void };
                // SAFETY: the thread goes on.
                assert_eq!(unsafe { libc::pthread_sigqueue(me, 44, value) }, 0);
            }
        })();
        let mut lines = vec![format!("{:?} {}", pending(), counted() - before)];
        // Sees nothing of it.
        lines.push(format!("{:?}", util::aside(coroutine, pending)()));
        thread::sleep(Duration::from_millis(1));
        mask(SIG_UNBLOCK, &[SIGUSR1]);
        lines.push(format!("{:?} {}", pending(), counted() - before));
        for _ in 0..3 {
            let of = set(&[44]);
            // SAFETY: live places.
            unsafe {
                let mut info: libc::siginfo_t = std::mem::zeroed();
                let signal = libc::sigwaitinfo(&raw const of, &raw mut info);
                let value = info.si_value().sival_ptr as usize;
                let mine = info.si_pid() == libc::getpid() && info.si_uid() == libc::getuid();
                lines.push(format!("{signal} {} {value} {mine}", info.si_code));
            }
        }
        lines.push(format!("{:?}", pending()));
        mask(SIG_SETMASK, &[]);
        lines
    });
}

#[test]
fn waits_for_what_others_send() {
    twins_alone(|coroutine| {
        install(SIGUSR1, count, 0);
        mask(SIG_SETMASK, &[SIGUSR1, SIGUSR2, 45]);
        let target = Arc::new(Target::default());
        let theirs = Arc::clone(&target);
        let partner = util::aside(coroutine, move || {
            let (thread, before) = (theirs.thread(), counted());
            for signal in [SIGUSR2, 45, SIGUSR1] {
                a_moment();
                assert_eq!(pthread_kill(thread, signal), 0);
            }
            // Two of one kind at once would be one.
            yield_until(|| counted() > before);
            a_moment();
            assert_eq!(pthread_kill(thread, SIGUSR1), 0);
        });
        target.here();
        let mut lines = Lines::new();
        // SAFETY: live places.
        unsafe {
            let (both, none) = (set(&[SIGUSR2, 45]), set(&[SIGUSR2]));
            for _ in 0..2 {
                let mut signal = 0;
                let result = libc::sigwait(&raw const both, &raw mut signal);
                lines.push(format!("{result} {signal}"));
            }
            let before = counted();
            let result = libc::sigsuspend(&raw const none);
            lines.push(format!("{} {}", told("sigsuspend", result as isize), counted() - before));
            let result = libc::ppoll(null_mut(), 0, null(), &raw const none);
            lines.push(format!("{} {}", told("ppoll", result as isize), counted() - before));
        }
        partner();
        mask(SIG_SETMASK, &[]);
        lines
    });
}

#[test]
fn one_that_computes_is_interrupted() {
    in_child(&[("LISLE_WORKERS", "2")], || {
        install(SIGUSR1, count, 0);
        let target = Arc::new(Target::default());
        let theirs = Arc::clone(&target);
        let computing = lisle::spawn(move || {
            theirs.here();
            while counted() < 100 {
                std::hint::spin_loop();
            }
        });
        let thread = target.thread();
        for sent in 1..=100 {
            pthread_kill(thread, SIGUSR1);
            yield_until(|| counted() >= sent);
        }
        computing.join().unwrap();
    })
    .expect_return();
}

#[test]
fn those_that_ended_and_those_that_are_none() {
    twins_alone(|coroutine| {
        let ended = Arc::new(Target::default());
        let theirs = Arc::clone(&ended);
        let other = util::aside(coroutine, move || theirs.here());
        let thread = ended.thread();
        let mut lines = Lines::new();
        for signal in [0, -1, 65, 32, 33] {
            lines.push(format!("{signal}: {}", pthread_kill(thread, signal)));
        }
        // It has ended or is about to, and nobody has joined it.
        thread::sleep(Duration::from_millis(20));
        install(SIGUSR1, count, 0);
        lines.push(format!("ended: {}", pthread_kill(thread, SIGUSR1)));
        other();
        lines
    });
}

#[test]
fn a_signal_with_its_default_effect() {
    use std::os::unix::process::ExitStatusExt;
    let ended = in_child(&[], || {
        let target = Arc::new(Target::default());
        let theirs = Arc::clone(&target);
        let waiting = lisle::spawn(move || {
            theirs.here();
            thread::sleep(Duration::from_secs(50));
        });
        pthread_kill(target.thread(), SIGUSR1);
        waiting.join().unwrap();
    });
    assert_eq!(ended.status.signal(), Some(SIGUSR1), "{ended}");
}

thread_local! {
    static OWN: std::cell::Cell<usize> = const { std::cell::Cell::new(usize::MAX) };
}

static STRAY: AtomicUsize = AtomicUsize::new(0);
static RAN: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

extern "C" fn note_who(_: c_int) {
    match RAN.get(OWN.get()) {
        Some(count) => count.fetch_add(1, Ordering::SeqCst),
        None => STRAY.fetch_add(1, Ordering::SeqCst),
    };
}

#[test]
fn each_signal_reaches_the_one_that_is_meant() {
    for workers in ["1", "4"] {
        alone_in_child(&[("LISLE_WORKERS", workers)], || storm(150));
    }
}

fn storm(sent: usize) {
    let count = scaled(32, 8);
    // Real-time signals are counted: each one sent is handled once.
    install(46, note_who, 0);
    let targets: Arc<Vec<Target>> = Arc::new((0..count).map(|_| Target::default()).collect());
    let lock = Arc::new(Mutex::new(0));
    let work = |own: usize| {
        let (targets, lock) = (Arc::clone(&targets), Arc::clone(&lock));
        move || {
            OWN.set(own);
            targets[own].here();
            let mut random = Random::new(own as u64);
            let (ours, _theirs) = UnixStream::pair().unwrap();
            ours.set_read_timeout(Some(Duration::from_micros(300))).unwrap();
            while RAN[own].load(Ordering::SeqCst) < sent {
                match random.below(8) {
                    0 => thread::sleep(Duration::from_micros(200)),
                    1 => *lock.lock().unwrap() += 1,
                    2 => drop(util::recv(ours.as_raw_fd(), 1, 0)),
                    // SAFETY: no entries.
                    3 => drop(unsafe { libc::poll(null_mut(), 0, 1) }),
                    4 => lisle::blocking(|| thread::sleep(Duration::from_micros(100))),
                    5 => {
                        mask(libc::SIG_BLOCK, &[46]);
                        lisle::yield_now();
                        mask(SIG_UNBLOCK, &[46]);
                    }
                    _ => lisle::yield_now(),
                }
            }
        }
    };
    let coroutines: Vec<_> = (0..count).map(|own| lisle::spawn(work(own))).collect();
    let sender = {
        let targets = Arc::clone(&targets);
        lisle::spawn(move || {
            for round in 0..sent {
                for target in targets.iter() {
                    while pthread_kill(target.thread(), 46) == libc::EAGAIN {
                        thread::sleep(Duration::from_micros(100));
                    }
                }
                if round % 8 == 0 {
                    thread::sleep(Duration::from_micros(200));
                }
            }
        })
    };
    coroutines.into_iter().for_each(|coroutine| coroutine.join().unwrap());
    sender.join().unwrap();
    assert_eq!(STRAY.load(Ordering::SeqCst), 0, "handlers ran elsewhere");
    let ran: Vec<usize> = RAN[..count].iter().map(|ran| ran.load(Ordering::SeqCst)).collect();
    assert!(ran.iter().all(|ran| *ran == sent), "{ran:?}, {}", threads());
}
