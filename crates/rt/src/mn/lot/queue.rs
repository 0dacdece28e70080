//! Who waits for what: a hash table of queues, and taking waiters out of them.
//!
//! A node lies on its waiter's stack, and is in its bucket's queue until a waker takes it out, or
//! its waiter itself, both under the bucket's lock. Being taken out by a waker is being woken: a
//! coroutine whose deadline strikes meanwhile looks under the lock whether it is still queued, and
//! has been woken if it is not. So no wake-up is lost on somebody who gives up, and the number of
//! those woken is exact. Making them run, which takes time, comes after the lock.

use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering, fence};

use lisle_core::{Cause, List, Woken};
use lisle_sys::futex;

use super::generation;
use crate::mn::section::RawSpin;
use crate::mn::task::Task;
use crate::mn::wait::make_ready;
use crate::mn::worker::Alarm;

/// Buckets; with many more waiters than this the queues grow.
const BUCKETS: usize = 8192;

#[repr(align(64))]
pub(super) struct Bucket {
    lock: RawSpin,
    /// Nodes of this bucket, and coroutines that are about to look at their word.
    pub(super) waiters: AtomicU32,
    /// OS threads that wait in the kernel for a word of this bucket.
    pub(super) in_kernel: AtomicU32,
    queue: UnsafeCell<Queue>,
}

/// A doubly linked list of nodes, oldest first.
struct Queue {
    head: *mut Node,
    tail: *mut Node,
}

/// One that waits.
pub(super) struct Node {
    address: usize,
    mask: u32,
    pub(super) sleeper: Sleeper,
    queued: bool,
    next: *mut Node,
    prev: *mut Node,
}

/// How to wake it.
#[derive(Clone, Copy)]
pub(super) enum Sleeper {
    Coroutine(Alarm),
    /// An OS thread sleeps while this word is 0. It does not return before the word is 1.
    Thread(*const AtomicU32),
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

/// The bucket of the words at and around `address`.
pub(super) fn bucket(address: usize) -> &'static Bucket {
    // Fibonacci hashing: words are at least four bytes apart.
    let hash = (address >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    &LOT[hash >> (64 - BUCKETS.trailing_zeros())]
}

/// Empties the lot, in the child of a fork: who waits in it does not exist there.
pub(super) fn forget_all() {
    for bucket in &LOT {
        if bucket.lock.try_lock() {
            // SAFETY: locked just now.
            unsafe { bucket.lock.unlock() };
            if bucket.waiters.load(Ordering::Relaxed) == 0 {
                continue;
            }
        }
        // Whoever held the lock does not exist either.
        // SAFETY: nobody else touches a queue before this is done.
        unsafe {
            *bucket.queue.get() = Queue { head: ptr::null_mut(), tail: ptr::null_mut() };
            bucket.lock.free();
        }
        bucket.waiters.store(0, Ordering::Relaxed);
        bucket.in_kernel.store(0, Ordering::Relaxed);
    }
}

impl Bucket {
    /// Whether there may be nodes, and OS threads in the kernel. False is certain; true may be
    /// about another word.
    pub(super) fn anybody(&self) -> (bool, bool) {
        fence(Ordering::SeqCst);
        (self.waiters.load(Ordering::Relaxed) != 0, self.in_kernel.load(Ordering::Relaxed) != 0)
    }

