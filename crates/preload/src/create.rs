//! `pthread_create`: a coroutine, where one can do.

use std::arch::naked_asm;
use std::ffi::{c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{cpu_set_t, pthread_attr_t, pthread_t, sched_param, sigset_t};
use lisle_hook::real::real;
use lisle_rt::thread::{Attributes, Routine};
use lisle_rt::{Config, Runtime};

use crate::{fitness, start};

unsafe extern "C" {
    fn pthread_attr_getdetachstate(attributes: *const pthread_attr_t, state: *mut c_int) -> c_int;
    fn pthread_attr_getinheritsched(attributes: *const pthread_attr_t, how: *mut c_int) -> c_int;
    fn pthread_attr_getschedpolicy(attributes: *const pthread_attr_t, policy: *mut c_int) -> c_int;
    fn pthread_attr_getschedparam(
        attributes: *const pthread_attr_t,
        parameters: *mut sched_param,
    ) -> c_int;
    fn pthread_attr_getaffinity_np(
        attributes: *const pthread_attr_t,
        size: usize,
        set: *mut cpu_set_t,
    ) -> c_int;
    fn pthread_attr_getsigmask_np(attributes: *const pthread_attr_t, set: *mut sigset_t) -> c_int;
    fn pthread_getattr_default_np(attributes: *mut pthread_attr_t) -> c_int;
}

/// See pthread_create(3). Who called is told from the address that it returns to.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C-unwind" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    naked_asm!("mov r8, [rsp]", "jmp {create}", create = sym create)
}

/// See thrd_create(3).
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C-unwind" fn thrd_create(
    thread: *mut pthread_t,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    naked_asm!("mov rcx, [rsp]", "jmp {create}", create = sym create_c11)
}

unsafe extern "C-unwind" fn create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
    caller: usize,
) -> c_int {
    // The runtime's own threads are OS threads.
    let runtime = if start::own_object().contains(&caller) || !start::is_awake() {
        None
    } else if fitness::is_fit(caller) {
        runtime()
    } else {
        None
    };
    let Some(runtime) = runtime else {
        return real!(
            pthread_create(thread, attributes, routine, argument):
                fn(*mut pthread_t, *const pthread_attr_t, Routine, *mut c_void) -> c_int
        );
    };
    // SAFETY: the caller's obligation.
    unsafe { start_coroutine(runtime, thread, attributes, routine, argument) }
}

unsafe extern "C-unwind" fn create_c11(
    thread: *mut pthread_t,
    routine: Routine,
    argument: *mut c_void,
    caller: usize,
) -> c_int {
    /// C11's results.
    const SUCCESS: c_int = 0;
    const ERROR: c_int = 2;
    const NOMEM: c_int = 3;
    // A function that returns int leaves the upper half of the register to chance; `thrd_join`
    // looks at the lower half alone.
    // SAFETY: the caller's obligation.
    match unsafe { create(thread, ptr::null(), routine, argument, caller) } {
        0 => SUCCESS,
        libc::ENOMEM | libc::EAGAIN => NOMEM,
        _ => ERROR,
    }
}

/// The runtime; none if threads are to be OS threads, of which one line tells why.
fn runtime() -> Option<Runtime> {
    static SETTLED: AtomicBool = AtomicBool::new(false);
    if !SETTLED.swap(true, Ordering::Relaxed) {
        let stack_size = match std::env::var_os("LISLE_STACK_SIZE") {
            Some(_) => None,
            None => default_stack_size(),
        };
        // An error would say that it runs already: in the child of a fork.
        let _ = lisle_rt::install(Config { stack_size, ..Config::default() });
    }
    Runtime::get_or_start().unwrap_or_else(|reason| {
        static TOLD: OnceLock<()> = OnceLock::new();
        TOLD.get_or_init(|| eprintln!("lisle: threads stay OS threads: {reason}"));
        None
    })
}

