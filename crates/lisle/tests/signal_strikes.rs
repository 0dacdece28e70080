//! Handlers strike the runtime's own threads, wherever these are, and call what is allowed in
//! handlers and taken care of by hooks. The kernel may choose these threads for any signal of the
//! process; here they get all of them.

mod util;

use std::cell::UnsafeCell;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use libc::{SIGUSR1, c_int};
use util::signal::{carriers, install, strike};
use util::{Random, in_child, scaled, threads, yield_until};

static FUTEX: AtomicU32 = AtomicU32::new(0);
static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// What the unlocking of a lock comes to.
fn wake_all() {
    FUTEX.fetch_add(1, Ordering::SeqCst);
    let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: a live word.
    unsafe { libc::syscall(libc::SYS_futex, FUTEX.as_ptr(), op, i32::MAX) };
}

/// Waits for the word to change, as a lock does.
fn wait_for_handler() {
    let seen = FUTEX.load(Ordering::SeqCst);
    let op = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: a live word.
    unsafe { libc::syscall(libc::SYS_futex, FUTEX.as_ptr(), op, seen, null::<u8>()) };
}

extern "C" fn wakes(_: c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
    wake_all();
}

/// A semaphore for handlers to post.
struct Posted(UnsafeCell<MaybeUninit<libc::sem_t>>);

// SAFETY: semaphores are made for sharing.
unsafe impl Sync for Posted {}

static POSTED: Posted = Posted(UnsafeCell::new(MaybeUninit::uninit()));

impl Posted {
    fn get(&self) -> *mut libc::sem_t {
        self.0.get().cast()
    }
}

extern "C" fn calls(signal: c_int) {
    wakes(signal);
    // SAFETY: all of these are allowed in handlers; errno is put back as handlers must.
    unsafe {
        let errno = *libc::__errno_location();
        libc::sem_post(POSTED.get());
        libc::close(libc::dup(2));
        libc::waitpid(-1, null_mut(), libc::WNOHANG);
        libc::poll(null_mut(), 0, 0);
        libc::pthread_kill(libc::pthread_self(), 0);
        *libc::__errno_location() = errno;
    }
}

/// What a coroutine does among the others, once.
fn act(random: &mut Random, pair: &mut (UnixStream, UnixStream)) {
    match random.below(7) {
        0 => wait_for_handler(),
        // SAFETY: initialised before there were coroutines; a post comes with each signal.
        1 => _ = unsafe { libc::sem_wait(POSTED.get()) },
        2 => thread::sleep(Duration::from_micros(50)),
        3 => {
            pair.0.write_all(b"x").unwrap();
            pair.1.read_exact(&mut [0]).unwrap();
        }
        4 => lisle::spawn(wake_all).join().unwrap(),
        5 => drop(pair.0.try_clone().unwrap()),
        _ => lisle::yield_now(),
    }
}

/// Strikes the threads below while so many coroutines do as they are told, until all have done so.
fn storm<F: Fn(usize) + Send + Sync + 'static>(strikes: usize, coroutines: usize, once: F) {
    let over = Arc::new(AtomicBool::new(false));
    let once = Arc::new(once);
    let repeats = |own: usize| {
        let (over, once) = (Arc::clone(&over), Arc::clone(&once));
        lisle::spawn(move || {
            once(own);
            while !over.load(Ordering::Relaxed) {
                once(own);
            }
        })
    };
    let coroutines: Vec<_> = (0..coroutines).map(repeats).collect();
    let workers = lisle::runtime::workers();
    // They give themselves their names.
    yield_until(|| threads() || carriers().len() >= workers);
    let struck = carriers();
    (0..strikes / struck.len()).for_each(|_| strike(&struck, SIGUSR1));
    over.store(true, Ordering::Relaxed);
    for coroutine in coroutines {
        // Anew each time: where a coroutine is a thread, those that were struck may have ended.
        yield_until(|| {
            strike(&carriers(), SIGUSR1);
            coroutine.is_finished()
        });
        coroutine.join().unwrap();
    }
    assert!(HANDLED.load(Ordering::Relaxed) > 0);
}

/// Runs `f` in child processes of one worker and of several, on both pollers.
macro_rules! everywhere {
    ($f:expr) => {
        for workers in ["1", "4"] {
            for poller in ["epoll", "uring"] {
                let settings = [("LISLE_WORKERS", workers), ("LISLE_POLLER", poller)];
                in_child(&settings, $f).expect_return();
            }
        }
    };
}

#[test]
fn workers_that_fall_asleep_and_wake_up() {
    everywhere!(|| {
        install(SIGUSR1, wakes, libc::SA_RESTART);
        storm(scaled(200_000, 2_000), 8, |_| wait_for_handler());
    });
}

#[test]
fn handlers_that_call_what_they_may() {
    everywhere!(|| {
        // SAFETY: nobody uses it yet.
        assert_eq!(unsafe { libc::sem_init(POSTED.get(), 0, 0) }, 0);
        install(SIGUSR1, calls, libc::SA_RESTART);
        storm(scaled(20_000, 2_000), 16, |own| {
            let mut random = Random::new(own as u64 + 1);
            let mut pair = UnixStream::pair().unwrap();
            (0..20).for_each(|_| act(&mut random, &mut pair));
        });
    });
}
