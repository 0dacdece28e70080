//! Traps of C: what compilers keep across calls, jumps over frames, functions that call back, and
//! the names that programs call which were built with `_FORTIFY_SOURCE`.
//!
//! The code is in `fixtures/traps.c` and `fixtures/fortified.c`. It is optimised, as programs are,
//! and runs on coroutines that move between OS threads in between, and on OS threads.

mod util;

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use util::{Folder, Library, load, on_workers, told, twins, waits};

const COUNT: usize = 24;

/// Moves to another OS thread were seen.
static MOVES: AtomicU32 = AtomicU32::new(0);

/// Suspends in one of several ways, and leaves `errno` alone.
extern "C" fn suspend() {
    static TURN: AtomicU32 = AtomicU32::new(0);
    // SAFETY: plain calls; every thread has an errno.
    unsafe {
        let (errno, thread) = (*libc::__errno_location(), libc::gettid());
        match TURN.fetch_add(1, Ordering::Relaxed) % 8 {
            0 => std::thread::sleep(Duration::from_micros(50)),
            1 => lisle::blocking(|| ()),
            _ => std::thread::yield_now(),
        }
        MOVES.fetch_add(u32::from(libc::gettid() != thread), Ordering::Relaxed);
        *libc::__errno_location() = errno;
    }
}

type Suspend = extern "C" fn();

/// Runs a function of the fixture on many coroutines and OS threads at once, with one worker and
/// with several; it returns how much was wrong. Again until coroutines have moved to other threads
/// meanwhile, where they may: who comes back from a spare carrier goes on on any worker.
fn nothing_wrong(library: &Arc<Library>, f: fn(&Library, c_int) -> c_int) {
    let may_move = !util::threads() && lisle::runtime::workers() > 1;
    loop {
        let library = Arc::clone(library);
        let wrong = util::mixed(COUNT, move |own| f(&library, own as c_int));
        assert_eq!(wrong, [0; COUNT]);
        if !may_move || MOVES.load(Ordering::Relaxed) > 0 {
            return;
        }
    }
}

/// The libraries: with and without checks.
fn traps() -> [Arc<Library>; 2] {
    let checked = &["-D_FORTIFY_SOURCE=2"];
    [load("traps.c", &[]), load("traps.c", checked)].map(Arc::new)
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
fn errno_whose_address_the_compiler_keeps() {
    on_workers(|| {
        let [library, _] = traps();
        nothing_wrong(&library, |l, own| call(l, "errno_across", own * 1000, 100));
    });
}

#[test]
fn thread_locals_of_a_library() {
    on_workers(|| {
        let [library, _] = traps();
        nothing_wrong(&library, |l, own| call(l, "thread_local_across", own * 1000, 100));
    });
}

#[test]
fn jumps_over_frames_that_suspended() {
    on_workers(|| {
        for library in traps() {
            nothing_wrong(&library, |library, _| {
                // SAFETY: the functions have this type.
                unsafe {
                    let one: extern "C" fn(Suspend, c_int) -> c_int = library.get("jumps");
                    let other: extern "C" fn(Suspend, c_int) -> c_int = library.get("jumps_back");
                    one(suspend, 10) + other(suspend, 50)
                }
            });
        }
    });
}

#[test]
fn comparisons_that_suspend() {
    on_workers(|| {
        let [library, _] = traps();
        nothing_wrong(&library, |library, own| {
            // SAFETY: the function has this type.
            unsafe {
                let f: extern "C" fn(Suspend, c_uint, c_int) -> c_int = library.get("sorts");
                f(suspend, own as c_uint, 200)
            }
        });
    });
}

#[test]
fn memory_on_the_stack() {
    on_workers(|| {
        for library in traps() {
            nothing_wrong(&library, |l, own| call(l, "stack_memory", 100 + own * 7, 20));
        }
    });
}

#[test]
fn variable_arguments() {
    on_workers(|| {
        let [library, _] = traps();
        nothing_wrong(&library, |library, _| {
            // SAFETY: the function has this type.
            unsafe {
                let f: extern "C" fn(Suspend) -> c_int = library.get("variable_arguments");
                f(suspend)
            }
        });
    });
}

#[test]
fn the_rounding_of_numbers() {
    on_workers(|| {
        let [library, _] = traps();
        nothing_wrong(&library, |l, own| call(l, "rounding", own, 50));
    });
}

/// Built with and without checks: the results are the same. `fortified.c` has the numbers.
fn fortified(library: &Library, which: c_int, fd: c_int) -> String {
    let mut text = [0 as c_char; 64];
    // SAFETY: the function has this type; a place of 64 bytes, which it ends with NUL.
    unsafe {
        type Call = extern "C" fn(c_int, c_int, usize, *mut c_char) -> libc::c_long;
        let call: Call = library.get("fortified");
        let line = told("", call(which, fd, 8, text.as_mut_ptr()) as isize);
        format!("{which}{line} {:?}", CStr::from_ptr(text.as_ptr()))
    }
}

const LEVELS: [&[&str]; 3] = [&[], &["-D_FORTIFY_SOURCE=2"], &["-D_FORTIFY_SOURCE=3"]];

/// The checked names give what the others do, where nobody has to wait.
#[test]
fn checked_calls_of_what_is_there() {
    twins(|coroutine| {
        let folder = Folder::new("conform-fortified", coroutine);
        std::fs::write(folder.at("file"), b"0123456789").unwrap();
        let file = std::fs::File::open(folder.at("file")).unwrap();
        let mut seen = Vec::new();
        for flags in LEVELS {
            let library = load("fortified.c", flags);
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let mut lines = Vec::new();
            for which in 0..5 {
                theirs.write_all(b"12345678").unwrap();
                lines.push(fortified(&library, which, ours.as_raw_fd()));
            }
            for which in 5..9 {
                lines.push(fortified(&library, which, file.as_raw_fd()));
            }
            lines.push(fortified(&library, 0, -1));
            lines.push(fortified(&library, 1, file.as_raw_fd()));
            seen.push(lines);
        }
        assert!(seen.iter().all(|lines| *lines == seen[0]), "{seen:#?}");
        seen.remove(0)
    });
}

/// The checked names suspend.
#[test]
fn checked_calls_let_others_run() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        for flags in LEVELS {
            let library = load("fortified.c", flags);
            for which in 0..5 {
                let (ours, mut theirs) = UnixStream::pair().unwrap();
                let send = move || theirs.write_all(b"12345678").map(|()| theirs);
                let call = || fortified(&library, which, ours.as_raw_fd());
                lines.push(waits(coroutine, Duration::from_millis(20), send, call).0);
            }
        }
        lines
    });
}
