//! Sleeping.

use libc::{clockid_t, timespec, useconds_t};
use lisle_sys::{Errno, clock};

use crate::real::{cancellation_point, outcome, real};

/// See sleep(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sleep(seconds: u32) -> u32 {
    if !lisle_rt::can_suspend() {
        return real!(sleep(seconds): fn(u32) -> u32);
    }
    match suspend(u64::from(seconds) * 1_000_000_000) {
        Ok(()) => 0,
        // Whole seconds, as the C library has it.
        Err(left) => {
            cancellation_point();
            (left / 1_000_000_000) as u32
        }
    }
}

/// See usleep(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn usleep(micros: useconds_t) -> i32 {
    if !lisle_rt::can_suspend() {
        return real!(usleep(micros): fn(useconds_t) -> i32);
    }
    outcome(suspend(u64::from(micros) * 1_000).map_or(Err(Errno::INTR), |()| Ok(0))) as i32
}

/// See nanosleep(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn nanosleep(request: *const timespec, rest: *mut timespec) -> i32 {
    if !lisle_rt::can_suspend() {
        return real!(nanosleep(request, rest): fn(*const timespec, *mut timespec) -> i32);
    }
    // SAFETY: a live timespec, by the caller's obligation.
    let Some(nanos) = nanos(unsafe { &*request }) else {
        return outcome(Err(Errno::INVAL)) as i32;
    };
    match suspend(nanos) {
        Ok(()) => 0,
        Err(left) => {
            // SAFETY: null or a live place, by the caller's obligation.
            unsafe { tell(left, rest) };
            outcome(Err(Errno::INTR)) as i32
        }
    }
}

/// See clock_nanosleep(2): returns the error number, and leaves `errno` alone.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C-unwind" fn clock_nanosleep(
    id: clockid_t,
    flags: i32,
    request: *const timespec,
    rest: *mut timespec,
) -> i32 {
    let plain = || {
        real!(
            clock_nanosleep(id, flags, request, rest):
                fn(clockid_t, i32, *const timespec, *mut timespec) -> i32
        )
    };
    if !lisle_rt::can_suspend() {
        return plain();
    }
    if !matches!(id, libc::CLOCK_MONOTONIC | libc::CLOCK_REALTIME | libc::CLOCK_BOOTTIME) {
        return lisle_rt::blocking(plain);
    }
    // SAFETY: a live timespec, by the caller's obligation.
    let Some(nanos) = nanos(unsafe { &*request }) else { return libc::EINVAL };
    if flags & libc::TIMER_ABSTIME == 0 {
        if let Err(left) = suspend(nanos) {
            // SAFETY: null or a live place, by the caller's obligation.
            unsafe { tell(left, rest) };
            return interrupted();
        }
    } else if id == libc::CLOCK_MONOTONIC {
        if !lisle_rt::sleep_unless_interrupted(nanos) {
            return interrupted();
        }
    } else {
        // The other clocks may be set, or run on while the machine sleeps.
        while let Some(left) = nanos.checked_sub(now(id)).filter(|left| *left > 0) {
            const LOOK_AGAIN: u64 = 1_000_000_000;
            if suspend(left.min(LOOK_AGAIN)).is_err() {
                return interrupted();
            }
            if lisle_rt::stopped().is_some() {
                break;
            }
        }
    }
    0
}

/// Sleeps for so long; the error is what was left when a signal's handler ran.
fn suspend(nanos: u64) -> Result<(), u64> {
    let deadline = clock::now().saturating_add(nanos);
    if lisle_rt::sleep_unless_interrupted(deadline) {
        return Ok(());
    }
    Err(deadline.saturating_sub(clock::now()))
}

/// Tells how much was left of a sleep.
///
/// # Safety
/// `rest` is null or a live place.
unsafe fn tell(left: u64, rest: *mut timespec) {
    if !rest.is_null() {
        let (seconds, nanos) = (left / 1_000_000_000, left % 1_000_000_000);
        // SAFETY: the caller's obligation.
        unsafe { *rest = timespec { tv_sec: seconds as i64, tv_nsec: nanos as i64 } };
    }
}

/// None for what the kernel calls invalid.
fn nanos(time: &timespec) -> Option<u64> {
    let valid = time.tv_sec >= 0 && (0..1_000_000_000).contains(&time.tv_nsec);
    let seconds = (time.tv_sec as u64).saturating_mul(1_000_000_000);
    valid.then(|| seconds.saturating_add(time.tv_nsec as u64))
}

fn now(id: clockid_t) -> u64 {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a live place; the clock exists.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The result of a sleep that a signal has ended.
fn interrupted() -> i32 {
    cancellation_point();
    libc::EINTR
}
