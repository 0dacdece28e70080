//! Coroutines that wait in the kernel where no hook sees it: their worker's work goes on elsewhere.

mod util;

use std::arch::asm;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use util::{LIMIT, child, is_child, spawn_running, test_name, threads, within};

/// Runs `body` as a coroutine in child processes: with one worker and with eight, with either way
/// of waiting.
fn everywhere<F: FnOnce() + Send + 'static>(body: F) {
    let test = test_name::<F>();
    if is_child() {
        return within(&test, LIMIT, || {
            lisle::Builder::new().stack_size(1 << 20).spawn(body).unwrap().join().unwrap();
        });
    }
    for workers in ["1", "8"] {
        for poller in ["uring", "epoll"] {
            let settings = [("LISLE_WORKERS", workers), ("LISLE_POLLER", poller)];
            child(&test, &settings).expect_success();
        }
    }
}

/// Reads by an instruction that no symbol shows.
fn inline_read(fd: i32, place: &mut [u8]) -> isize {
    let result: isize;
    // SAFETY: a system call on a live buffer.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") libc::SYS_read => result,
            in("rdi") fd as isize,
            in("rsi") place.as_mut_ptr(),
            in("rdx") place.len(),
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// A pair of connected sockets that nothing but the test uses.
fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

/// A coroutine that waits in the kernel for a byte from the other end.
fn stuck(end: UnixStream) -> lisle::JoinHandle<u8> {
    lisle::spawn(move || {
        let mut byte = [0];
        assert_eq!(inline_read(end.as_raw_fd(), &mut byte), 1);
        byte[0]
    })
}

/// More than any hand-off takes on a busy machine, and less than anybody would put up with.
const BOUND: Duration = Duration::from_secs(5);

#[test]
fn others_go_on_while_one_is_stuck() {
    everywhere(|| {
        let (ours, theirs) = pair();
        let stuck = stuck(theirs);
        let ended = Arc::new(AtomicUsize::new(0));
        let others: Vec<_> = (0..100)
            .map(|number| {
                let ended = Arc::clone(&ended);
                lisle::spawn(move || {
                    for _ in 0..number % 5 {
                        lisle::yield_now();
                    }
                    lisle::sleep(Duration::from_millis(1 + number % 7));
                    ended.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        // Those were queued behind the one that is stuck.
        let begin = Instant::now();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(begin.elapsed() < BOUND, "took {:?}", begin.elapsed());
        assert_eq!(ended.load(Ordering::Relaxed), 100);
        assert!(!stuck.is_finished());
        (&ours).write_all(&[7]).unwrap();
        assert_eq!(stuck.join().unwrap(), 7);
    });
}

#[test]
fn what_the_stuck_worker_was_to_wake_is_woken() {
    everywhere(|| {
        // An alarm and a request of the worker that will be stuck.
        let sleeper = spawn_running(|| {
            let begin = Instant::now();
            lisle::sleep(Duration::from_millis(30));
            begin.elapsed()
        });
        let (mut near, mut far) = pair();
        let reader = spawn_running(move || {
            let mut byte = [0];
            far.read_exact(&mut byte).unwrap();
            (byte[0], Instant::now())
        });
        let (ours, theirs) = pair();
        let stuck = stuck(theirs);
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            near.write_all(&[3]).unwrap();
            Instant::now()
        });
        lisle::yield_now();
        assert!(sleeper.join().unwrap() < BOUND);
        let (byte, read) = reader.join().unwrap();
        assert_eq!(byte, 3);
        assert!(read - writer.join().unwrap() < BOUND);
        (&ours).write_all(&[9]).unwrap();
        assert_eq!(stuck.join().unwrap(), 9);
    });
}

#[test]
fn many_are_stuck_in_turn() {
    everywhere(|| {
        let over = Arc::new(AtomicBool::new(false));
        let (turns, theirs) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&over));
        let counted = Arc::clone(&turns);
        let witness = lisle::spawn(move || {
            while !theirs.load(Ordering::Relaxed) {
                counted.fetch_add(1, Ordering::Relaxed);
                lisle::sleep(Duration::from_millis(1));
            }
        });
        for round in 0..40 {
            let (ours, theirs) = pair();
            let waits = stuck(theirs);
            let before = turns.load(Ordering::Relaxed);
            let begin = Instant::now();
            // The next round may find the worker of the last one still counted as stuck.
            while turns.load(Ordering::Relaxed) < before + 3 {
                assert!(begin.elapsed() < BOUND, "round {round}");
                lisle::sleep(Duration::from_micros(200));
            }
            (&ours).write_all(&[round]).unwrap();
            assert_eq!(waits.join().unwrap(), round);
        }
        over.store(true, Ordering::Relaxed);
        witness.join().unwrap();
    });
}

#[test]
fn several_are_stuck_at_once() {
    everywhere(|| {
        // As many as there are substitutes beside one worker, less one to go on with.
        let (ends, all): (Vec<_>, Vec<_>) = (0..4)
            .map(|_| {
                let (ours, theirs) = pair();
                (ours, stuck(theirs))
            })
            .unzip();
        let counters: Vec<_> = (0..20)
            .map(|own| {
                lisle::spawn(move || {
                    (0..50).for_each(|_| lisle::yield_now());
                    lisle::sleep(Duration::from_millis(own % 3));
                })
            })
            .collect();
        let begin = Instant::now();
        counters.into_iter().for_each(|one| one.join().unwrap());
        assert!(begin.elapsed() < BOUND, "took {:?}", begin.elapsed());
        for (number, (end, one)) in ends.into_iter().zip(all).enumerate() {
            assert!(!one.is_finished());
            (&end).write_all(&[number as u8]).unwrap();
            assert_eq!(one.join().unwrap(), number as u8);
        }
    });
}

/// A page that is there when somebody has filled it: `userfaultfd(2)`.
mod lazy {
    /// `UFFDIO` requests and what they name, as in `linux/userfaultfd.h`.
    const API: libc::c_ulong = 0xc018_aa3f;
    const REGISTER: libc::c_ulong = 0xc020_aa00;
    const COPY: libc::c_ulong = 0xc028_aa03;
    const MISSING: u64 = 1;
    const PAGE: usize = 4096;

    pub(super) struct Lazy {
        fd: i32,
        page: *mut u8,
    }

    // SAFETY: a descriptor and an address.
    unsafe impl Send for Lazy {}
    // SAFETY: as above.
    unsafe impl Sync for Lazy {}

    impl Lazy {
        /// None if this process may not have one.
        pub(super) fn new() -> Option<Self> {
            // SAFETY: a fresh mapping; plain calls on live places.
            unsafe {
                let fd = libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) as i32;
                if fd < 0 {
                    return None;
                }
                let rights = libc::PROT_READ | libc::PROT_WRITE;
                let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                let page = libc::mmap(std::ptr::null_mut(), PAGE, rights, kind, -1, 0);
                let mut api = [0xaa_u64, 0, 0];
                let mut range = [page as u64, PAGE as u64, MISSING, 0];
                let ready = libc::ioctl(fd, API, api.as_mut_ptr()) == 0
                    && libc::ioctl(fd, REGISTER, range.as_mut_ptr()) == 0;
                ready.then_some(Lazy { fd, page: page.cast() })
            }
        }

        /// Waits until the page is there.
        pub(super) fn touch(&self) -> u8 {
            // SAFETY: mapped for good.
            unsafe { self.page.read_volatile() }
        }

        pub(super) fn fill(&self, with: u8) {
            let bytes = [with; PAGE];
            let mut copy = [self.page as u64, bytes.as_ptr() as u64, PAGE as u64, 0, 0];
            // SAFETY: a live source of a page's size.
            assert_eq!(unsafe { libc::ioctl(self.fd, COPY, copy.as_mut_ptr()) }, 0);
        }
    }
}

