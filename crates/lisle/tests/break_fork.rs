//! C's locks in the child of a fork: those that had waiters in the parent, who do not exist there.
//!
//! A waiter leaves a trace in the object or beside it. The child must be able to go on with objects
//! that its only thread had locked, and with those that it initialises anew, as is usual.

mod util;

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use util::c_locks::{Condition, Mutex, ReadWrite, Trait, condition, mutex, read_write};
use util::{Actor, in_child, yield_until};

/// Forks; the child ends with what `body` returns, or by a signal after ten seconds.
fn forked(body: impl FnOnce() -> c_int) -> String {
    // SAFETY: the child goes on with this thread alone; a live place.
    unsafe {
        let pid = libc::fork();
        assert!(pid >= 0, "{}", std::io::Error::last_os_error());
        if pid == 0 {
            libc::alarm(10);
            libc::_exit(body());
        }
        let mut status = 0;
        while libc::waitpid(pid, &raw mut status, 0) != pid {}
        format!("{status:#x}")
    }
}

/// A wait and who waits: coroutines and OS threads by turns.
fn waiting<F: Fn() + Clone + Send + 'static>(count: usize, wait: F) -> Vec<Actor<()>> {
    let start = |number| {
        let wait = wait.clone();
        Actor::spawn(number, wait)
    };
    (0..count).map(start).collect()
}

/// Until those that were started a moment ago sleep: nothing tells.
fn let_them_wait() {
    thread::sleep(Duration::from_millis(50));
}

fn lock(mutex: &Mutex) {
    // SAFETY: a live mutex.
    assert_eq!(unsafe { libc::pthread_mutex_lock(mutex.get()) }, 0);
}

fn unlock(mutex: &Mutex) {
    // SAFETY: as above.
    assert_eq!(unsafe { libc::pthread_mutex_unlock(mutex.get()) }, 0);
}

struct Signalled {
    mutex: Box<Mutex>,
    condition: Box<Condition>,
    waiting: AtomicU32,
    told: AtomicU32,
}

impl Signalled {
    fn wait(&self) {
        lock(&self.mutex);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        while self.told.load(Ordering::Relaxed) == 0 {
            // SAFETY: live objects; the mutex is held.
            unsafe { libc::pthread_cond_wait(self.condition.get(), self.mutex.get()) };
        }
        self.told.fetch_sub(1, Ordering::Relaxed);
        unlock(&self.mutex);
    }

    fn tell(&self, count: u32) {
        lock(&self.mutex);
        self.told.fetch_add(count, Ordering::Relaxed);
        for _ in 0..count {
            // SAFETY: a live condition.
            unsafe { libc::pthread_cond_signal(self.condition.get()) };
        }
        unlock(&self.mutex);
    }

    fn until_waiting(&self, count: u32) {
        yield_until(|| {
            lock(&self.mutex);
            let waiting = self.waiting.load(Ordering::Relaxed);
            unlock(&self.mutex);
            waiting == count
        });
    }
}

/// The child makes the condition anew, and has an OS thread of its own wait for it.
fn condition_made_anew(own: &Signalled) -> c_int {
    own.waiting.store(0, Ordering::Relaxed);
    // SAFETY: places for them, which nobody uses.
    unsafe {
        libc::pthread_cond_init(own.condition.get(), std::ptr::null());
        libc::pthread_mutex_init(own.mutex.get(), std::ptr::null());
    }
    thread::scope(|scope| {
        let waiter = scope.spawn(|| own.wait());
        own.until_waiting(1);
        own.tell(1);
        waiter.join().unwrap();
    });
    7
}

fn conditions(waiters: fn(usize, Arc<Signalled>) -> Vec<Actor<()>>) {
    let shared = Arc::new(Signalled {
        mutex: mutex(libc::PTHREAD_MUTEX_NORMAL, Trait::None),
        condition: condition(libc::CLOCK_REALTIME, 0),
        waiting: AtomicU32::new(0),
        told: AtomicU32::new(0),
    });
    let actors = waiters(6, Arc::clone(&shared));
    shared.until_waiting(6);
    for _ in 0..3 {
        assert_eq!(forked(|| condition_made_anew(&shared)), "0x700");
    }
    shared.tell(6);
    actors.into_iter().for_each(Actor::join);
}

