//! `sigaction`, `signal` and their kin: the program's handlers run through a wrapper.
//!
//! The kernel is given the wrapper, with the mask and the flags that the program gave; the program
//! is told its own handler when it asks. Where a signal strikes in a section of the runtime's that
//! must not be interrupted the wrapper puts it off, else it calls the handler; see
//! `lisle_rt::signals`. Dispositions that are no handler go to the kernel as they are.
//!
//! Two flags the kernel is not given as they are. `SA_SIGINFO` is always set, since the wrapper
//! wants the information; a handler of one argument ignores the others. `SA_RESETHAND` never is:
//! the kernel would have reset the handler of a signal that is put off. The wrapper does it.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use libc::{c_int, sighandler_t, siginfo_t};
use lisle_core::RawSpin;
use lisle_rt::Stay;
use lisle_rt::signals::{self, HIDDEN, Kick};
use lisle_sys::signal::{self as sys, Change, set_of};
use lisle_sys::{Errno, thread};

use crate::real::{real, set_errno};

/// The flags that the kernel is not given as the program gave them.
const OURS: c_int = libc::SA_SIGINFO | libc::SA_RESETHAND;
/// Those, and what is asked for when a handler runs, and where one ended a wait.
const KEPT: c_int = OURS | libc::SA_RESTART | libc::SA_ONSTACK;

/// What the program gave for a signal that has the wrapper.
struct Action {
    /// 0 once `SA_RESETHAND` has had its effect, and while no handler was ever set.
    handler: AtomicUsize,
    /// Those in `KEPT`.
    flags: AtomicI32,
    /// Held by who changes it, with all signals blocked: handlers may change it too.
    lock: RawSpin,
}

/// One past the last signal.
const SIGNALS: usize = 65;

static ACTIONS: [Action; SIGNALS] = [const {
    Action { handler: AtomicUsize::new(0), flags: AtomicI32::new(0), lock: RawSpin::new() }
}; SIGNALS];

/// Signals for which `siginterrupt` wants calls interrupted.
static INTERRUPTING: AtomicU64 = AtomicU64::new(0);

/// What of a signal may be changed: none for what is none, and for those of the C library's own.
fn action_of(signal: c_int) -> Option<&'static Action> {
    ACTIONS.get(usize::try_from(signal).ok()?).filter(|_| !matches!(signal, 0 | 32 | 33))
}

fn wrapper_address() -> usize {
    wrapper as *const () as usize
}

/// What the kernel calls for every handler. It must not be preempted, also before it has said so:
/// mask and stack are the handler's. Hence its section.
#[unsafe(link_section = "lisle_text")]
unsafe extern "C-unwind" fn wrapper(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let _stay = Stay::begin();
    // SAFETY: the kernel's own arguments.
    if unsafe { signals::put_off(signal, info, context) } {
        return;
    }
    let Some(action) = action_of(signal) else { return };
    // SAFETY: as above.
    match unsafe { signals::resolve(info) } {
        Kick::Void => return,
        // SAFETY: as above.
        Kick::No if unsafe { signals::pass_on(signal, info) } => return,
        Kick::No | Kick::Real => {}
    }
    let handler = if action.flags.load(Ordering::Relaxed) & libc::SA_RESETHAND != 0 {
        let handler = action.handler.swap(0, Ordering::Relaxed);
        reset(signal);
        if handler == 0 {
            // Another thread's signal came first; this one has the default effect, as soon as
            // this handler returns.
            // SAFETY: the kernel's own information, or as the kernel would have made it.
            let _ = unsafe { sys::queue(thread::id(), signal, info) };
        }
        handler
    } else {
        action.handler.load(Ordering::Relaxed)
    };
    if handler == 0 {
        return;
    }
    type Handler = unsafe extern "C-unwind" fn(c_int, *mut siginfo_t, *mut c_void);
    // SAFETY: the program's handler for this signal; one of fewer arguments ignores the others.
    let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
    let flags = action.flags.load(Ordering::Relaxed);
    let (restarts, on_stack) = (flags & libc::SA_RESTART != 0, flags & libc::SA_ONSTACK != 0);
    // SAFETY: as the kernel would have called it.
    unsafe { signals::handle(context, restarts, on_stack, || handler(signal, info, context)) };
}

