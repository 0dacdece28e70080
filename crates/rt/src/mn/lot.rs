//! Wait queues keyed by address: the coroutines' futex.
//!
//! Every lock that waits in the kernel by `futex` - std's, parking_lot's, crossbeam's - waits here
//! instead when it is taken on a coroutine. OS threads go on waiting in the kernel, on the same
//! words, so a wake-up looks in both places and counts both.
//!
//! # Protocol
//!
//! A waiter (coroutine) registers in the bucket's count, takes the bucket's lock, looks whether the
//! word still has the value it was called with, queues itself and releases the lock; a waker takes
//! the lock too. So either the waker finds the waiter, or the waiter finds the changed word.
//!
//! Looking costs the waker nothing when nobody waits: it fences and reads the two counts. The
//! waiter's count goes up, fenced, before it reads the word; the waker's change of the word comes,
//! fenced, before it reads the count. One of the two sees the other's.
//!
//! OS threads that wait through our hook are counted per bucket, with the kernel in the role of the
//! lock: it compares the word under a lock of its own.
//!
//! A node lies on the waiter's stack. It is unlinked under the lock, by the waker, or by the waiter
//! itself after a timeout; the waiter does not return before it is.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use lisle_core::Cause;
use lisle_sys::{Errno, futex};

use super::current;
use super::directed;
use super::section::RawSpin;
use super::signals;
use super::task::Task;
use super::wait::Wait;
use super::worker::{Alarm, Worker};

/// Buckets; with many more waiters than this the queues grow.
const BUCKETS: usize = 8192;

#[repr(align(64))]
struct Bucket {
    lock: RawSpin,
    /// Coroutines that wait in this bucket, or are about to look at their word.
    waiters: AtomicU32,
    /// OS threads that wait in the kernel for a word of this bucket.
    in_kernel: AtomicU32,
    queue: UnsafeCell<Queue>,
}

/// A doubly linked list of nodes, oldest first.
struct Queue {
    head: *mut Node,
    tail: *mut Node,
}

struct Node {
    address: usize,
    mask: u32,
    alarm: Alarm,
    queued: bool,
    next: *mut Node,
    prev: *mut Node,
}

// SAFETY: the queue and the nodes in it are touched under the lock alone.
unsafe impl Sync for Bucket {}

static LOT: [Bucket; BUCKETS] = [const {
    Bucket {
        lock: RawSpin::new(),
        waiters: AtomicU32::new(0),
        in_kernel: AtomicU32::new(0),
        queue: UnsafeCell::new(Queue { head: ptr::null_mut(), tail: ptr::null_mut() }),
    }
}; BUCKETS];

/// Matches every waiter.
pub const ANY: u32 = u32::MAX;

/// Empties the lot, in the child of a fork: who waits in it does not exist there.
pub(crate) fn forget_after_fork() {
    for bucket in &LOT {
        if bucket.lock.try_lock() {
            // SAFETY: locked just now.
            unsafe { bucket.lock.unlock() };
            if bucket.waiters.load(Ordering::Relaxed) == 0 {
                continue;
            }
        }
        // Whoever held the lock does not exist either.
        // SAFETY: the child has this one thread, so nobody else touches the queue.
        unsafe {
            *bucket.queue.get() = Queue { head: ptr::null_mut(), tail: ptr::null_mut() };
            bucket.lock.free();
        }
        bucket.waiters.store(0, Ordering::Relaxed);
        bucket.in_kernel.store(0, Ordering::Relaxed);
    }
}

fn bucket(address: usize) -> &'static Bucket {
    // Fibonacci hashing: words are at least four bytes apart.
    let hash = (address >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    &LOT[hash >> (64 - BUCKETS.trailing_zeros())]
}

/// Waits while `word` is `expected`, until a [`wake`] whose mask has a bit in common with `mask`,
/// at most until the deadline in nanoseconds of the monotonic clock.
///
/// Suspends the coroutine where it can be suspended, else blocks the OS thread.
///
/// # Errors
/// `EAGAIN` when the word has another value, `ETIMEDOUT`, `EINTR`.
pub fn wait(
    word: &AtomicU32,
    expected: u32,
    mask: u32,
    deadline: Option<u64>,
) -> Result<(), Errno> {
    loop {
        let Some((task, worker)) = current::suspendable() else {
            return counted_in_kernel(word.as_ptr(), || futex::wait(word, expected, deadline));
        };
        match wait_here((task, worker), word, expected, mask, deadline) {
            // As the kernel does if its handlers say so.
            Err(Errno::INTR) if !signals::interrupts(false) => {}
            result => return result,
        }
    }
}

