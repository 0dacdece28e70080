//! Forks of a process with coroutines.
//!
//! The child has one thread, the one that forked, with that coroutine's stack if it was one. It
//! goes on as an ordinary thread: no coroutine is current any more, so every hook is the plain
//! call, and the runtime is forgotten.

use super::carrier::set_alternate;
use super::{alternate, current, directed, lot, preempt, start, thread};

/// Has children of forks set right, from now on.
pub(crate) fn watch() {
    extern "C" fn in_child() {
        // From now on it is an OS thread, and its stack is for the kernel to know.
        if let Some(task) = current::current()
            && alternate::is_there(task.alternate.get())
        {
            set_alternate(task.alternate.get());
        }
        current::set(None);
        start::forget_after_fork();
        lot::forget_after_fork();
        directed::forget_after_fork();
        thread::forget_after_fork();
        preempt::forget_after_fork();
    }
    // SAFETY: the handler is fit for a child of a fork: it stores words. The only error is lack
    // of memory at the start, when allocation failures end the process anyway.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}