/// Gives a signal its default effect, in the kernel.
fn reset(signal: c_int) {
    let Ok(mut action) = sys::action(signal) else { return };
    if action.handler == wrapper_address() {
        action.handler = libc::SIG_DFL;
        // SAFETY: the default is no handler.
        let _ = unsafe { sys::set_action(signal, &action) };
    }
}

/// The kernel's own set, which is the first word of the C library's.
fn mask_of(action: &mut libc::sigaction) -> &mut u64 {
    // SAFETY: the set has sixteen of them.
    unsafe { &mut *(&raw mut action.sa_mask).cast::<u64>() }
}

/// Runs `f` with all signals blocked, holding the lock of the action.
fn exclusively<R>(action: &Action, f: impl FnOnce() -> R) -> R {
    /// By then its holder does not exist: this is the child of a fork.
    const TRIES: u32 = 1 << 24;
    let before = sys::change_mask(Change::Block, !(set_of(32) | set_of(33)));
    let locked = (0..TRIES).any(|_| {
        action.lock.try_lock() || {
            std::hint::spin_loop();
            false
        }
    });
    let result = f();
    if locked {
        // SAFETY: locked above.
        unsafe { action.lock.unlock() };
    }
    sys::change_mask(Change::Set, before);
    result
}

/// `sigaction`, whatever its name.
///
/// # Safety
/// As for `sigaction`.
unsafe fn change(
    signal: c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
    plain: impl Fn(*const libc::sigaction, *mut libc::sigaction) -> c_int,
) -> c_int {
    let Some(action) = action_of(signal) else { return plain(new, old) };
    exclusively(action, || {
        // SAFETY: null or live, by the caller's obligation.
        let given = unsafe { new.as_ref() }.copied();
        let before = (action.handler.load(Ordering::Relaxed), action.flags.load(Ordering::Relaxed));
        let wrapped = given.filter(|given| !matches!(given.sa_sigaction, 0 | 1)).map(|given| {
            // First, so that a signal that strikes from now on finds it.
            action.handler.store(given.sa_sigaction, Ordering::Relaxed);
            action.flags.store(given.sa_flags & KEPT, Ordering::Relaxed);
            let flags = given.sa_flags & !OURS | libc::SA_SIGINFO;
            let mut ours = libc::sigaction { sa_sigaction: wrapper_address(), ..given };
            ours.sa_flags = flags;
            if flags & libc::SA_ONSTACK != 0 {
                *mask_of(&mut ours) |= HIDDEN;
            }
            ours
        });
        // SAFETY: all-zero is a valid value to fill in.
        let mut had: libc::sigaction = unsafe { std::mem::zeroed() };
        let result = plain(wrapped.as_ref().map_or(new, |wrapped| wrapped), &raw mut had);
        if result != 0 {
            action.handler.store(before.0, Ordering::Relaxed);
            action.flags.store(before.1, Ordering::Relaxed);
            return result;
        }
        if had.sa_sigaction == wrapper_address() {
            *mask_of(&mut had) &= !HIDDEN;
            had.sa_sigaction = before.0;
            had.sa_flags = had.sa_flags & !OURS | before.1 & OURS;
        } else if before.0 == 0 && before.1 & libc::SA_RESETHAND != 0 {
            // Reset by the wrapper: the kernel would have kept the flags.
            had.sa_flags = had.sa_flags & !OURS | before.1 & OURS;
            if given.is_some() && wrapped.is_none() {
                action.flags.store(0, Ordering::Relaxed);
            }
        }
        if !old.is_null() {
            // SAFETY: live, by the caller's obligation.
            unsafe { *old = had };
        }
        0
    })
}

/// See sigaction(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigaction(
    signal: c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> c_int {
    let plain = |new, old| {
        real!(
            sigaction(signal, new, old):
                fn(c_int, *const libc::sigaction, *mut libc::sigaction) -> c_int
        )
    };
    // SAFETY: the caller's obligation.
    unsafe { change(signal, new, old, plain) }
}

