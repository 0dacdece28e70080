//! Traps of C++: exceptions in flight, `thread_local` objects, statics of functions, streams and
//! the rest of its library that waits.
//!
//! The code is in `fixtures/traps.cpp` and runs on coroutines that move between OS threads, and on
//! OS threads. What waits for C's locks is in `conform_locks.rs`.

mod util;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use util::{Folder, Library, c_path, has_cxx, load, mixed, on_workers, twins, waits_for};

const COUNT: usize = 24;

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

/// Runs `f` with the fixture on many coroutines and OS threads at once, with one worker and with
/// several. It returns how much was wrong.
fn nothing_wrong(f: fn(&Library, c_int) -> c_int) {
    let library = Arc::new(load("traps.cpp", &[]));
    let wrong = mixed(COUNT, move |own| f(&library, own as c_int));
    assert_eq!(wrong, [0; COUNT]);
}

/// Calls a function of type `(suspend, int, int) -> int`.
fn call(library: &Library, name: &str, one: c_int, other: c_int) -> c_int {
    // SAFETY: the functions that are named below have this type.
    unsafe {
        let f: extern "C" fn(Suspend, c_int, c_int) -> c_int = library.get(name);
        f(suspend, one, other)
    }
}

#[test]
fn exceptions_through_frames_that_suspended() {
    if has_cxx() {
        on_workers(|| nothing_wrong(|library, own| call(library, "exceptions", own, 10)));
    }
}

#[test]
fn exceptions_within_exceptions() {
    if has_cxx() {
        on_workers(|| nothing_wrong(|library, own| call(library, "nested_exceptions", own, 20)));
    }
}

/// What one has caught another throws and frees: coroutines and OS threads in turns.
#[test]
fn an_exception_that_moves_to_another_thread() {
    if !has_cxx() {
        return;
    }
    on_workers(|| {
        let library = Arc::new(load("traps.cpp", &[]));
        let theirs = Arc::clone(&library);
        let caught = mixed(COUNT, move |own| {
            // SAFETY: the function has this type.
            unsafe {
                let f: extern "C" fn(Suspend, c_int) -> *mut c_void = theirs.get("catch_one");
                f(suspend, own as c_int) as usize
            }
        });
        let caught = Arc::new(caught);
        let wrong = mixed(COUNT, move |own| {
            // Of a neighbour, which was of the other kind.
            let other = (own + 1) % COUNT;
            // SAFETY: the function has this type, and takes what the other one gave, once.
            unsafe {
                type Throw = extern "C" fn(Suspend, *mut c_void, c_int) -> c_int;
                let f: Throw = library.get("throw_caught");
                f(suspend, caught[other] as *mut c_void, other as c_int)
            }
        });
        assert_eq!(wrong, [0; COUNT]);
    });
}

/// Objects of a thread end when it does, the last one first, and may suspend meanwhile.
#[test]
fn thread_local_objects_end_in_order() {
    if !has_cxx() {
        return;
    }
    on_workers(|| {
        let library = Arc::new(load("traps.cpp", &[]));
        let theirs = Arc::clone(&library);
        let made = mixed(COUNT, move |_| {
            let mut place: *mut c_void = std::ptr::null_mut();
            // SAFETY: the function has this type; a live place.
            let wrong = unsafe {
                type Use = extern "C" fn(Suspend, *mut *mut c_void) -> c_int;
                let f: Use = theirs.get("use_locals");
                f(suspend, &raw mut place)
            };
            (wrong, place as usize)
        });
        for (wrong, place) in made {
            let mut text = [0 as c_char; 16];
            // SAFETY: the function has this type; a place of 16 bytes. Who made the other place
            // was joined, and its objects have ended by then.
            let order = unsafe {
                type Ends = extern "C" fn(*mut c_void, *mut c_char, usize);
                let f: Ends = library.get("ends_of");
                f(place as *mut c_void, text.as_mut_ptr(), text.len());
                CStr::from_ptr(text.as_ptr()).to_str().unwrap()
            };
            // That of the function was made first; those of the file together, in their order, when
            // one of them was used.
            assert_eq!((wrong, order), (0, "bac"));
        }
    });
}

#[test]
fn the_identity_of_a_thread() {
    if has_cxx() {
        on_workers(|| {
            nothing_wrong(|library, _| {
                // SAFETY: the function has this type.
                unsafe {
                    let f: extern "C" fn(Suspend, c_int) -> c_int = library.get("identity");
                    f(suspend, 100)
                }
            });
        });
    }
}

#[test]
fn streams_and_their_locales() {
    if has_cxx() {
        on_workers(|| {
            nothing_wrong(|library, own| {
                let folder = Folder::new(&format!("conform-streams-{own}"), false);
                let path = c_path(&folder.at("lines"));
                // SAFETY: the function has this type; a C string.
                unsafe {
                    type Call = extern "C" fn(Suspend, c_int, *const c_char) -> c_int;
                    let f: Call = library.get("streams");
                    f(suspend, own, path.as_ptr())
                }
            });
        });
    }
}

#[test]
fn files_and_folders() {
    if has_cxx() {
        on_workers(|| {
            nothing_wrong(|library, own| {
                let folder = Folder::new(&format!("conform-filesystem-{own}"), false);
                let path = c_path(&folder.0);
                // SAFETY: the function has this type; a C string.
                unsafe {
                    type Call = extern "C" fn(Suspend, *const c_char) -> c_int;
                    let f: Call = library.get("files");
                    f(suspend, path.as_ptr())
                }
            });
        });
    }
}

/// A static of a function that one makes, suspending, while others wait for it; and one whose
/// making fails twice, so that others have to try.
#[test]
fn statics_of_functions() {
    if !has_cxx() {
        return;
    }
    on_workers(|| {
        let library = Arc::new(load("traps.cpp", &[]));
        let results = mixed(COUNT, move |_| {
            // SAFETY: the functions have this type.
            unsafe {
                let [slow, failing] = ["slow_static", "failing_static"]
                    .map(|name| library.get::<extern "C" fn(Suspend) -> c_int>(name));
                (slow(suspend), failing(suspend))
            }
        });
        assert!(results.iter().all(|(slow, failures)| *slow == 1 && *failures >= 0));
        let failures: c_int = results.iter().map(|(_, failures)| failures).sum();
        assert_eq!(failures, 2);
    });
}

#[test]
fn sleeping() {
    if has_cxx() {
        twins(|coroutine| {
            let library = load("traps.cpp", &[]);
            let call = || {
                // SAFETY: the function has this type.
                unsafe {
                    let f: extern "C" fn(c_int) -> c_int = library.get("sleeps");
                    f(20)
                }
            };
            let right = waits_for(coroutine, Duration::from_millis(20), call);
            vec![format!("{right}")]
        });
    }
}
