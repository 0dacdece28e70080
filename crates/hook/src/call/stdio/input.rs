//! Reading bytes from streams.

use std::ffi::{c_char, c_int, c_void};

use libc::{FILE, size_t, ssize_t};

use super::plan::{self, Lock, Need, Stream, standard};
use crate::define::alias;
use crate::real::real;

/// What reading `bytes` may wait for.
#[inline]
fn reading(stream: Stream, bytes: usize) -> Need {
    // Bytes of a stream of wide characters are an error.
    if bytes <= stream.available().len() || stream.is_at_end() || stream.is_wide() {
        Need::Nothing
    } else {
        Need::Read(bytes)
    }
}

/// What reading up to `most` bytes may wait for, which ends behind a `delimiter`.
fn reading_until(stream: Stream, most: usize, delimiter: c_int) -> Need {
    let available = stream.available();
    if most > available.len() && available.contains(&(delimiter as u8)) {
        return Need::Nothing;
    }
    match reading(stream, most) {
        Need::Read(_) => Need::Read(0),
        need => need,
    }
}

/// Defines hooks: the stream, the lock, the need.
macro_rules! reading {
    ($($name:ident($($argument:ident: $kind:ty),* $(,)?) -> $result:ty:
        $stream:expr, $lock:ident, |$state:ident| $need:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            let call = || real!($name($($argument),*): fn($($kind),*) -> $result);
            // SAFETY: the caller's obligation.
            unsafe {
                plan::run(
                    $stream,
                    Lock::$lock,
                    |$state| $need,
                    call,
                )
            }
        }
    )*};
}

const NEWLINE: c_int = b'\n' as c_int;
const WORD: usize = size_of::<c_int>();

/// The bytes that `fgets` wants at most.
fn line(size: c_int) -> usize {
    usize::try_from(size).unwrap_or(0).saturating_sub(1)
}

reading! {
    fgetc(stream: *mut FILE) -> c_int: stream, Taken, |s| reading(s, 1);
    getc(stream: *mut FILE) -> c_int: stream, Taken, |s| reading(s, 1);
    getchar() -> c_int: standard::input(), Taken, |s| reading(s, 1);
    getw(stream: *mut FILE) -> c_int: stream, Taken, |s| reading(s, WORD);
    fgets(text: *mut c_char, size: c_int, stream: *mut FILE) -> *mut c_char:
        stream, Taken, |s| reading_until(s, line(size), NEWLINE);
    gets(text: *mut c_char) -> *mut c_char:
        standard::input(), Taken, |s| reading_until(s, usize::MAX, NEWLINE);
    fread(place: *mut c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t:
        stream, Taken, |s| reading(s, size.saturating_mul(count));
    getline(text: *mut *mut c_char, len: *mut size_t, stream: *mut FILE) -> ssize_t:
        stream, Taken, |s| reading_until(s, usize::MAX, NEWLINE);
    getdelim(text: *mut *mut c_char, len: *mut size_t, end: c_int, stream: *mut FILE) -> ssize_t:
        stream, Taken, |s| reading_until(s, usize::MAX, end);
    ungetc(byte: c_int, stream: *mut FILE) -> c_int: stream, Taken, |_s| Need::Nothing;
}

reading! {
    fgetc_unlocked(stream: *mut FILE) -> c_int: stream, Left, |s| reading(s, 1);
    getc_unlocked(stream: *mut FILE) -> c_int: stream, Left, |s| reading(s, 1);
    getchar_unlocked() -> c_int: standard::input(), Left, |s| reading(s, 1);
    fgets_unlocked(text: *mut c_char, size: c_int, stream: *mut FILE) -> *mut c_char:
        stream, Left, |s| reading_until(s, line(size), NEWLINE);
    fread_unlocked(place: *mut c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t:
        stream, Left, |s| reading(s, size.saturating_mul(count));
    // What macros call when the buffer is empty.
    __uflow(stream: *mut FILE) -> c_int: stream, Left, |s| reading(s, 1);
    __underflow(stream: *mut FILE) -> c_int: stream, Left, |s| reading(s, 1);
}

// Fortified: they see for themselves whether the caller's buffer overflows.
reading! {
    __fgets_chk(text: *mut c_char, room: size_t, size: c_int, stream: *mut FILE) -> *mut c_char:
        stream, Taken, |s| reading_until(s, line(size), NEWLINE);
    __fgets_unlocked_chk(text: *mut c_char, room: size_t, size: c_int, stream: *mut FILE)
        -> *mut c_char:
        stream, Left, |s| reading_until(s, line(size), NEWLINE);
    __gets_chk(text: *mut c_char, room: size_t) -> *mut c_char:
        standard::input(), Taken, |s| reading_until(s, usize::MAX, NEWLINE);
    __fread_chk(
        place: *mut c_void,
        room: size_t,
        size: size_t,
        count: size_t,
        stream: *mut FILE,
    ) -> size_t: stream, Taken, |s| reading(s, size.saturating_mul(count));
    __fread_unlocked_chk(
        place: *mut c_void,
        room: size_t,
        size: size_t,
        count: size_t,
        stream: *mut FILE,
    ) -> size_t: stream, Left, |s| reading(s, size.saturating_mul(count));
}

alias! {
    __getdelim(text: *mut *mut c_char, len: *mut size_t, end: c_int, stream: *mut FILE)
        -> ssize_t = getdelim;
    _IO_getc(stream: *mut FILE) -> c_int = getc;
    _IO_fgets(text: *mut c_char, size: c_int, stream: *mut FILE) -> *mut c_char = fgets;
    _IO_gets(text: *mut c_char) -> *mut c_char = gets;
    _IO_fread(place: *mut c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t =
        fread;
    _IO_ungetc(byte: c_int, stream: *mut FILE) -> c_int = ungetc;
}