/// The same by another name.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __sigaction(
    signal: c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> c_int {
    // SAFETY: the caller's obligation.
    unsafe { sigaction(signal, new, old) }
}

/// `sigaction` with what its simpler kin have to say. The old handler, or `SIG_ERR`.
fn set(signal: c_int, handler: sighandler_t, flags: c_int, mask: u64) -> sighandler_t {
    if handler == libc::SIG_ERR || action_of(signal).is_none() {
        set_errno(Errno::INVAL);
        return libc::SIG_ERR;
    }
    // SAFETY: all-zero is a valid value to fill in.
    let (mut new, mut old): (libc::sigaction, libc::sigaction) = unsafe { std::mem::zeroed() };
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    *mask_of(&mut new) = mask;
    // SAFETY: live places; the handler is the caller's obligation.
    match unsafe { sigaction(signal, &raw const new, &raw mut old) } {
        0 => old.sa_sigaction,
        _ => libc::SIG_ERR,
    }
}

/// See signal(2): as BSD has it, calls are restarted and the signal is blocked meanwhile.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    if action_of(signal).is_none() {
        return set(signal, handler, 0, 0);
    }
    let restart = INTERRUPTING.load(Ordering::Relaxed) & set_of(signal) == 0;
    set(signal, handler, if restart { libc::SA_RESTART } else { 0 }, set_of(signal))
}

/// The same by another name.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn bsd_signal(number: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: the caller's obligation.
    unsafe { signal(number, handler) }
}

/// The same by another name.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn ssignal(number: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: the caller's obligation.
    unsafe { signal(number, handler) }
}

/// See sysv_signal(3): reset when it runs, and not blocked meanwhile.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sysv_signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    /// For the kernel of no effect.
    const SA_INTERRUPT: c_int = 0x2000_0000;
    set(signal, handler, libc::SA_RESETHAND | libc::SA_NODEFER | SA_INTERRUPT, 0)
}

/// The same by another name.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __sysv_signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    // SAFETY: the caller's obligation.
    unsafe { sysv_signal(signal, handler) }
}

/// See siginterrupt(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn siginterrupt(signal: c_int, interrupt: c_int) -> c_int {
    // SAFETY: all-zero is a valid value to fill in.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a live place.
    if unsafe { sigaction(signal, null(), &raw mut action) } != 0 {
        return -1;
    }
    if interrupt != 0 {
        INTERRUPTING.fetch_or(set_of(signal), Ordering::Relaxed);
        action.sa_flags &= !libc::SA_RESTART;
    } else {
        INTERRUPTING.fetch_and(!set_of(signal), Ordering::Relaxed);
        action.sa_flags |= libc::SA_RESTART;
    }
    // SAFETY: what was there before, but for a flag.
    unsafe { sigaction(signal, &raw const action, null_mut()) }
}

/// See sigset(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigset(signal: c_int, disposition: sighandler_t) -> sighandler_t {
    /// Not in crate libc.
    const SIG_HOLD: sighandler_t = 2;
    if disposition == libc::SIG_ERR || action_of(signal).is_none() {
        set_errno(Errno::INVAL);
        return libc::SIG_ERR;
    }
    let old = if disposition == SIG_HOLD {
        // SAFETY: all-zero is a valid value to fill in.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: a live place.
        if unsafe { sigaction(signal, null(), &raw mut action) } != 0 {
            return libc::SIG_ERR;
        }
        action.sa_sigaction
    } else {
        set(signal, disposition, 0, 0)
    };
    if old == libc::SIG_ERR {
        return old;
    }
    let change = if disposition == SIG_HOLD { Change::Block } else { Change::Unblock };
    let blocked = sys::change_mask(change, set_of(signal));
    signals::mask_changed(lisle_rt::thread::is_main_alone());
    if blocked & set_of(signal) != 0 { SIG_HOLD } else { old }
}

/// See sigignore(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sigignore(signal: c_int) -> c_int {
    if set(signal, libc::SIG_IGN, 0, 0) == libc::SIG_ERR { -1 } else { 0 }
}
