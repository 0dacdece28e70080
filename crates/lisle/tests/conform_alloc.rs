//! A program whose allocator makes hooked calls: it yields, locks, sleeps and writes. The runtime
//! allocates too, where it must not be suspended, and survives that.

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use util::{mixed, on_workers};

struct Calling;

/// The number of allocations, by which the calls take turns.
static TURN: AtomicU64 = AtomicU64::new(0);
/// The number of calls.
static CALLS: AtomicU64 = AtomicU64::new(0);
/// As allocators have one.
static LOCK: Mutex<u64> = Mutex::new(0);

thread_local! {
    /// Whether the calling thread is in a call already.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

fn call() {
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    if WITHIN.replace(true) {
        return;
    }
    // SAFETY: plain calls on live places.
    unsafe {
        let errno = *libc::__errno_location();
        match turn % 16 {
            0 => drop(libc::sched_yield()),
            1 => *LOCK.lock().unwrap() += 1,
            2 => {
                let short = libc::timespec { tv_sec: 0, tv_nsec: 1_000 };
                libc::nanosleep(&raw const short, std::ptr::null_mut());
            }
            3 => drop(libc::access(c"/none".as_ptr(), libc::F_OK)),
            _ => {}
        }
        CALLS.fetch_add(u64::from(turn % 16 < 4), Ordering::Relaxed);
        *libc::__errno_location() = errno;
    }
    WITHIN.set(false);
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Calling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        call();
        // SAFETY: the caller's obligation.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        call();
        // SAFETY: the caller's obligation.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Calling = Calling;

#[test]
fn an_allocator_that_makes_hooked_calls() {
    on_workers(|| {
        let before = CALLS.load(Ordering::Relaxed);
        let sums = mixed(40, |own| {
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            let echo = lisle::spawn(move || {
                let mut byte = [0];
                while theirs.read(&mut byte).unwrap() == 1 {
                    let copy = byte.to_vec();
                    theirs.write_all(&copy).unwrap();
                }
            });
            let (send, receive) = std::sync::mpsc::channel();
            for number in 0..30_u8 {
                let text = vec![number; 1 + own];
                ours.write_all(&text[..1]).unwrap();
                let mut back = vec![0; 1];
                ours.read_exact(&mut back).unwrap();
                send.send(back[0]).unwrap();
                ours.set_read_timeout(Some(Duration::from_secs(60 + u64::from(number)))).unwrap();
            }
            drop((ours, send));
            echo.join().unwrap();
            receive.into_iter().map(u32::from).sum::<u32>()
        });
        assert_eq!(sums, [435; 40]);
        assert!(CALLS.load(Ordering::Relaxed) > before + 100);
    });
}
