//! Signal 33: `setuid` and its kin, while coroutines run, and the ticks of preemption.
//!
//! The kernel changes the identity of one thread; the C library makes it the process's by a signal
//! (33) to every thread on its list, whose handler clears a flag in *the running thread's* control
//! block. On a carrier that runs a coroutine that is the coroutine's block, and the caller would
//! wait for ever for the carrier's. So the handler is wrapped: where it interrupts a coroutine, it
//! runs with the FS base of the OS thread, which the carrier notes where the GS base points. Other
//! threads may have any GS base, that of the carrier they were made on above all: they inherit it.
//!
//! The library installs its handler when it makes its first thread, which has happened by the time
//! the runtime starts. If it has none, or loses it, there is ours alone.
//!
//! Nobody but the library can block that signal or take its handler, so the runtime's own ticks are
//! the same signal with a mark; see `preempt`. They may strike with little room on the stack, hence
//! the alternate one.

use std::arch::asm;
use std::ffi::c_void;
use std::sync::OnceLock;

use lisle_fiber::{fs_base, gs_base, is_block};
use lisle_sys::signal::{self, KernelAction};

use super::nudge;
use super::preempt::{self, TICK};

/// The library's `SIGSETXID`.
const SETXID: i32 = TICK;

type Handler = unsafe extern "C" fn(i32, *mut c_void, *mut c_void);

static PREVIOUS: OnceLock<Handler> = OnceLock::new();

/// Wraps the library's handler, once. False if there is none, so that nothing is installed.
pub(crate) fn wrap() -> bool {
    let Ok(mut action) = signal::action(SETXID) else { return false };
    if action.handler == handler as *const () as usize {
        return true;
    }
    if action.handler == libc::SIG_DFL || action.handler == libc::SIG_IGN {
        return false;
    }
    // SAFETY: the library's handler takes the arguments of SA_SIGINFO.
    let previous = unsafe { std::mem::transmute::<usize, Handler>(action.handler) };
    if PREVIOUS.set(previous).is_err() {
        return false;
    }
    let installed = install(&mut action);
    if installed {
        nudge::prepare();
    }
    installed
}

fn install(action: &mut KernelAction) -> bool {
    action.handler = handler as *const () as usize;
    // Two of the kernel's frames may be more than an alternate stack has room for.
    action.mask = !0;
    action.flags |= (libc::SA_ONSTACK | libc::SA_RESTART | libc::SA_SIGINFO) as u64;
    // SAFETY: the restorer stays the library's; the handler adds two register changes, or is
    // fit to run anywhere.
    unsafe { signal::set_action(SETXID, action) }.is_ok()
}

/// Not held up itself, hence its section: the OS thread's mask and stack are the handler's.
#[unsafe(link_section = "lisle_text")]
unsafe extern "C" fn handler(signal: i32, info: *mut c_void, context: *mut c_void) {
    // SAFETY: the kernel's own arguments.
    unsafe {
        if preempt::is_tick(info) || nudge::is_nudge(info.cast()) {
            return preempt::tick(info, context);
        }
    }
    let Some(previous) = PREVIOUS.get() else { return };
    let interrupted = fs_base();
    // SAFETY: the FS base of the running thread. If it is a coroutine's, this is a carrier, whose
    // GS base points to it; its first word is its FS base. Nothing between the two changes uses a
    // thread-local but the library's handler.
    unsafe {
        if is_block(interrupted) {
            set_fs_base(*(gs_base() as *const usize));
        }
        previous(signal, info, context);
        set_fs_base(interrupted);
    }
}

/// # Safety
/// `base` is that of a thread block; no thread-local is in use.
unsafe fn set_fs_base(base: usize) {
    // SAFETY: the caller's obligation. Not `nomem`: nothing may move across it.
    unsafe { asm!("wrfsbase {}", in(reg) base, options(nostack, preserves_flags)) };
}
