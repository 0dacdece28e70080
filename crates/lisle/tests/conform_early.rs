//! Hooked calls at moments at which there is no runtime, or none yet, or hardly any more: before
//! `main`, while the process ends, while a thread's objects are destroyed, in handlers of signals.

mod util;

use std::ffi::{c_int, c_void};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use util::{in_child, on_workers, twins, waits_for};

/// What [`calls`] returns where all is well.
const RIGHT: i32 = 0;

/// Makes hooked calls of many kinds, of which none waits for long; returns how much was wrong.
fn calls() -> i32 {
    let mut wrong = 0;
    let mut check = |right: bool| wrong += i32::from(!right);
    let mut pipe = [0; 2];
    let mut pair = [0; 2];
    let mut place = [0_u8; 8];
    let (start, text) = (place.as_mut_ptr().cast(), c"12345678".as_ptr().cast());
    let short = libc::timespec { tv_sec: 0, tv_nsec: 1_000 };
    let word = AtomicU32::new(0);
    // SAFETY: live places and descriptors of our own; C strings.
    unsafe {
        let before = *libc::__errno_location();
        check(libc::pipe(pipe.as_mut_ptr()) == 0);
        check(libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) == 0);
        check(libc::write(pipe[1], text, 8) == 8 && libc::read(pipe[0], start, 8) == 8);
        check(libc::send(pair[0], text, 8, 0) == 8 && libc::recv(pair[1], start, 8, 0) == 8);
        let mut entry = libc::pollfd { fd: pair[0], events: libc::POLLOUT, revents: 0 };
        check(libc::poll(&raw mut entry, 1, 1_000) == 1);
        check(libc::nanosleep(&raw const short, null_mut()) == 0);
        check(libc::sched_yield() == 0);
        let (word, op) = (word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG);
        check(libc::syscall(libc::SYS_futex, word, op, 1_u32) == 0);
        let op = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        check(libc::syscall(libc::SYS_futex, word, op, 0_u32, &raw const short) == -1);
        check(*libc::__errno_location() == libc::ETIMEDOUT);
        let fd = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        check(fd >= 0 && libc::write(fd, text, 8) == 8 && libc::fsync(-1) == -1);
        let mut seen = std::mem::zeroed();
        check(libc::stat(c"/".as_ptr(), &raw mut seen) == 0);
        check(libc::access(c"/none/at/all".as_ptr(), libc::F_OK) == -1);
        for fd in pipe.into_iter().chain(pair).chain([fd]) {
            check(libc::close(fd) == 0);
        }
        *libc::__errno_location() = before;
    }
    wrong
}

/// What a constructor of this program saw, which ran before `main` and before that of std.
static BEFORE_MAIN: AtomicI32 = AtomicI32::new(-1);

#[used]
#[unsafe(link_section = ".init_array.00101")]
static CONSTRUCTOR: extern "C" fn() = {
    extern "C" fn constructor() {
        BEFORE_MAIN.store(calls(), Ordering::SeqCst);
    }
    constructor
};

#[test]
fn before_main() {
    assert_eq!(BEFORE_MAIN.load(Ordering::SeqCst), RIGHT);
}

extern "C" fn at_exit() {
    println!("at the end: {}, {}", calls(), MARK.load(Ordering::SeqCst));
}

/// Set shortly before the end.
static MARK: AtomicI32 = AtomicI32::new(0);

/// The process ends by a coroutine, by an OS thread or by `main`, while others are under way.
#[test]
fn while_the_process_ends() {
    for who in ["coroutine", "thread", "main"] {
        if util::is_child() && std::env::var("LISLE_TEST_ENDS").as_deref() != Ok(who) {
            continue;
        }
        let ended = in_child(&[("LISLE_TEST_ENDS", who)], || {
            // SAFETY: the handler makes calls and prints.
            unsafe { libc::atexit(at_exit) };
            let busy: Vec<_> = (0..10)
                .map(|_| {
                    lisle::spawn(|| {
                        loop {
                            std::thread::sleep(Duration::from_micros(50));
                        }
                    })
                })
                .collect();
            let end = || std::process::exit(0);
            MARK.store(7, Ordering::SeqCst);
            match who {
                "coroutine" => lisle::spawn(end).join().unwrap(),
                "thread" => std::thread::spawn(end).join().unwrap(),
                _ => drop(busy),
            }
            println!("it went on");
        });
        assert!(ended.status.success(), "{who}: {ended}");
        assert!(ended.stdout.contains("at the end: 0, 7"), "{who}: {ended}");
    }
}

