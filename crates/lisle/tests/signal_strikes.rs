//! Handlers that wake coroutines strike the runtime's own threads, wherever these are: falling
//! asleep, waking up, searching. The kernel may choose them for any signal of the process; here
//! they get all of them.

mod util;

use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use libc::{SIGUSR1, c_int};
use util::signal::{carriers, install, strike};
use util::{in_child, scaled, threads, yield_until};

static FUTEX: AtomicU32 = AtomicU32::new(0);
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn wake_all(_: c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
    // What `sem_post` and the unlocking of a lock come to.
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

fn storm(strikes: usize) {
    install(SIGUSR1, wake_all, libc::SA_RESTART);
    let over = Arc::new(AtomicBool::new(false));
    let waits = || {
        let over = Arc::clone(&over);
        lisle::spawn(move || {
            let mut woken = 0_u64;
            while !over.load(Ordering::Relaxed) {
                wait_for_handler();
                woken += 1;
            }
            woken
        })
    };
    let coroutines: Vec<_> = (0..8).map(|_| waits()).collect();
    let workers = lisle::runtime::workers();
    // They give themselves their names.
    yield_until(|| threads() || carriers().len() >= workers);
    let struck = carriers();
    (0..strikes / struck.len()).for_each(|_| strike(&struck, SIGUSR1));
    over.store(true, Ordering::Relaxed);
    for coroutine in coroutines {
        yield_until(|| {
            strike(&struck, SIGUSR1);
            coroutine.is_finished()
        });
        assert!(coroutine.join().unwrap() > 0);
    }
    assert!(HANDLED.load(Ordering::Relaxed) > 0);
}

#[test]
fn wherever_workers_are() {
    for workers in ["1", "4"] {
        for poller in ["epoll", "uring"] {
            let settings = [("LISLE_WORKERS", workers), ("LISLE_POLLER", poller)];
            in_child(&settings, || storm(scaled(200_000, 2_000))).expect_return();
        }
    }
}
