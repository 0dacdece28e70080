//! Sleeping.

use libc::{clockid_t, timespec, useconds_t};
use lisle_sys::{Errno, clock};

use crate::real::{outcome, real};

/// See sleep(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn sleep(seconds: u32) -> u32 {
    if !lisle_rt::can_suspend() {
        return real!(sleep(seconds): fn(u32) -> u32);
    }
    suspend(u64::from(seconds) * 1_000_000_000);
    0
}

/// See usleep(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn usleep(micros: useconds_t) -> i32 {
    if !lisle_rt::can_suspend() {
        return real!(usleep(micros): fn(useconds_t) -> i32);
    }
    suspend(u64::from(micros) * 1_000);
    0
}

/// See nanosleep(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn nanosleep(request: *const timespec, rest: *mut timespec) -> i32 {
    if !lisle_rt::can_suspend() {
        return real!(nanosleep(request, rest): fn(*const timespec, *mut timespec) -> i32);
    }
    // SAFETY: a live timespec, by the caller's obligation.
    match nanos(unsafe { &*request }) {
        Some(nanos) => {
            suspend(nanos);
            0
        }
        None => outcome(Err(Errno::INVAL)) as i32,
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
        suspend(nanos);
    } else if id == libc::CLOCK_MONOTONIC {
        lisle_rt::sleep_until(nanos);
    } else {
        // The other clocks may be set, or run on while the machine sleeps.
        while let Some(left) = nanos.checked_sub(now(id)).filter(|left| *left > 0) {
            const LOOK_AGAIN: u64 = 1_000_000_000;
            suspend(left.min(LOOK_AGAIN));
        }
    }
    0
}

fn suspend(nanos: u64) {
    lisle_rt::sleep_until(clock::now().saturating_add(nanos));
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
