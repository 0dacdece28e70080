//! The beginning and the end of a coroutine.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cancel;
use super::current;
use super::lot;
use super::shared::{Shared, shared};
use super::signals;
use super::stack::{self, StackError};
use super::stay::{self, Stay};
use super::task::Task;
use super::thread;

/// Starts a coroutine.
///
/// # Safety
/// What `body` captures may be used on other threads, for as long as the coroutine runs. It must
/// not unwind.
pub(crate) unsafe fn spawn<F: FnOnce()>(
    shared: &'static Shared,
    name: Option<Arc<str>>,
    stack_size: Option<usize>,
    body: F,
) -> io::Result<(&'static Task, u64)> {
    // SAFETY: the caller's obligation.
    unsafe { spawn_with(shared, name, stack_size, body, |_| ()) }
}

/// As [`spawn`]; `prepare` is called before the coroutine is made runnable.
///
/// # Safety
/// As there.
pub(crate) unsafe fn spawn_with<F: FnOnce()>(
    shared: &'static Shared,
    name: Option<Arc<str>>,
    stack_size: Option<usize>,
    body: F,
    prepare: impl FnOnce(&'static Task),
) -> io::Result<(&'static Task, u64)> {
    // What a closure captures lies on its stack, which may be small.
    const LARGE: usize = 2048;
    // SAFETY: the caller's obligation.
    unsafe {
        if size_of::<F>() > LARGE {
            let body: Box<dyn FnOnce() + '_> = Box::new(body);
            spawn_small(shared, name, stack_size, body, prepare)
        } else {
            spawn_small(shared, name, stack_size, body, prepare)
        }
    }
}

/// # Safety
/// As [`spawn`].
unsafe fn spawn_small<F: FnOnce()>(
    shared: &'static Shared,
    name: Option<Arc<str>>,
    stack_size: Option<usize>,
    body: F,
    prepare: impl FnOnce(&'static Task),
) -> io::Result<(&'static Task, u64)> {
    let class = match stack_size {
        Some(bytes) => {
            let whole = bytes.max(stack::smallest(&shared.blocks));
            stack::class_of(whole).ok_or(StackError::TooLarge(bytes))?
        }
        None => shared.stack_class,
    };
    match current::suspendable() {
        // SAFETY: it is this thread's worker; the header is ours until it is made runnable.
        Some(here) => unsafe {
            let (spawner, worker) = (here.task, here.worker);
            let task = worker.take_stack(class)?;
            let id = worker.next_id();
            task.begin_life(id, name, body, spawner.mask.blocked(), main::<F>);
            prepare(task);
            worker.ready_soon(task);
            Ok((task, id))
        },
        // SAFETY: as above.
        None => unsafe {
            let task = shared.pool.take(class, &shared.blocks)?;
            shared.started.fetch_add(1, Ordering::Relaxed);
            let id = shared.reserve_ids(1).0;
            task.begin_life(id, name, body, current::blocked(), main::<F>);
            prepare(task);
            shared.inject(task);
            Ok((task, id))
        },
    }
}

/// The first function on the stack of a coroutine with a body of type F.
unsafe extern "C-unwind" fn main<F: FnOnce()>(task: usize) -> ! {
    // SAFETY: `begin_life` passes the address of the header; headers are never freed.
    let task = unsafe { &*(task as *const Task) };
    // SAFETY: in the order of a life; the body is this life's.
    unsafe {
        begin(task);
        task.body::<F>()();
        end(task)
    }
}

/// Where a coroutine goes on that was left in the middle (`pthread_exit`): its stack is unwound.
///
/// # Safety
/// Called by the C library on the coroutine's stack.
pub(crate) unsafe extern "C-unwind" fn landed() -> ! {
    let Some(task) = current::current() else {
        // In the child of a fork, it is the only thread.
        // SAFETY: the ordinary end of a process.
        unsafe { libc::exit(0) };
    };
    // SAFETY: the running block; the end of a life.
    unsafe {
        shared().blocks.landed(&task.block);
        end(task)
    }
}

/// What precedes the body.
///
/// # Safety
/// Called first thing on the coroutine's stack.
unsafe fn begin(task: &'static Task) {
    current::set(Some(task));
    // SAFETY: first thing after a switch; it runs, here. A life begins in a section.
    unsafe {
        let stay = Stay::begun();
        task.carrier(&stay).run_commit();
        if task.lives.get() == 0 {
            shared().blocks.begin();
        }
    }
}

/// What follows the body.
///
/// # Safety
/// Called once by the coroutine itself, at its end.
unsafe fn end(task: &'static Task) -> ! {
    leave_forked_child();
    let blocks = &shared().blocks;
    // Destructors are the program's code; sections that were left by a jump are over.
    stay::set(0);
    // SAFETY: the coroutine's code is over.
    unsafe {
        task.drop_name();
        blocks.run_destructors();
    }
    thread::ends(task);
    let stay = Stay::for_good();
    cancel::end(task);
    signals::end(task);
    task.parker.store(0, Ordering::Relaxed);
    if task.end_life() {
        lot::wake(task.life.as_ptr(), usize::MAX, lot::ANY, |_| {
            lisle_sys::futex::wake(&task.life, u32::MAX)
        });
    }
    stack::trim(task);
    // SAFETY: destructors have run, and nothing below uses a thread-local; the running coroutine,
    // for the last time.
    unsafe {
        blocks.restore();
        leave_for_good(task, &stay)
    }
}

/// A child of a fork that a coroutine made has that coroutine as its only thread: at its end the
/// process ends, as it does with threads.
fn leave_forked_child() {
    if current::current().is_none() {
        // SAFETY: the ordinary end of a process.
        unsafe { libc::exit(0) };
    }
}

/// Leaves the stack for good.
///
/// # Safety
/// Called by the coroutine itself when its life is over.
unsafe fn leave_for_good(task: &'static Task, stay: &Stay) -> ! {
    // SAFETY: it runs, here.
    let carrier = unsafe { task.carrier(stay) };
    // Only a pin whose guard was leaked lasts until here.
    if task.stays.replace(0) > 0 {
        carrier.spoil();
    }
    // SAFETY: the running coroutine on its carrier; the commit runs on the worker's own thread if
    // there is a worker, and gives the stack away once it has been left.
    unsafe {
        match carrier.worker {
            Some(worker) => {
                let next = worker.next_local();
                carrier.leave(task, stay, next, || {
                    if thread::release(task) {
                        worker.recycle(task);
                    }
                });
            }
            None => carrier.leave(task, stay, None, || {
                shared().ended.fetch_add(1, Ordering::Relaxed);
                if thread::release(task) {
                    shared().pool.put(task);
                }
            }),
        }
    }
    unreachable!("an ended coroutine is not resumed");
}
