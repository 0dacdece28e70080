//! Priorities and processors of threads. Those of coroutines are advice: the program is told what
//! it asked for, and nothing comes of it, since the OS thread below is not the coroutine's own.

use std::ffi::c_int;
use std::mem;

use libc::{cpu_set_t, pid_t, pthread_t, sched_param};
use lisle_rt::thread::{self, Thread};
use lisle_sys::Errno;

use crate::real::{outcome, real};

/// Notes policy and priority of a coroutine.
fn schedule(thread: Thread, policy: c_int, priority: c_int) -> Result<(), Errno> {
    // SAFETY: no pointers are passed.
    let (least, most) =
        unsafe { (libc::sched_get_priority_min(policy), libc::sched_get_priority_max(policy)) };
    if least == -1 || !(least..=most).contains(&priority) {
        return Err(Errno::INVAL);
    }
    thread.set_scheduling(policy, priority);
    Ok(())
}

fn number(result: Result<(), Errno>) -> c_int {
    result.map_or_else(|errno| errno.0, |()| 0)
}

/// See pthread_setschedparam(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_setschedparam(
    thread: pthread_t,
    policy: c_int,
    parameters: *const sched_param,
) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { thread::of(thread) } {
        // SAFETY: as above.
        Some(own) => number(schedule(own, policy, unsafe { (*parameters).sched_priority })),
        None => real!(
            pthread_setschedparam(thread, policy, parameters):
                fn(pthread_t, c_int, *const sched_param) -> c_int
        ),
    }
}

/// See pthread_setschedprio(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_setschedprio(thread: pthread_t, priority: c_int) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { thread::of(thread) } {
        Some(own) => number(schedule(own, own.scheduling().0, priority)),
        None => real!(pthread_setschedprio(thread, priority): fn(pthread_t, c_int) -> c_int),
    }
}

/// See pthread_getschedparam(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_getschedparam(
    thread: pthread_t,
    policy: *mut c_int,
    parameters: *mut sched_param,
) -> c_int {
    // SAFETY: the caller's obligation.
    let Some(own) = (unsafe { thread::of(thread) }) else {
        return real!(
            pthread_getschedparam(thread, policy, parameters):
                fn(pthread_t, *mut c_int, *mut sched_param) -> c_int
        );
    };
    let (kept, priority) = own.scheduling();
    // SAFETY: the caller's places.
    unsafe {
        *policy = kept;
        (*parameters).sched_priority = priority;
    }
    0
}

/// The coroutine that calls by process ids mean: the calling one by 0, others by their ids.
fn meant(id: pid_t) -> Option<Thread> {
    if id == 0 { thread::current_thread() } else { thread::with_id(id) }
}

/// See sched_setscheduler(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sched_setscheduler(
    id: pid_t,
    policy: c_int,
    parameters: *const sched_param,
) -> c_int {
    let Some(own) = meant(id) else {
        return real!(
            sched_setscheduler(id, policy, parameters):
                fn(pid_t, c_int, *const sched_param) -> c_int
        );
    };
    /// Children do not inherit it.
    const SCHED_RESET_ON_FORK: c_int = 0x4000_0000;
    // SAFETY: the caller's obligation.
    let priority = unsafe { (*parameters).sched_priority };
    let result = schedule(own, policy & !SCHED_RESET_ON_FORK, priority);
    outcome(result.map(|()| 0)) as c_int
}

/// See sched_getscheduler(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sched_getscheduler(id: pid_t) -> c_int {
    match meant(id) {
        Some(own) => own.scheduling().0,
        None => real!(sched_getscheduler(id): fn(pid_t) -> c_int),
    }
}

/// See sched_setparam(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sched_setparam(id: pid_t, parameters: *const sched_param) -> c_int {
    match meant(id) {
        Some(own) => {
            // SAFETY: the caller's obligation.
            let priority = unsafe { (*parameters).sched_priority };
            outcome(schedule(own, own.scheduling().0, priority).map(|()| 0)) as c_int
        }
        None => real!(sched_setparam(id, parameters): fn(pid_t, *const sched_param) -> c_int),
    }
}

/// See sched_getparam(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sched_getparam(id: pid_t, parameters: *mut sched_param) -> c_int {
    match meant(id) {
        Some(own) => {
            // SAFETY: the caller's place.
            unsafe { (*parameters).sched_priority = own.scheduling().1 };
            0
        }
        None => real!(sched_getparam(id, parameters): fn(pid_t, *mut sched_param) -> c_int),
    }
}