/// There is no runtime, so nobody but the locks themselves can know of the fork.
#[test]
fn a_condition_made_anew_before_the_runtime_starts() {
    let ended = in_child(&[], || {
        conditions(|count, shared| {
            let threads = (0..count).map(|_| {
                let shared = Arc::clone(&shared);
                Actor::Thread(thread::spawn(move || shared.wait()))
            });
            threads.collect()
        });
    });
    ended.expect_return();
}

#[test]
fn a_condition_made_anew() {
    let ended = in_child(&[], || {
        let both = || conditions(|count, shared| waiting(count, move || shared.wait()));
        both();
        lisle::Builder::new().stack_size(1 << 20).spawn(both).unwrap().join().unwrap();
    });
    ended.expect_return();
}

/// The forking thread has the lock, and readers and writers wait for it.
fn read_write_lock_that_is_held(kind: c_int, writes: bool) {
    let shared = Arc::new(read_write(kind, 0));
    let take = |lock: &ReadWrite, writes| {
        // SAFETY: a live lock.
        let result = unsafe {
            if writes {
                libc::pthread_rwlock_wrlock(lock.get())
            } else {
                libc::pthread_rwlock_rdlock(lock.get())
            }
        };
        assert_eq!(result, 0);
    };
    // SAFETY: a live lock.
    let give = |lock: &ReadWrite| assert_eq!(unsafe { libc::pthread_rwlock_unlock(lock.get()) }, 0);
    take(&shared, writes);
    let others: Vec<_> = (0..4)
        .flat_map(|number| {
            let shared = Arc::clone(&shared);
            waiting(2, move || {
                take(&shared, number % 2 == 0);
                give(&shared);
            })
        })
        .collect();
    let_them_wait();
    let child = || {
        give(&shared);
        for writes in [false, true, false, true] {
            take(&shared, writes);
            give(&shared);
        }
        7
    };
    assert_eq!(forked(child), "0x700", "kind {kind}, held for writing: {writes}");
    give(&shared);
    others.into_iter().for_each(Actor::join);
}

#[test]
fn a_read_write_lock_that_is_held() {
    let ended = in_child(&[], || {
        let all = || {
            for (kind, writes) in [(0, true), (0, false), (2, true), (2, false)] {
                read_write_lock_that_is_held(kind, writes);
            }
        };
        all();
        lisle::Builder::new().stack_size(1 << 20).spawn(all).unwrap().join().unwrap();
    });
    ended.expect_return();
}

/// The mutex of the handlers below.
static GUARD: AtomicPtr<libc::pthread_mutex_t> = AtomicPtr::new(std::ptr::null_mut());

/// As libraries do it: they take their lock before a fork and give it back after it, in parent and
/// child. The handlers run before those of the runtime, which starts later than the library.
#[test]
fn handlers_of_forks_give_back_a_mutex_with_waiters() {
    extern "C" fn before() {
        // SAFETY: a live mutex.
        assert_eq!(unsafe { libc::pthread_mutex_lock(GUARD.load(Ordering::Relaxed)) }, 0);
        // Others come to wait for it.
        thread::sleep(Duration::from_millis(10));
    }
    extern "C" fn after() {
        // SAFETY: as above.
        assert_eq!(unsafe { libc::pthread_mutex_unlock(GUARD.load(Ordering::Relaxed)) }, 0);
    }
    let ended = in_child(&[("LISLE_WORKERS", "2")], || {
        let shared = Arc::new(mutex(libc::PTHREAD_MUTEX_NORMAL, Trait::None));
        GUARD.store(shared.get(), Ordering::Relaxed);
        // SAFETY: handlers that lock and unlock.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
        let stop = Arc::new(AtomicU32::new(0));
        let (theirs, their_stop) = (Arc::clone(&shared), Arc::clone(&stop));
        let others = waiting(8, move || {
            while their_stop.load(Ordering::Relaxed) == 0 {
                lock(&theirs);
                lisle::yield_now();
                unlock(&theirs);
                thread::sleep(Duration::from_millis(1));
            }
        });
        let child = || {
            lock(&shared);
            unlock(&shared);
            7
        };
        for _ in 0..5 {
            assert_eq!(forked(child), "0x700");
        }
        lisle::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let child = || {
                    lock(&shared);
                    unlock(&shared);
                    7
                };
                for _ in 0..5 {
                    assert_eq!(forked(child), "0x700");
                }
            }
        })
        .join()
        .unwrap();
        stop.store(1, Ordering::Relaxed);
        others.into_iter().for_each(Actor::join);
    });
    ended.expect_return();
}

