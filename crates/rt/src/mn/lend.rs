//! Running something as the carrier's own thread: for allocators, whose caches are then the OS
//! thread's and not the coroutine's.
//!
//! ```text
//!   coroutine's block   enter the section; note in the carrier's block whose detour this is
//!   carrier's block       the function runs: its thread-locals, its errno, its locks' owner
//!   coroutine's block   take the note away; leave the section: signals that were put off strike
//! ```
//!
//! In the section the coroutine is not preempted, and a signal's handler does not run, on either
//! block: what strikes is put off, and the note says for whom. On the carrier's block there is no
//! current coroutine, so every hook is the plain call, and a lock that is waited for is waited for
//! by the OS thread: its holder is another OS thread, or a coroutine in such a section, which goes
//! on by itself.

use std::mem::{ManuallyDrop, MaybeUninit};

use super::current;
use super::section;
use super::stay::Stay;
use super::task::Task;

/// Runs `f` with the thread block of the OS thread below, if this is a coroutine; else plainly. `f`
/// must not unwind.
#[inline]
pub fn as_carrier<R>(f: impl FnOnce() -> R) -> R {
    match current::current() {
        Some(task) => lend(task, f),
        None => f(),
    }
}

struct Call<F, R> {
    function: ManuallyDrop<F>,
    result: MaybeUninit<R>,
}

/// A function that the compiler does not see called.
///
/// # Safety
/// `call` is a `Call` of these types, whose function was not called.
unsafe extern "C" fn run<F: FnOnce() -> R, R>(call: *mut u8) {
    // SAFETY: the caller's obligation.
    unsafe {
        let call = &mut *call.cast::<Call<F, R>>();
        let function = ManuallyDrop::take(&mut call.function);
        call.result.write(function());
    }
}

#[inline]
fn lend<F: FnOnce() -> R, R>(task: &'static Task, f: F) -> R {
    let mut call = Call { function: ManuallyDrop::new(f), result: MaybeUninit::<R>::uninit() };
    section::within(|| {
        let stay = Stay::begin();
        // SAFETY: the running coroutine, which stays on its carrier in a section; `run` gets what
        // it is made for, once, and unwinds no further than its end.
        unsafe { task.carrier(&stay).lend_block(run::<F, R>, (&raw mut call).cast()) };
    });
    // SAFETY: written by the call.
    unsafe { call.result.assume_init() }
}