#[test]
fn others_go_on_while_a_page_is_fetched() {
    everywhere(|| {
        let Some(lazy) = lazy::Lazy::new() else {
            println!("skipped: userfaultfd is not allowed here");
            return;
        };
        let lazy = Arc::new(lazy);
        let theirs = Arc::clone(&lazy);
        let waits = lisle::spawn(move || theirs.touch());
        let begin = Instant::now();
        let others: Vec<_> =
            (0..10).map(|_| lisle::spawn(|| lisle::sleep(Duration::from_millis(5)))).collect();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(begin.elapsed() < BOUND);
        assert!(!waits.is_finished());
        lazy.fill(42);
        assert_eq!(waits.join().unwrap(), 42);
    });
}

/// Processor time of this process.
fn used() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live place.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn afterwards_nothing_runs() {
    everywhere(|| {
        let (ours, theirs) = pair();
        let waits = stuck(theirs);
        lisle::spawn(|| lisle::sleep(Duration::from_millis(20))).join().unwrap();
        (&ours).write_all(&[1]).unwrap();
        waits.join().unwrap();
        // The monitor looks for a while before it sleeps.
        lisle::sleep(Duration::from_millis(600));
        let (mut quiet, _other) = pair();
        quiet.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let before = used();
        assert!(quiet.read(&mut [0]).is_err());
        let took = used() - before;
        assert!(took < Duration::from_millis(20), "{took:?} of processor time in half a second");
    });
}

#[test]
fn a_single_worker_is_itself_again() {
    // A coroutine that is preempted is inside as well.
    let settings = [("LISLE_WORKERS", "1"), ("LISLE_SLICE", "off")];
    let ended = util::in_child(&settings, || {
        if threads() {
            return;
        }
        let (ours, theirs) = pair();
        let waits = stuck(theirs);
        lisle::spawn(|| lisle::sleep(Duration::from_millis(20))).join().unwrap();
        (&ours).write_all(&[1]).unwrap();
        waits.join().unwrap();
        lisle::sleep(Duration::from_millis(100));
        // As many run at the same time as there are workers, at most; one yields among many.
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let crowd: Vec<_> = (0..64)
            .map(|_| {
                let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
                lisle::spawn(move || {
                    for _ in 0..200 {
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::hint::black_box((0..2000_u32).fold(0, |a, b| a ^ b));
                        inside.fetch_sub(1, Ordering::SeqCst);
                        lisle::yield_now();
                    }
                })
            })
            .collect();
        crowd.into_iter().for_each(|one| one.join().unwrap());
        assert!(most.load(Ordering::SeqCst) <= lisle::runtime::workers());
    });
    ended.expect_return();
}
