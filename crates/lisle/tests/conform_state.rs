//! What the C library keeps per thread is the coroutine's: locale, resolver, buffers of texts. And
//! the calls that resolve names say the same on an OS thread and on a coroutine.
//!
//! The code is in `fixtures/state.c`.

mod util;

use std::ffi::{CStr, c_char, c_int};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use util::{Library, Lines, in_child, load, mixed, on_workers, twins, twins_of_a_child};

const COUNT: usize = 24;

/// Suspends in one of several ways, and leaves `errno` alone.
extern "C" fn suspend() {
    static TURN: AtomicU32 = AtomicU32::new(0);
    match TURN.fetch_add(1, Ordering::Relaxed) % 8 {
        0 => std::thread::sleep(Duration::from_micros(50)),
        1 => lisle::blocking(|| ()),
        _ => std::thread::yield_now(),
    }
}

type Suspend = extern "C" fn();

/// Calls a function of type `(suspend, own, rounds) -> int` on many coroutines and OS threads at
/// once, twice, so that thread blocks are used again. It returns how much was wrong.
fn nothing_wrong(name: &'static str) {
    let library = Arc::new(load("state.c", &["-lresolv"]));
    for _ in 0..2 {
        let library = Arc::clone(&library);
        let wrong = mixed(COUNT, move |own| {
            // SAFETY: the functions named below have this type.
            unsafe {
                let f: extern "C" fn(Suspend, c_int, c_int) -> c_int = library.get(name);
                f(suspend, own as c_int, 30)
            }
        });
        assert_eq!(wrong, [0; COUNT], "{name}");
    }
}

#[test]
fn locales_of_ones_own() {
    on_workers(|| nothing_wrong("locales"));
}

#[test]
fn the_state_of_the_resolver() {
    on_workers(|| nothing_wrong("resolver"));
}

#[test]
fn texts_in_buffers_of_the_thread() {
    on_workers(|| nothing_wrong("texts"));
}

#[test]
fn functions_with_a_memory() {
    on_workers(|| nothing_wrong("memories"));
}

/// What the function writes, as lines.
fn written(library: &Library, write: impl FnOnce(&Library, *mut c_char, usize)) -> Lines {
    let mut text = vec![0_u8; 1 << 14];
    write(library, text.as_mut_ptr().cast(), text.len());
    let text = CStr::from_bytes_until_nul(&text).unwrap().to_str().unwrap();
    assert!(!text.is_empty());
    text.lines().map(str::to_owned).collect()
}

/// Functions of which the whole process has one memory, used by nobody else meanwhile.
#[test]
fn functions_with_a_memory_of_the_process() {
    let ended = in_child(&[("LISLE_WORKERS", "1")], || {
        twins_of_a_child(|_| {
            written(&load("state.c", &["-lresolv"]), |library, text, len| {
                // SAFETY: the function has this type; a place of that length.
                unsafe {
                    type Call = extern "C" fn(Suspend, *mut c_char, usize);
                    library.get::<Call>("shared_memories")(suspend, text, len);
                }
            })
        });
    });
    ended.expect_return();
}

/// `gethostbyname`, `getnameinfo` and `getaddrinfo`, with addresses and names that no server is
/// asked for.
#[test]
fn names_and_addresses() {
    twins(|_| {
        written(&load("state.c", &["-lresolv"]), |library, text, len| {
            // SAFETY: the function has this type; a place of that length.
            unsafe {
                library.get::<extern "C" fn(*mut c_char, usize)>("names")(text, len);
            }
        })
    });
}
