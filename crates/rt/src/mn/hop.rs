//! Going on on a spare carrier, and coming back.

use super::current;
use super::nudge;
use super::shared::shared;
use super::stay::Stay;

/// Moves the running coroutine to a spare carrier. False if it cannot or need not be moved: it is
/// on one, or this is no coroutine, or there are no OS threads to be had, which it learns after a
/// detour through the queue for them.
fn hop() -> bool {
    let Some(here) = current::suspendable() else { return false };
    let (task, worker) = (here.task, here.worker);
    let spares = &worker.shared.spares;
    let seat = spares.seat();
    // SAFETY: the running coroutine on its carrier, with its worker.
    unsafe {
        let next = worker.next_local();
        here.leave(next, || spares.place(seat, task));
    }
    here.carrier().worker.is_none()
}

/// Moves the running coroutine from a spare carrier back to the workers.
fn hop_back() {
    let task = current::current().expect("a coroutine hopped");
    let shared = shared();
    let stay = Stay::begin();
    // SAFETY: the running coroutine on its carrier; the commit gives it away once it has left.
    unsafe { task.carrier(&stay).leave(task, &stay, None, || shared.inject(task)) };
}

/// Moves the running coroutine to a spare carrier, or notes that it stays on the one it is on.
/// False if it is where it is for other reasons.
///
/// `Task::stays` counts the calls that are to be undone by [`leave`]; the coroutine is on a spare
/// carrier while the count is not zero.
fn stay() -> bool {
    let Some(task) = current::current() else { return false };
    if task.stays.get() == 0 && !hop() {
        return false;
    }
    task.stays.set(task.stays.get() + 1);
    true
}

/// Undoes a [`stay`].
fn leave() {
    let Some(task) = current::current() else { return };
    task.stays.set(task.stays.get() - 1);
    if task.stays.get() == 0 {
        hop_back();
    }
}

/// Runs `f` where it may block.
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    /// Leaves also when `f` unwinds.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            leave();
        }
    }
    let _leave = stay().then_some(Leave);
    f()
}

/// As [`blocking`], for a call of the C library's that fails with `EINTR` when a stop is due.
pub fn blocking_stoppably<R>(call: impl FnOnce() -> R) -> R {
    blocking(|| nudge::stoppable(call))
}

/// Keeps the running coroutine on an OS thread of its own; nests. Returns whether [`unpin`] is to
/// be called for it; not outside of coroutines.
///
/// # Panics
/// If no OS thread can be had.
pub fn pin() -> bool {
    let stays = stay();
    if !stays && current::suspendable().is_some() {
        panic!("cannot pin the coroutine: no OS thread to be had (ulimit -u, threads-max)");
    }
    stays
}

/// The counterpart of a [`pin`] that returned true, on the same coroutine.
pub fn unpin() {
    leave();
}