/// A child that runs no handlers of forks gives back a mutex for which others of the parent wait.
#[test]
fn a_fork_that_the_c_library_does_not_see() {
    let ended = in_child(&[], || {
        let all = || {
            let shared = Arc::new(mutex(libc::PTHREAD_MUTEX_NORMAL, Trait::None));
            lock(&shared);
            let theirs = Arc::clone(&shared);
            let others = waiting(6, move || {
                lock(&theirs);
                unlock(&theirs);
            });
            let_them_wait();
            // SAFETY: the child goes on with this thread alone, and ends; a live place.
            unsafe {
                let pid = libc::syscall(libc::SYS_fork) as libc::pid_t;
                assert!(pid >= 0);
                if pid == 0 {
                    libc::alarm(10);
                    for _ in 0..3 {
                        unlock(&shared);
                        lock(&shared);
                    }
                    libc::_exit(7);
                }
                let mut status = 0;
                while libc::waitpid(pid, &raw mut status, 0) != pid {}
                assert_eq!(status, 0x700);
            }
            unlock(&shared);
            others.into_iter().for_each(Actor::join);
        };
        all();
        lisle::Builder::new().stack_size(1 << 20).spawn(all).unwrap().join().unwrap();
    });
    ended.expect_return();
}

unsafe extern "C" {
    fn flockfile(stream: *mut libc::FILE);
    fn funlockfile(stream: *mut libc::FILE);
}

/// Takes a stream's lock, tells so, and gives it back when `f` returns.
fn with_stream(stream: usize, f: impl FnOnce()) {
    let stream = std::ptr::with_exposed_provenance_mut(stream);
    // SAFETY: an open stream.
    unsafe {
        flockfile(stream);
        f();
        funlockfile(stream);
    }
}

/// One coroutine of the parent waits for a stream on a spare carrier, which others would have to
/// wait for; the C library makes the lock itself free in the child.
#[test]
fn a_stream_that_the_parent_waits_for() {
    let ended = in_child(&[], || {
        // SAFETY: a stream of the test's own.
        let stream = unsafe { libc::tmpfile() }.expose_provenance();
        let (held, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (is_held, is_done) = (Arc::clone(&held), Arc::clone(&done));
        let holder = thread::spawn(move || {
            with_stream(stream, || {
                is_held.store(1, Ordering::Release);
                while is_done.load(Ordering::Acquire) == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            });
        });
        yield_until(|| held.load(Ordering::Acquire) == 1);
        let waiter = lisle::spawn(move || with_stream(stream, || ()));
        let_them_wait();
        let status = forked(|| {
            let taken = Arc::new(AtomicU32::new(0));
            let is_taken = Arc::clone(&taken);
            let first = lisle::spawn(move || {
                with_stream(stream, || {
                    is_taken.store(1, Ordering::Release);
                    lisle::sleep(Duration::from_millis(50));
                });
            });
            yield_until(|| taken.load(Ordering::Acquire) == 1);
            let second = lisle::spawn(move || with_stream(stream, || ()));
            first.join().unwrap();
            second.join().unwrap();
            7
        });
        assert_eq!(status, "0x700");
        done.store(1, Ordering::Release);
        holder.join().unwrap();
        waiter.join().unwrap();
    });
    ended.expect_return();
}
