//! Stack overflow, told apart from other faults.
//!
//! A handler for `SIGSEGV` on the alternate stack asks whether the address lies in the guard of
//! the running coroutine's stack. If so the process ends with a message that says which stack and
//! how large, as std does for threads. All other faults go to the handler that was there before.
//!
//! FS still belongs to the coroutine while the handler runs, so the question may be answered from
//! its thread-locals.

use std::ffi::c_void;
use std::sync::OnceLock;

use lisle_sys::Errno;

/// Answers whether `address` lies in the guard of the running coroutine's stack, and then writes
/// a message to standard error. Called on a signal stack: must not allocate, lock or panic.
pub type OverflowReport = fn(address: usize) -> bool;

struct Watch {
    report: OverflowReport,
    previous: libc::sigaction,
}

static WATCH: OnceLock<Watch> = OnceLock::new();

/// Reports overflows through `report` from now on. Calls after the first change nothing.
///
/// OS threads that run coroutines need an alternate signal stack.
///
/// # Errors
/// The kernel's, which has none for this call.
pub fn watch_for_overflow(report: OverflowReport) -> Result<(), Errno> {
    // By the C library, here and below: it may be a hook that answers, which has handlers run
    // through a wrapper and tells them apart from it.
    // SAFETY: all-zero is a valid value to fill in.
    let (mut previous, mut action): (libc::sigaction, libc::sigaction) =
        unsafe { std::mem::zeroed() };
    // SAFETY: a live place.
    if unsafe { libc::sigaction(libc::SIGSEGV, std::ptr::null(), &raw mut previous) } != 0 {
        return Err(Errno::INVAL);
    }
    if WATCH.set(Watch { report, previous }).is_err() {
        return Ok(());
    }
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler is made for this signal.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()) };
    Ok(())
}

unsafe extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(watch) = WATCH.get() else { return };
    // SAFETY: the kernel passes the information of this fault.
    let address = unsafe { (*info).si_addr() } as usize;
    if (watch.report)(address) {
        // SAFETY: ends the process; allowed in handlers.
        unsafe { libc::abort() };
    }
    // SAFETY: as the kernel would have called it.
    unsafe { forward(&watch.previous, signal, info, context) };
}

/// Does what would have happened without us.
///
/// # Safety
/// The arguments are those of a signal handler, `previous` the action that was installed.
unsafe fn forward(
    previous: &libc::sigaction,
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    if previous.sa_sigaction == libc::SIG_DFL || previous.sa_sigaction == libc::SIG_IGN {
        // The faulting instruction runs again and the kernel ends the process: a fault cannot be
        // ignored.
        // SAFETY: the default action is always allowed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    if previous.sa_flags & libc::SA_SIGINFO != 0 {
        type Full = unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void);
        // SAFETY: the flag says that the handler has this type.
        let full = unsafe { std::mem::transmute::<usize, Full>(previous.sa_sigaction) };
        // SAFETY: the caller's obligation.
        unsafe { full(signal, info, context) };
    } else {
        // SAFETY: without the flag the handler has this type.
        let plain = unsafe {
            std::mem::transmute::<usize, unsafe extern "C" fn(i32)>(previous.sa_sigaction)
        };
        // SAFETY: the caller's obligation.
        unsafe { plain(signal) };
    }
}
