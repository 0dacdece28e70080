//! An allocator with two C mutexes, one inside of the other, as jemalloc has them. An OS thread
//! holds the inner one for a while, so a coroutine that allocates waits for it with the outer one
//! held, and its worker runs others. What the runtime does for those must not ask the allocator: it
//! would wait for a coroutine that its own worker is to run.

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use util::{on_workers, scaled};

struct Lock(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: made for sharing.
unsafe impl Sync for Lock {}

impl Lock {
    const fn new() -> Self {
        Lock(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER))
    }

    fn hold<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: a mutex that stays in place.
        unsafe {
            assert_eq!(libc::pthread_mutex_lock(self.0.get()), 0);
            let result = f();
            assert_eq!(libc::pthread_mutex_unlock(self.0.get()), 0);
            result
        }
    }
}

static OUTER: Lock = Lock::new();
static INNER: Lock = Lock::new();
/// How often both were held.
static BOTH: AtomicUsize = AtomicUsize::new(0);

struct Nested;

fn nested<R>(f: impl FnOnce() -> R) -> R {
    OUTER.hold(|| {
        INNER.hold(|| {
            BOTH.fetch_add(1, Ordering::Relaxed);
            f()
        })
    })
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Nested {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligation.
        nested(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligation.
        nested(|| unsafe { System.dealloc(place, layout) });
    }
}

#[global_allocator]
static ALLOCATOR: Nested = Nested;

#[test]
fn nested_locks_of_an_allocator() {
    on_workers(|| {
        let over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&over);
        let holder = std::thread::spawn(move || {
            while !theirs.load(Ordering::Relaxed) {
                INNER.hold(|| std::thread::sleep(Duration::from_millis(3)));
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        let count = scaled(600, 60);
        let sleepers: Vec<_> = (0..count)
            .map(|own| {
                lisle::spawn(move || {
                    for round in 0..3 {
                        // More deadlines at the same time than ever before.
                        lisle::sleep(Duration::from_millis(100 + own as u64 % 40));
                        if own % 20 == 0 {
                            drop(vec![own; 1 + round]);
                        }
                        if own % 50 == 0 {
                            // All at once want a carrier.
                            lisle::blocking(|| std::thread::sleep(Duration::from_millis(20)));
                        }
                    }
                })
            })
            .collect();
        sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
        over.store(true, Ordering::Relaxed);
        holder.join().unwrap();
        assert!(BOTH.load(Ordering::Relaxed) > count);
    });
}