    /// Runs `f` with the waiters for `address` under the lock, then makes those run that it woke.
    pub(super) fn with<R>(&self, address: usize, f: impl FnOnce(&mut Waiters<'_>) -> R) -> R {
        generation::check();
        self.lock.lock();
        // SAFETY: the lock is held until `waiters` has been taken apart.
        let queue = unsafe { &mut *self.queue.get() };
        let mut waiters =
            Waiters { queue, address, coroutines: List::new(), threads: ptr::null_mut() };
        let result = f(&mut waiters);
        let Waiters { mut coroutines, threads, .. } = waiters;
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        while let Some(task) = coroutines.pop() {
            // SAFETY: headers are never freed, and it was this waker that ended the wait.
            make_ready(unsafe { task.as_ref() });
        }
        wake_threads(threads);
        result
    }
}

/// Wakes the OS threads of the nodes linked from `node`.
fn wake_threads(mut node: *mut Node) {
    // SAFETY: the thread of a node waits until its word is 1, so that the node is there until then.
    while let Some(woken) = unsafe { node.as_ref() } {
        node = woken.next;
        if let Sleeper::Thread(word) = woken.sleeper {
            // SAFETY: as above.
            unsafe { &*word }.store(1, Ordering::Release);
            // The word may be gone by now.
            futex::wake_at(word.cast(), 1);
        }
    }
}

/// The waiters for one address, while the bucket is locked.
pub struct Waiters<'a> {
    queue: &'a mut Queue,
    address: usize,
    /// Coroutines that were woken and are to be made ready.
    coroutines: List<Task>,
    /// Nodes of OS threads that were woken, linked by `next`.
    threads: *mut Node,
}

impl Waiters<'_> {
    /// Wakes up to `count` waiters whose mask has a bit in common with `mask`, oldest first;
    /// returns how many there were.
    pub fn wake(&mut self, mask: u32, count: usize) -> usize {
        let (mut woken, mut node) = (0, self.queue.head);
        // SAFETY: queued nodes are alive.
        while let Some(waiter) = unsafe { node.as_mut() } {
            if woken == count {
                break;
            }
            let next = waiter.next;
            if waiter.address == self.address && waiter.mask & mask != 0 {
                self.end(waiter);
                woken += 1;
            }
            node = next;
        }
        woken
    }

    /// Ends one waiter's wait.
    fn end(&mut self, node: &mut Node) {
        let place = ptr::from_mut(node);
        // Taken out first, because a waiter that has not left its stack yet goes on as soon as its
        // wait is over, without the lock.
        // SAFETY: in this queue; the lock is held.
        unsafe { self.queue.remove(place) };
        match node.sleeper {
            Sleeper::Coroutine(Alarm { task, ticket }) => {
                match task.wait.wake(ticket, Cause::WAKE) {
                    // SAFETY: we alone own it now, so it is in no other list.
                    Woken::Owner => unsafe { self.coroutines.push(NonNull::from(task)) },
                    // Lost: its deadline has struck. It finds itself taken out.
                    Woken::Early | Woken::Lost => {}
                }
            }
            Sleeper::Thread(_) => {
                // The thread leaves the node alone until its word is 1.
                node.next = self.threads;
                self.threads = place;
            }
        }
    }

    /// Queues a node for this address.
    ///
    /// # Safety
    /// The node is in no queue and stays in place until [`withdraw`](Self::withdraw) has said that
    /// it is in none.
    pub(super) unsafe fn enter(&mut self, node: NonNull<Node>) {
        // SAFETY: the caller's obligation.
        unsafe { self.queue.push(node.as_ptr()) };
    }

    /// Whether a node is still queued: if not, its waiter was woken.
    ///
    /// # Safety
    /// As for [`withdraw`](Self::withdraw).
    pub(super) unsafe fn has(&self, node: NonNull<Node>) -> bool {
        // SAFETY: the caller's obligation.
        unsafe { node.as_ref().queued }
    }

    /// Takes a node out if it is still queued. Whether it was: if not, its waiter was woken.
    ///
    /// # Safety
    /// The node is alive, of this address, and was once queued.
    pub(super) unsafe fn withdraw(&mut self, node: NonNull<Node>) -> bool {
        // SAFETY: the caller's obligation; nodes are touched under the lock, which is held.
        unsafe {
            let queued = node.as_ref().queued;
            if queued {
                self.queue.remove(node.as_ptr());
            }
            queued
        }
    }
}

impl Node {
    /// A node that is in no queue.
    pub(super) fn new(address: usize, mask: u32, sleeper: Sleeper) -> Self {
        Node { address, mask, sleeper, queued: false, next: ptr::null_mut(), prev: ptr::null_mut() }
    }
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
}
