//! Alternate signal stacks of coroutines.
//!
//! The kernel knows one per OS thread: the carrier's, on which overflows are reported. Installing
//! that of each coroutine at each switch would be two system calls a switch, and threads of Rust's
//! standard library all have one. So it is installed while a handler runs on it, and not before:
//!
//! ```text
//!   the kernel       calls the wrapper, on the carrier's stack
//!   run              goes on the coroutine's stack; only then may the kernel's be replaced
//!   the handler      sees what it would on a thread: it runs on the stack that is installed
//!   run              goes back; only then may the carrier's be installed again
//! ```
//!
//! A signal that comes meanwhile finds the kernel's idea of what is in use right, so it never
//! overwrites the frames below. A handler that is left by a jump leaves the coroutine's stack
//! installed, which the carrier notes in its word (see `mask`), so that the next switch sets it
//! right.

use std::ffi::c_void;
use std::ptr;

use super::carrier::{Carrier, set_alternate};
use super::task::{Alternate, Task};

/// Whether it is a stack rather than none.
pub(crate) fn is_there(stack: Alternate) -> bool {
    stack.flags & libc::SS_DISABLE == 0
}

/// Whether code whose frames are at `here` runs on it.
fn contains(stack: Alternate, here: usize) -> bool {
    here.wrapping_sub(stack.low) < stack.size
}

/// Runs a handler where the coroutine wants those that have asked for it: on its alternate stack,
/// if it has one that is not in use. Called by the wrapper, on the carrier that runs it.
///
/// # Safety
/// `carrier` is the running coroutine's, which does not change while a handler runs.
pub(crate) unsafe fn run<F: FnOnce()>(task: &Task, carrier: &Carrier, handler: F) {
    /// What goes on on the other stack.
    struct Passage<F> {
        stack: Alternate,
        handler: Option<F>,
    }
    /// Installs the carrier's own again, also when the handler unwinds.
    struct Back<'a>(&'a Carrier);
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            self.0.take_alternate_back();
        }
    }
    unsafe extern "C-unwind" fn there<F: FnOnce()>(passage: *mut c_void) -> *mut c_void {
        // SAFETY: `run` passes it, and waits.
        let passage = unsafe { &mut *passage.cast::<Passage<F>>() };
        set_alternate(passage.stack);
        if let Some(handler) = passage.handler.take() {
            handler();
        }
        ptr::null_mut()
    }
    let (stack, here) = (task.alternate.get(), 0_u8);
    if !is_there(stack) || contains(stack, (&raw const here) as usize) {
        return handler();
    }
    let mut passage = Passage { stack, handler: Some(handler) };
    carrier.lend_alternate();
    let _back = Back(carrier);
    let top = (stack.low + stack.size) & !15;
    // SAFETY: the program gave the stack for handlers, and none runs on it.
    unsafe { lisle_fiber::call_on(top, there::<F>, (&raw mut passage).cast()) };
}
