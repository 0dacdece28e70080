//! Telling of a coroutine that used up its stack.

use lisle_sys::mmap::PAGE;

use super::current;
use super::line::Line;

/// Has overflows of coroutines' stacks reported, from now on.
pub(crate) fn watch() {
    // The call has no errors for this signal.
    let _ = lisle_fiber::watch_for_overflow(report);
}

/// See [`lisle_fiber::OverflowReport`].
fn report(address: usize) -> bool {
    let Some(task) = current::current() else { return false };
    let guard = task.stack.low..task.stack.low + PAGE;
    if !guard.contains(&address) {
        return false;
    }
    // SAFETY: the handler interrupted this coroutine.
    let name = unsafe { task.name() }.as_deref().unwrap_or("<unnamed>");
    let mut text = Line::default();
    text.add("\ncoroutine '").add(name).add("' (id ").number(task.id());
    text.add(") has overflowed its stack of ").number(task.stack.size as u64);
    text.add(" bytes; set a larger one with lisle::Builder::stack_size or LISLE_STACK_SIZE\n");
    text.add("fatal runtime error: stack overflow, aborting\n");
    text.write();
    true
}