/// What the destructor of a thread's key saw: the number of those that were right.
static DESTROYED: AtomicI32 = AtomicI32::new(0);

/// Destructors of keys make calls, and wait, as the code before them did.
#[test]
fn in_destructors_of_keys() {
    extern "C" fn destructor(value: *mut c_void) {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let helper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1));
            theirs.write_all(b"late").unwrap();
        });
        let mut text = [0; 4];
        let read = ours.read_exact(&mut text).is_ok() && &text == b"late";
        helper.join().unwrap();
        let right = calls() == RIGHT && read && value.addr() == 5;
        DESTROYED.fetch_add(i32::from(right), Ordering::SeqCst);
    }
    on_workers(|| {
        let mut key = 0;
        // SAFETY: a live place; the destructor takes any value.
        assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(destructor)) }, 0);
        util::mixed(20, move |_| {
            // SAFETY: the key exists; its values are numbers.
            unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(5)) };
        });
        util::yield_until(|| DESTROYED.load(Ordering::SeqCst) == 20);
    });
}

static HANDLED: AtomicI32 = AtomicI32::new(0);

extern "C" fn handler(_signal: c_int) {
    let mut pipe = [0; 2];
    let mut place = [0_u8; 4];
    // SAFETY: live places; what may be called in a handler.
    let right = unsafe {
        let before = *libc::__errno_location();
        libc::pipe(pipe.as_mut_ptr()) == 0
            && libc::write(pipe[1], c"text".as_ptr().cast(), 4) == 4
            && libc::read(pipe[0], place.as_mut_ptr().cast(), 4) == 4
            && libc::read(-1, place.as_mut_ptr().cast(), 4) == -1
            && *libc::__errno_location() == libc::EBADF
            && libc::close(pipe[0]) == 0
            && libc::close(pipe[1]) == 0
            && {
                *libc::__errno_location() = before;
                true
            }
    };
    HANDLED.fetch_add(i32::from(right), Ordering::SeqCst);
}

/// A handler makes calls that need not wait, while the one that it interrupts computes.
#[test]
fn in_handlers_of_signals() {
    let ended = in_child(&[("LISLE_WORKERS", "1")], || {
        // SAFETY: the handler does what may be done in one; all-zero is an action without flags.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, null_mut()), 0);
        }
        util::twins_of_a_child(|_| {
            HANDLED.store(0, Ordering::SeqCst);
            let mut lines = Vec::new();
            for _ in 0..50 {
                // SAFETY: every thread has an errno; the signal has a handler.
                unsafe {
                    *libc::__errno_location() = 77;
                    let raised = libc::raise(libc::SIGUSR1);
                    lines.push(format!("{raised} {}", *libc::__errno_location()));
                }
                std::thread::yield_now();
            }
            lines.push(format!("{} {}", HANDLED.load(Ordering::SeqCst), calls()));
            lines
        });
        assert_eq!(HANDLED.load(Ordering::SeqCst), 50);
    });
    ended.expect_return();
}

/// An OS thread that nobody knows of, made by C's function, waits as it does without the hooks.
#[test]
fn on_threads_that_others_made() {
    extern "C" fn body(place: *mut c_void) -> *mut c_void {
        let wrong = calls();
        // SAFETY: a number that was passed, which is open.
        let got = unsafe {
            let mut byte = 0_u8;
            libc::read(place.addr() as c_int, (&raw mut byte).cast(), 1)
        };
        std::ptr::without_provenance_mut((wrong as usize) << 8 | got as usize)
    }
    twins(|coroutine| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let word = std::ptr::without_provenance_mut(ours.as_raw_fd() as usize);
        let (mut thread, mut value) = (0, null_mut());
        let wait = || std::thread::sleep(Duration::from_millis(10));
        // SAFETY: live places; the thread is joined before the descriptor is closed.
        unsafe {
            assert_eq!(libc::pthread_create(&raw mut thread, null(), body, word), 0);
            waits_for(coroutine, Duration::from_millis(10), wait);
            theirs.write_all(b"x").unwrap();
            assert_eq!(libc::pthread_join(thread, &raw mut value), 0);
        }
        vec![format!("{}", value.addr())]
    });
}
