//! Calls that give way, sleep for no time, and resolve what is no name.

use std::ffi::{c_char, c_int};
use std::mem::zeroed;
use std::ptr;

use libc::{addrinfo, clockid_t, timespec};

use super::way::{Loop, Way, function, repeat};
use crate::Outcome;

type Yield = unsafe extern "C" fn() -> c_int;
type Sleep = unsafe extern "C" fn(clockid_t, c_int, *const timespec, *mut timespec) -> c_int;
type Resolve = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const addrinfo,
    *mut *mut addrinfo,
) -> c_int;

/// The processor is offered to others, of which there are none.
pub(super) fn give_way(way: Way) -> Outcome<Loop> {
    let give_way = function!(way, libc::sched_yield: Yield);
    // SAFETY: nothing is asked of the caller.
    repeat(move || unsafe { give_way() == 0 })
}

/// A sleep of no time.
pub(super) fn sleep_for_nothing(way: Way) -> Outcome<Loop> {
    let sleep = function!(way, libc::clock_nanosleep: Sleep);
    repeat(move || {
        let time = timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a live structure; nobody wants to know the rest.
        unsafe { sleep(libc::CLOCK_MONOTONIC, 0, &raw const time, ptr::null_mut()) == 0 }
    })
}

/// A host that is an address in numbers.
pub(super) fn resolve(way: Way) -> Outcome<Loop> {
    let resolve = function!(way, libc::getaddrinfo: Resolve);
    repeat(move || {
        let mut found = ptr::null_mut();
        // SAFETY: nothing but zeros is a hint; the texts end with NUL. What was found is freed
        // once.
        unsafe {
            let hints = addrinfo {
                ai_flags: libc::AI_NUMERICHOST,
                ai_socktype: libc::SOCK_STREAM,
                ..zeroed()
            };
            let (host, port) = (c"127.0.0.1".as_ptr(), c"80".as_ptr());
            let result = resolve(host, port, &raw const hints, &raw mut found);
            if result == 0 {
                libc::freeaddrinfo(found);
            }
            result == 0
        }
    })
}