/// Notes on which processors a coroutine is to run.
///
/// # Safety
/// `set` has `size` bytes.
unsafe fn set_affinity(thread: Thread, size: usize, set: *const cpu_set_t) -> Result<(), Errno> {
    // SAFETY: all-zero is a valid set; no more is copied than either has.
    let kept = unsafe {
        let mut kept: cpu_set_t = mem::zeroed();
        let len = size.min(size_of::<cpu_set_t>());
        set.cast::<u8>().copy_to_nonoverlapping((&raw mut kept).cast(), len);
        kept
    };
    let mut available = process_set()?;
    let (some, all) = (bytes(&kept), bytes_mut(&mut available));
    all.iter_mut().zip(some).for_each(|(all, some)| *all &= some);
    if all.iter().all(|byte| *byte == 0) {
        return Err(Errno::INVAL);
    }
    thread.set_affinity(available);
    Ok(())
}

/// The processors that the process has.
fn process_set() -> Result<cpu_set_t, Errno> {
    // SAFETY: all-zero is a valid set to fill in.
    let mut set: cpu_set_t = unsafe { mem::zeroed() };
    let process = std::process::id() as usize;
    let size = size_of::<cpu_set_t>();
    let args = [process, size, (&raw mut set) as usize, 0, 0, 0];
    // SAFETY: a place of that size.
    unsafe { lisle_sys::syscall(libc::SYS_sched_getaffinity, args) }?;
    Ok(set)
}

/// Any bytes are a set, and a set is bytes.
fn bytes(set: &cpu_set_t) -> &[u8] {
    // SAFETY: a plain structure of integers.
    unsafe { std::slice::from_raw_parts((&raw const *set).cast(), size_of::<cpu_set_t>()) }
}

/// As [`bytes`].
fn bytes_mut(set: &mut cpu_set_t) -> &mut [u8] {
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts_mut((&raw mut *set).cast(), size_of::<cpu_set_t>()) }
}

/// Tells on which processors a coroutine is to run.
///
/// # Safety
/// `place` has `size` bytes.
unsafe fn get_affinity(thread: Thread, size: usize, place: *mut cpu_set_t) -> Result<(), Errno> {
    let set = match thread.affinity() {
        Some(set) => set,
        None => process_set()?,
    };
    let set = bytes(&set);
    let used = set.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if size < used {
        return Err(Errno::INVAL);
    }
    let len = size.min(set.len());
    // SAFETY: the caller's obligation.
    unsafe {
        place.cast::<u8>().write_bytes(0, size);
        set.as_ptr().copy_to_nonoverlapping(place.cast(), len);
    }
    Ok(())
}

/// See pthread_setaffinity_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_setaffinity_np(
    thread: pthread_t,
    size: usize,
    set: *const cpu_set_t,
) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { thread::of(thread) } {
        // SAFETY: as above.
        Some(own) => number(unsafe { set_affinity(own, size, set) }),
        None => real!(
            pthread_setaffinity_np(thread, size, set):
                fn(pthread_t, usize, *const cpu_set_t) -> c_int
        ),
    }
}

/// See pthread_getaffinity_np(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_getaffinity_np(
    thread: pthread_t,
    size: usize,
    set: *mut cpu_set_t,
) -> c_int {
    // SAFETY: the caller's obligation.
    match unsafe { thread::of(thread) } {
        // SAFETY: as above.
        Some(own) => number(unsafe { get_affinity(own, size, set) }),
        None => real!(
            pthread_getaffinity_np(thread, size, set):
                fn(pthread_t, usize, *mut cpu_set_t) -> c_int
        ),
    }
}

/// See sched_setaffinity(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sched_setaffinity(
    id: pid_t,
    size: usize,
    set: *const cpu_set_t,
) -> c_int {
    match meant(id) {
        // SAFETY: the caller's obligation.
        Some(own) => outcome(unsafe { set_affinity(own, size, set) }.map(|()| 0)) as c_int,
        None => real!(
            sched_setaffinity(id, size, set): fn(pid_t, usize, *const cpu_set_t) -> c_int
        ),
    }
}

/// See sched_getaffinity(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sched_getaffinity(
    id: pid_t,
    size: usize,
    set: *mut cpu_set_t,
) -> c_int {
    match meant(id) {
        // SAFETY: the caller's obligation.
        Some(own) => outcome(unsafe { get_affinity(own, size, set) }.map(|()| 0)) as c_int,
        None => real!(
            sched_getaffinity(id, size, set): fn(pid_t, usize, *mut cpu_set_t) -> c_int
        ),
    }
}
