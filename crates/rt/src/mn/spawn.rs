//! The beginning and the end of a coroutine.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::current;
use super::lot;
use super::runtime::{Shared, shared};
use super::stack::{self, StackError};
use super::task::Task;

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
    // What a closure captures lies on its stack, which may be small.
    const LARGE: usize = 2048;
    // SAFETY: the caller's obligation.
    unsafe {
        if size_of::<F>() > LARGE {
            let body: Box<dyn FnOnce() + '_> = Box::new(body);
            spawn_small(shared, name, stack_size, body)
        } else {
            spawn_small(shared, name, stack_size, body)
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
) -> io::Result<(&'static Task, u64)> {
    let class = match stack_size {
        Some(bytes) => {
            let whole = bytes.max(smallest_stack(shared));
            stack::class_of(whole).ok_or(StackError::TooLarge(bytes))?
        }
        None => shared.stack_class,
    };
    match current::worker() {
        // SAFETY: it is this thread's worker; the header is ours until it is made runnable.
        Some(worker) => unsafe {
            let task = worker.take_stack(class)?;
            let id = worker.next_id();
            task.begin_life(id, name, body, main);
            worker.ready_last(task);
            Ok((task, id))
        },
        // SAFETY: as above.
        None => unsafe {
            let task = shared.pool.take(class, &shared.blocks)?;
            let id = shared.reserve_ids(1).0;
            task.begin_life(id, name, body, main);
            shared.inject(task);
            Ok((task, id))
        },
    }
}

/// What the guard, the thread block and a few frames take. As with threads, the size of a stack
/// includes them.
fn smallest_stack(shared: &Shared) -> usize {
    shared.blocks.size() + 3 * 4096
}

/// The first function on every coroutine's stack.
unsafe extern "C" fn main(task: usize) -> ! {
    // SAFETY: `begin_life` passes the address of the header; headers are never freed.
    let task = unsafe { &*(task as *const Task) };
    current::set(Some(task));
    let blocks = &shared().blocks;
    // SAFETY: first thing after a switch; then the body of this life, on its own stack.
    unsafe {
        task.carrier().run_commit();
        if task.lives.get() == 0 {
            blocks.begin();
        }
        task.run_body();
        leave_forked_child();
        task.drop_name();
        blocks.run_destructors();
    }
    if task.end_life() {
        lot::wake(task.life.as_ptr(), usize::MAX, lot::ANY, |_| {
            lisle_sys::futex::wake(&task.life, u32::MAX)
        });
    }
    task.parker.store(0, Ordering::Relaxed);
    stack::trim(task);
    // SAFETY: destructors have run, and nothing below uses a thread-local.
    unsafe { blocks.restore() };
    // SAFETY: the running coroutine, for the last time.
    unsafe { end(task) }
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
unsafe fn end(task: &'static Task) -> ! {
    // SAFETY: it runs, here.
    let carrier = unsafe { task.carrier() };
    if task.pins.replace(0) > 0 {
        carrier.spoil();
    }
    // SAFETY: the running coroutine on its carrier; the commit runs on the worker's own thread if
    // there is a worker, and gives the stack away once it has been left.
    unsafe {
        match carrier.worker {
            Some(worker) => {
                let next = worker.next_local();
                carrier.leave(task, next, || worker.recycle(task));
            }
            None => carrier.leave(task, None, || shared().pool.put(task)),
        }
    }
    unreachable!("an ended coroutine is not resumed");
}