/// As [`wait`], on a coroutine; `EINTR` if a signal came.
fn wait_here(
    (task, worker): (&'static Task, &'static Worker),
    word: &AtomicU32,
    expected: u32,
    mask: u32,
    deadline: Option<u64>,
) -> Result<(), Errno> {
    let bucket = bucket(word.as_ptr() as usize);
    let wait = Wait::arm(task, worker);
    let mut node = Node {
        address: word.as_ptr() as usize,
        mask,
        alarm: wait.alarm(),
        queued: true,
        next: ptr::null_mut(),
        prev: ptr::null_mut(),
    };
    let place = &raw mut node;
    bucket.waiters.fetch_add(1, Ordering::SeqCst);
    bucket.lock.lock();
    let unchanged = word.load(Ordering::SeqCst) == expected;
    if unchanged {
        // SAFETY: the lock is held, and the node stays in place until it is unlinked.
        unsafe { (*bucket.queue.get()).push(place) };
    }
    // SAFETY: locked above.
    unsafe { bucket.lock.unlock() };
    let cause = if unchanged {
        wait.suspend(deadline)
    } else {
        // Nobody has the ticket, so the wait cannot have ended.
        let _ = wait.disarm();
        Cause::NONE
    };
    // A waker has unlinked the node; nobody has after a timeout.
    if unchanged && cause != Cause::WAKE {
        bucket.lock.lock();
        // SAFETY: the lock is held; the node is in this queue if the flag says so.
        unsafe {
            if (*place).queued {
                (*bucket.queue.get()).remove(place);
            }
            bucket.lock.unlock();
        }
    }
    bucket.waiters.fetch_sub(1, Ordering::Relaxed);
    match cause {
        Cause::NONE => Err(Errno::AGAIN),
        Cause::TIMEOUT => Err(Errno::TIMEDOUT),
        directed::INTERRUPT => Err(Errno::INTR),
        _ => Ok(()),
    }
}

/// Runs a wait in the kernel for the word at `address`, such that [`wake`] knows of it.
pub fn counted_in_kernel<R>(address: *const u32, wait: impl FnOnce() -> R) -> R {
    let bucket = bucket(address as usize);
    bucket.in_kernel.fetch_add(1, Ordering::SeqCst);
    let result = wait();
    bucket.in_kernel.fetch_sub(1, Ordering::Relaxed);
    result
}

/// Whether anybody may wait for a word of the bucket of `address`, coroutines and OS threads.
/// False is certain; true may be about another word.
fn anybody(bucket: &Bucket) -> (bool, bool) {
    fence(Ordering::SeqCst);
    (bucket.waiters.load(Ordering::Relaxed) != 0, bucket.in_kernel.load(Ordering::Relaxed) != 0)
}

/// Wakes up to `count` waiters for the word at `address` whose mask has a bit in common with
/// `mask`, oldest first: coroutines, then OS threads through `in_kernel(rest)`, which is called if
/// there may be any and returns how many it woke. Returns how many there were.
pub fn wake(
    address: *const u32,
    count: usize,
    mask: u32,
    in_kernel: impl FnOnce(usize) -> usize,
) -> usize {
    let bucket = bucket(address as usize);
    let (coroutines, threads) = anybody(bucket);
    let woken = if coroutines { wake_coroutines(bucket, address as usize, count, mask) } else { 0 };
    if threads && woken < count { woken + in_kernel(count - woken) } else { woken }
}

fn wake_coroutines(bucket: &Bucket, address: usize, count: usize, mask: u32) -> usize {
    /// Woken under one hold of the lock.
    const BATCH: usize = 32;
    let mut woken = 0;
    while woken < count {
        let mut batch: [Option<Alarm>; BATCH] = [None; BATCH];
        let wanted = BATCH.min(count - woken);
        let mut found = 0;
        bucket.lock.lock();
        // SAFETY: the lock is held.
        let queue = unsafe { &mut *bucket.queue.get() };
        // SAFETY: as above; every node in the queue is alive.
        unsafe { queue.take(address, mask, &mut batch[..wanted], &mut found) };
        // SAFETY: locked above.
        unsafe { bucket.lock.unlock() };
        // A waiter whose deadline struck first does not count.
        woken += batch[..found].iter().flatten().filter(|a| a.wake(Cause::WAKE)).count();
        if found < wanted {
            break;
        }
    }
    woken
}

impl Queue {
    /// # Safety
    /// The bucket's lock is held; the node is in no queue and stays in place until unlinked.
    unsafe fn push(&mut self, node: *mut Node) {
        // SAFETY: the caller's obligation; the tail is alive since it is queued.
        unsafe {
            (*node).next = ptr::null_mut();
            (*node).prev = self.tail;
            match self.tail.as_mut() {
                Some(tail) => tail.next = node,
                None => self.head = node,
            }
            (*node).queued = true;
        }
        self.tail = node;
    }

    /// # Safety
    /// The bucket's lock is held; the node is in this queue.
    unsafe fn remove(&mut self, node: *mut Node) {
        // SAFETY: the caller's obligation; neighbours are alive since they are queued.
        unsafe {
            match (*node).prev.as_mut() {
                Some(prev) => prev.next = (*node).next,
                None => self.head = (*node).next,
            }
            match (*node).next.as_mut() {
                Some(next) => next.prev = (*node).prev,
                None => self.tail = (*node).prev,
            }
            (*node).queued = false;
        }
    }

    /// Unlinks matching nodes, oldest first, as many as `out` has room for.
    ///
    /// # Safety
    /// The bucket's lock is held.
    unsafe fn take(
        &mut self,
        address: usize,
        mask: u32,
        out: &mut [Option<Alarm>],
        found: &mut usize,
    ) {
        let mut node = self.head;
        // SAFETY: queued nodes are alive.
        while let Some(current) = unsafe { node.as_mut() } {
            if *found == out.len() {
                return;
            }
            let next = current.next;
            if current.address == address && current.mask & mask != 0 {
                out[*found] = Some(current.alarm);
                *found += 1;
                // SAFETY: it is in this queue. Its waiter may return as soon as it is woken, which
                // needs the lock or the alarm just copied.
                unsafe { self.remove(node) };
            }
            node = next;
        }
    }
}
