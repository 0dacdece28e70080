//! C's locks, as C++ calls them: held by who suspends, waited for by coroutines and OS threads.
//!
//! The code is in `fixtures/locks.cpp`.

mod util;

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use util::{Library, has_cxx, load, mixed, on_workers, twins, waits_for};

const COUNT: usize = 8;

/// Suspends in one of several ways.
extern "C" fn suspend() {
    static TURN: AtomicU32 = AtomicU32::new(0);
    match TURN.fetch_add(1, Ordering::Relaxed) % 8 {
        0 => std::thread::sleep(Duration::from_micros(50)),
        1 => lisle::blocking(|| ()),
        _ => std::thread::yield_now(),
    }
}

type Suspend = extern "C" fn();

/// Runs `f` with the fixture on coroutines and OS threads, with one worker and with several. It
/// returns how much was wrong.
fn nothing_wrong(f: fn(&Library, c_int) -> c_int) {
    let library = Arc::new(load("locks.cpp", &[]));
    let wrong = mixed(COUNT, move |own| f(&library, own as c_int));
    assert_eq!(wrong, [0; COUNT]);
}

/// Calls a function of type `(suspend, int, int) -> int`.
fn call(library: &Library, name: &str, one: c_int, other: c_int) -> c_int {
    // SAFETY: the functions that are named below have this type, or this one without the last
    // argument or two, which they do not look at.
    unsafe {
        let f: extern "C" fn(Suspend, c_int, c_int) -> c_int = library.get(name);
        f(suspend, one, other)
    }
}

#[test]
fn mutexes_whose_holders_suspend() {
    if has_cxx() {
        on_workers(|| nothing_wrong(|library, _| call(library, "mutexes", 20, 0)));
    }
}

#[test]
fn readers_and_writers() {
    if has_cxx() {
        on_workers(|| nothing_wrong(|library, own| call(library, "shared_mutexes", own, 40)));
    }
}

#[test]
fn what_is_made_once() {
    if has_cxx() {
        on_workers(|| nothing_wrong(|library, _| call(library, "once", 0, 0)));
    }
}

#[test]
fn a_queue_with_conditions() {
    if has_cxx() {
        on_workers(|| nothing_wrong(|library, own| call(library, "conditions", own, 50)));
    }
}

#[test]
fn waiting_with_a_time_lets_others_run() {
    if has_cxx() {
        twins(|coroutine| {
            let library = load("locks.cpp", &[]);
            let least = Duration::from_millis(20);
            let call = || call(&library, "timed_mutexes", 20, 0);
            vec![format!("{}", waits_for(coroutine, least, call))]
        });
    }
}
