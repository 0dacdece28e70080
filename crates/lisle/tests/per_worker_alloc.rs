//! [`lisle::PerWorkerAlloc`]: caches of OS threads instead of coroutines.

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use lisle::PerWorkerAlloc;
use util::{on_workers, scaled, threads};

/// Counts for whom it makes a cache, as it would.
struct Caching;

thread_local! {
    static HAS_CACHE: Cell<bool> = const { Cell::new(false) };
    static OWN: Cell<u8> = const { Cell::new(0) };
}

/// How many caches there are.
static CACHES: AtomicUsize = AtomicUsize::new(0);
/// Whether the allocator is at work, on whatever thread, and how often that was within itself.
static DEPTH: AtomicUsize = AtomicUsize::new(0);

fn note() {
    if !HAS_CACHE.replace(true) {
        CACHES.fetch_add(1, Ordering::Relaxed);
    }
    DEPTH.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the calling thread's own; allocators may leave anything there.
    unsafe { *libc::__errno_location() = libc::ENOMEM };
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Caching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's obligation.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        note();
        // SAFETY: the caller's obligation.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: PerWorkerAlloc<Caching> = PerWorkerAlloc::new(Caching);

fn os_threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn caches_are_those_of_os_threads() {
    on_workers(|| {
        let count = scaled(2000, 50);
        let (to, from) = mpsc::channel::<Vec<usize>>();
        let freer = lisle::spawn(move || from.into_iter().map(|some| some.len()).sum::<usize>());
        let all: Vec<_> = (0..count)
            .map(|own| {
                let to = to.clone();
                lisle::spawn(move || {
                    // Its own thread-locals are its own as before.
                    OWN.set(own as u8);
                    for round in 0..10 {
                        let some = vec![own; 1 + (own + round) % 100];
                        lisle::yield_now();
                        to.send(some).unwrap();
                        if (own + round) % 50 == 0 {
                            lisle::blocking(|| drop(vec![0_u8; 100]));
                        }
                    }
                    assert_eq!(OWN.get(), own as u8);
                })
            })
            .collect();
        drop(to);
        all.into_iter().for_each(|one| one.join().unwrap());
        let sum: usize = (0..count).flat_map(|own| (0..10).map(move |r| 1 + (own + r) % 100)).sum();
        assert_eq!(freer.join().unwrap(), sum);
        let caches = CACHES.load(Ordering::Relaxed);
        // Spare carriers come and go.
        if !threads() {
            assert!(caches < os_threads() + 200, "{caches} caches for {count} coroutines");
        }
    });
}

#[test]
fn errno_is_the_coroutines_own() {
    on_workers(|| {
        lisle::spawn(|| {
            // SAFETY: the running thread's own.
            let errno = unsafe { &mut *libc::__errno_location() };
            *errno = 7;
            drop(std::hint::black_box(Box::new(5)));
            if !threads() {
                assert_eq!(*errno, 7);
            }
        })
        .join()
        .unwrap();
    });
}

/// Where handlers found the thread-local, if not where the coroutine has it.
static ELSEWHERE: AtomicUsize = AtomicUsize::new(0);
static STRUCK: AtomicUsize = AtomicUsize::new(0);
static EXPECTED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn strike(_: i32) {
    STRUCK.fetch_add(1, Ordering::Relaxed);
    let here = OWN.with(|own| std::ptr::from_ref(own) as usize);
    if here != EXPECTED.load(Ordering::Relaxed) {
        ELSEWHERE.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn handlers_run_on_the_coroutine_in_the_midst_of_allocations() {
    on_workers(|| {
        // SAFETY: a handler that stores words.
        unsafe { libc::signal(libc::SIGUSR1, strike as *const () as libc::sighandler_t) };
        let thread = Arc::new(AtomicI64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let (theirs, ended) = (Arc::clone(&thread), Arc::clone(&over));
        let target = lisle::spawn(move || {
            let _pin = lisle::pin_to_os_thread();
            EXPECTED.store(OWN.with(|own| std::ptr::from_ref(own) as usize), Ordering::Relaxed);
            // SAFETY: no arguments.
            theirs.store(unsafe { libc::syscall(libc::SYS_gettid) }, Ordering::Release);
            let mut kept = HashSet::new();
            for number in 0_u64.. {
                kept.insert(number);
                drop(std::hint::black_box(vec![number; 3]));
                if number % 100 == 0 {
                    kept = HashSet::new();
                    if ended.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }
        });
        while thread.load(Ordering::Acquire) == 0 {
            lisle::sleep(Duration::from_millis(1));
        }
        // Those that are pending already are not sent again.
        while STRUCK.load(Ordering::Relaxed) < 1000 {
            let (own, at) = (std::process::id() as i64, thread.load(Ordering::Acquire));
            // SAFETY: a signal to a thread of this process.
            unsafe { libc::syscall(libc::SYS_tgkill, own, at, libc::SIGUSR1) };
            lisle::sleep(Duration::from_micros(20));
        }
        over.store(true, Ordering::Relaxed);
        target.join().unwrap();
        assert_eq!(ELSEWHERE.load(Ordering::Relaxed), 0);
    });
}
