//! Walking trees of files inside of the C library: on a spare carrier.
//!
//! The caller's functions, as `ftw` calls them for each file, run there too; what they call blocks
//! it rather than suspending the coroutine.

use std::ffi::{c_char, c_int, c_long, c_void};

use libc::{FILE, glob_t};

use crate::define::elsewhere;

/// The caller's function for a file: `ftw` and its kin give it two more or three more arguments
/// than the path, which are not looked at here.
type Visit = *const c_void;
/// What orders entries, or is told of errors.
type Callback = *const c_void;
/// The state of a walk.
type Walk = c_void;
/// A file that is visited.
type Entry = c_void;

elsewhere! {
    ftw(path: *const c_char, visit: Visit, depth: c_int) -> c_int;
    ftw64(path: *const c_char, visit: Visit, depth: c_int) -> c_int;
    nftw(path: *const c_char, visit: Visit, depth: c_int, flags: c_int) -> c_int;
    nftw64(path: *const c_char, visit: Visit, depth: c_int, flags: c_int) -> c_int;
    fts_open(paths: *const *mut c_char, options: c_int, order: Callback) -> *mut Walk;
    fts_read(walk: *mut Walk) -> *mut Entry;
    fts_children(walk: *mut Walk, options: c_int) -> *mut Entry;
    fts_close(walk: *mut Walk) -> c_int;
    fts64_open(paths: *const *mut c_char, options: c_int, order: Callback) -> *mut Walk;
    fts64_read(walk: *mut Walk) -> *mut Entry;
    fts64_children(walk: *mut Walk, options: c_int) -> *mut Entry;
    fts64_close(walk: *mut Walk) -> c_int;
    glob(pattern: *const c_char, flags: c_int, failed: Callback, found: *mut glob_t) -> c_int;
    glob64(pattern: *const c_char, flags: c_int, failed: Callback, found: *mut c_void) -> c_int;
    wordexp(text: *const c_char, words: *mut c_void, flags: c_int) -> c_int;
}

// What is written or read by the way: messages, templates of dates.
elsewhere! {
    fmtmsg(
        class: c_long,
        label: *const c_char,
        severity: c_int,
        text: *const c_char,
        action: *const c_char,
        tag: *const c_char,
    ) -> c_int;
    getdate(text: *const c_char) -> *mut c_void;
    getdate_r(text: *const c_char, place: *mut c_void) -> c_int;
}

// Tables that are files, read or written line by line.
elsewhere! {
    getmntent(file: *mut FILE) -> *mut c_void;
    getmntent_r(file: *mut FILE, place: *mut c_void, text: *mut c_char, len: c_int) -> *mut c_void;
    addmntent(file: *mut FILE, entry: *const c_void) -> c_int;
    setmntent(path: *const c_char, kind: *const c_char) -> *mut FILE;
    endmntent(file: *mut FILE) -> c_int;
    getfsent() -> *mut c_void;
    getfsspec(name: *const c_char) -> *mut c_void;
    getfsfile(name: *const c_char) -> *mut c_void;
    setfsent() -> c_int;
    getttyent() -> *mut c_void;
    getttynam(name: *const c_char) -> *mut c_void;
    setttyent() -> c_int;
    getusershell() -> *mut c_char;
    setusershell() -> ();
}

// What is loaded when it is first asked for: locales, converters, catalogues of messages.
elsewhere! {
    newlocale(mask: c_int, name: *const c_char, base: *mut c_void) -> *mut c_void;
    iconv_open(to: *const c_char, from: *const c_char) -> *mut c_void;
    catopen(name: *const c_char, flags: c_int) -> *mut c_void;
}

crate::define::elsewhere_if! {
    // Without a name it only asks.
    setlocale(category: c_int, name: *const c_char) -> *mut c_char: !name.is_null();
}
