//! What libc and std keep per thread beside `thread_local!`: `errno`, keys, the panic count.

mod util;

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use util::{everywhere, mixed, yield_until};

fn errno() -> i32 {
    // SAFETY: the address of the calling thread's errno is valid to read.
    unsafe { *libc::__errno_location() }
}

fn set_errno(value: i32) {
    // SAFETY: the address of the calling thread's errno is valid to write.
    unsafe { *libc::__errno_location() = value };
}

#[test]
fn errno_is_the_coroutines() {
    everywhere(|| {
        mixed(50, |own| {
            let value = 1000 + own as i32;
            set_errno(value);
            for step in 0..100 {
                match step % 3 {
                    0 => lisle::yield_now(),
                    1 => thread::yield_now(),
                    _ => lisle::sleep(Duration::from_micros(10)),
                }
                assert_eq!(errno(), value, "after step {step}");
            }
        });
    });
}

#[test]
fn a_failed_call_is_seen_by_its_caller_only() {
    everywhere(|| {
        mixed(50, |own| {
            for _ in 0..50 {
                let (failed, expected) = match own / 2 % 2 {
                    // SAFETY: a descriptor that cannot be open.
                    0 => (unsafe { libc::close(-1) }, libc::EBADF),
                    // SAFETY: refused, since both descriptors are the same.
                    _ => (unsafe { libc::dup3(0, 0, 0) }, libc::EINVAL),
                };
                lisle::yield_now();
                assert_eq!((failed, errno()), (-1, expected));
            }
        });
    });
}

/// A key with a destructor that counts, by adding one to what the value points at.
fn counting_key() -> libc::pthread_key_t {
    extern "C" fn count(value: *mut libc::c_void) {
        // SAFETY: the tests below store pointers made by Arc::into_raw, each once.
        let counter = unsafe { Arc::from_raw(value.cast::<AtomicUsize>()) };
        counter.fetch_add(1, Ordering::Release);
    }
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: the key is written to a local variable.
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(count)) }, 0);
        key
    })
}

#[test]
fn pthread_keys_are_the_coroutines() {
    everywhere(|| {
        let key = counting_key();
        let counter = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&counter);
        mixed(200, move |_| {
            // SAFETY: the key exists.
            assert!(unsafe { libc::pthread_getspecific(key) }.is_null());
            let value = Arc::into_raw(Arc::clone(&theirs));
            // SAFETY: the key exists; its destructor takes the count over.
            assert_eq!(unsafe { libc::pthread_setspecific(key, value.cast()) }, 0);
            for _ in 0..20 {
                lisle::yield_now();
                // SAFETY: the key exists.
                assert_eq!(unsafe { libc::pthread_getspecific(key) }, value as *mut _);
            }
        });
        yield_until(|| counter.load(Ordering::Acquire) >= 200);
        assert_eq!(counter.load(Ordering::Acquire), 200);
    });
}

#[test]
fn a_key_set_by_a_destructor_is_destroyed_again() {
    /// Sets the key anew while more than one round is left to count.
    extern "C" fn count_down(value: *mut libc::c_void) {
        let key = *KEY.get().unwrap();
        ROUNDS.fetch_add(1, Ordering::Release);
        if value.addr() > 1 {
            let next = std::ptr::without_provenance(value.addr() - 1);
            // SAFETY: the key exists; its values are never dereferenced.
            unsafe { libc::pthread_setspecific(key, next) };
        }
    }
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    static ROUNDS: AtomicUsize = AtomicUsize::new(0);
    everywhere(|| {
        let key = *KEY.get_or_init(|| {
            let mut key = 0;
            // SAFETY: the key is written to a local variable.
            assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(count_down)) }, 0);
            key
        });
        let one = lisle::spawn(move || {
            // SAFETY: the key exists; its values are never dereferenced.
            unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(3)) };
        });
        one.join().unwrap();
        yield_until(|| ROUNDS.load(Ordering::Acquire) == 3);
        // Whoever comes next in its place has no value.
        // SAFETY: the key exists.
        let next = lisle::spawn(move || unsafe { libc::pthread_getspecific(key) }.is_null());
        assert!(next.join().unwrap());
    });
}

/// Suspends while it is dropped; tells whether the thread was panicking before and after.
struct SuspendOnDrop(Arc<AtomicUsize>);

impl Drop for SuspendOnDrop {
    fn drop(&mut self) {
        for step in 0..10 {
            let before = thread::panicking();
            if step % 2 == 0 {
                lisle::yield_now()
            } else {
                thread::sleep(Duration::from_micros(10))
            }
            // Counted, not asserted: a panic in here would end the process.
            self.0.fetch_add((before && thread::panicking()).into(), Ordering::Relaxed);
        }
    }
}

#[test]
fn the_panic_count_is_the_coroutines() {
    everywhere(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let watching = Arc::clone(&stop);
        let calm = lisle::spawn(move || {
            let mut looks = 0_u64;
            while !watching.load(Ordering::Relaxed) {
                assert!(!thread::panicking());
                lisle::yield_now();
                looks += 1;
            }
            looks
        });
        let seen = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&seen);
        mixed(20, move |_| {
            for _ in 0..3 {
                let caught = panic::catch_unwind(AssertUnwindSafe(|| {
                    let _suspends = SuspendOnDrop(Arc::clone(&theirs));
                    panic!("on purpose");
                }));
                assert!(caught.is_err() && !thread::panicking());
            }
        });
        assert_eq!(seen.load(Ordering::Relaxed), 20 * 3 * 10);
        stop.store(true, Ordering::Relaxed);
        assert!(calm.join().unwrap() > 0);
    });
}

#[test]
fn an_unwinding_coroutine_ends_after_suspending() {
    everywhere(|| {
        let seen = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..20)
            .map(|_| {
                let seen = Arc::clone(&seen);
                lisle::spawn(move || {
                    let _suspends = SuspendOnDrop(seen);
                    panic!("on purpose");
                })
            })
            .collect();
        assert!(all.into_iter().all(|one| one.join().is_err()));
        assert_eq!(seen.load(Ordering::Relaxed), 20 * 10);
    });
}

/// Panics and catches that while it is dropped, so that two panics are under way.
struct PanicOnDrop(Arc<AtomicUsize>);

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        let inner = panic::catch_unwind(|| {
            lisle::yield_now();
            panic!("on purpose, within");
        });
        let text = inner.unwrap_err();
        let right = text.downcast_ref() == Some(&"on purpose, within") && thread::panicking();
        self.0.fetch_add(right.into(), Ordering::Relaxed);
    }
}

#[test]
fn nested_panics_keep_their_payloads() {
    everywhere(|| {
        let right = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&right);
        mixed(20, move |_| {
            let outer = panic::catch_unwind(AssertUnwindSafe(|| {
                let _panics = PanicOnDrop(Arc::clone(&theirs));
                panic!("on purpose, outside");
            }));
            assert_eq!(outer.unwrap_err().downcast_ref(), Some(&"on purpose, outside"));
            assert!(!thread::panicking());
        });
        assert_eq!(right.load(Ordering::Relaxed), 20);
    });
}