/// The stack of threads that are made without saying how large: the limit on the main thread's.
fn default_stack_size() -> Option<usize> {
    // SAFETY: all-zero is a valid value to fill in.
    let mut attributes: pthread_attr_t = unsafe { mem::zeroed() };
    let mut size = 0;
    // SAFETY: live places; what was filled in is given back.
    unsafe {
        if pthread_getattr_default_np(&raw mut attributes) != 0 {
            return None;
        }
        libc::pthread_attr_getstacksize(&raw const attributes, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
    }
    (size > 0).then_some(size)
}

/// # Safety
/// As for `pthread_create`.
unsafe fn start_coroutine(
    runtime: Runtime,
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    routine: Routine,
    argument: *mut c_void,
) -> c_int {
    let (wanted, affinity) = if attributes.is_null() {
        (Attributes::default(), None)
    } else {
        // SAFETY: the caller's obligation.
        unsafe { (read(attributes), affinity(attributes)) }
    };
    // The number is written before the thread runs, since it may look for itself there.
    let publish = |handle: pthread_t| {
        // SAFETY: the caller's place.
        unsafe { *thread = handle };
    };
    // SAFETY: the caller's obligation.
    match unsafe { runtime.create_thread(&wanted, affinity, routine, argument, publish) } {
        Ok(()) => 0,
        Err(error) => {
            static TOLD: OnceLock<()> = OnceLock::new();
            TOLD.get_or_init(|| eprintln!("lisle: pthread_create fails: {error}"));
            libc::EAGAIN
        }
    }
}

/// What was asked for.
///
/// # Safety
/// The attributes are initialised.
unsafe fn read(attributes: *const pthread_attr_t) -> Attributes {
    let (mut detached, mut how, mut policy) = (0, 0, 0);
    let (mut low, mut size, mut own_size) = (ptr::null_mut(), 0, 0);
    let mut parameters = sched_param { sched_priority: 0 };
    // SAFETY: all-zero is a valid set.
    let mut mask: sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the caller's obligation; live places.
    let has_mask = unsafe {
        pthread_attr_getdetachstate(attributes, &raw mut detached);
        libc::pthread_attr_getstack(attributes, &raw mut low, &raw mut size);
        libc::pthread_attr_getstacksize(attributes, &raw mut own_size);
        pthread_attr_getinheritsched(attributes, &raw mut how);
        pthread_attr_getschedpolicy(attributes, &raw mut policy);
        pthread_attr_getschedparam(attributes, &raw mut parameters);
        pthread_attr_getsigmask_np(attributes, &raw mut mask) == 0
    };
    // The library keeps the end of the stack, which is zero if none was given.
    let is_given = (low as usize).wrapping_add(size) != 0;
    const PTHREAD_EXPLICIT_SCHED: c_int = 1;
    Attributes {
        stack_size: (own_size > 0).then_some(own_size),
        stack: is_given.then_some((low as usize, size)),
        detached: detached == libc::PTHREAD_CREATE_DETACHED,
        // SAFETY: the kernel's own set is the first word.
        blocked: has_mask.then(|| unsafe { *(&raw const mask).cast::<u64>() }),
        scheduling: (how == PTHREAD_EXPLICIT_SCHED).then_some((policy, parameters.sched_priority)),
    }
}

/// The processors that were asked for, if any were.
///
/// # Safety
/// The attributes are initialised.
unsafe fn affinity(attributes: *const pthread_attr_t) -> Option<cpu_set_t> {
    // SAFETY: all-zero is a valid set to fill in.
    let mut set: cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the caller's obligation; a live place of that size.
    let told = unsafe {
        pthread_attr_getaffinity_np(attributes, size_of::<cpu_set_t>(), &raw mut set) == 0
    };
    // All processors, those that do not exist included, stand for "never said".
    // SAFETY: a plain structure of integers.
    let bytes = unsafe {
        std::slice::from_raw_parts((&raw const set).cast::<u8>(), size_of::<cpu_set_t>())
    };
    (told && bytes.iter().any(|byte| *byte != u8::MAX)).then_some(set)
}
