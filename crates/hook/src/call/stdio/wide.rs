//! Wide characters on streams.
//!
//! Their buffers are not public, so all that is known is how much is in them: what is read hops
//! unless it comes from a file or from memory.

use std::ffi::{c_int, c_void};

use libc::{FILE, size_t, wchar_t};

use super::plan::{self, Lock, Need, Stream, WIDEST, standard};
use crate::real::real;

/// What a wide character is, or the end.
type Wide = u32;

fn writing(stream: Stream, count: usize) -> Need {
    // Wide characters on a stream of bytes are an error.
    if count < stream.room_wide() || stream.is_of_bytes() {
        Need::Nothing
    } else {
        Need::Write(count.saturating_mul(WIDEST))
    }
}

fn writing_some(stream: Stream) -> Need {
    if stream.is_of_bytes() { Need::Nothing } else { Need::WriteSome }
}

fn reading(stream: Stream) -> Need {
    if stream.is_of_bytes() { Need::Nothing } else { Need::Read(0) }
}

fn length(text: *const wchar_t) -> usize {
    // SAFETY: a wide string, by the caller's obligation.
    unsafe { libc::wcslen(text) }
}

/// Defines hooks: the stream, the lock, the need.
macro_rules! wide {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty:
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

wide! {
    fputwc(wide: wchar_t, stream: *mut FILE) -> Wide: stream, Taken, |s| writing(s, 1);
    putwc(wide: wchar_t, stream: *mut FILE) -> Wide: stream, Taken, |s| writing(s, 1);
    putwchar(wide: wchar_t) -> Wide: standard::output(), Taken, |s| writing(s, 1);
    fputws(text: *const wchar_t, stream: *mut FILE) -> c_int:
        stream, Taken, |s| writing(s, length(text));
    fputwc_unlocked(wide: wchar_t, stream: *mut FILE) -> Wide: stream, Left, |s| writing(s, 1);
    putwc_unlocked(wide: wchar_t, stream: *mut FILE) -> Wide: stream, Left, |s| writing(s, 1);
    putwchar_unlocked(wide: wchar_t) -> Wide: standard::output(), Left, |s| writing(s, 1);
    fputws_unlocked(text: *const wchar_t, stream: *mut FILE) -> c_int:
        stream, Left, |s| writing(s, length(text));
    __woverflow(stream: *mut FILE, wide: Wide) -> Wide: stream, Left, |s| writing(s, 1);
}

wide! {
    fgetwc(stream: *mut FILE) -> Wide: stream, Taken, |s| reading(s);
    getwc(stream: *mut FILE) -> Wide: stream, Taken, |s| reading(s);
    getwchar() -> Wide: standard::input(), Taken, |s| reading(s);
    fgetws(text: *mut wchar_t, count: c_int, stream: *mut FILE) -> *mut wchar_t:
        stream, Taken, |s| reading(s);
    ungetwc(wide: Wide, stream: *mut FILE) -> Wide: stream, Taken, |_s| Need::Nothing;
    fgetwc_unlocked(stream: *mut FILE) -> Wide: stream, Left, |s| reading(s);
    getwc_unlocked(stream: *mut FILE) -> Wide: stream, Left, |s| reading(s);
    getwchar_unlocked() -> Wide: standard::input(), Left, |s| reading(s);
    fgetws_unlocked(text: *mut wchar_t, count: c_int, stream: *mut FILE) -> *mut wchar_t:
        stream, Left, |s| reading(s);
    __fgetws_chk(text: *mut wchar_t, room: size_t, count: c_int, stream: *mut FILE)
        -> *mut wchar_t: stream, Taken, |s| reading(s);
    __fgetws_unlocked_chk(text: *mut wchar_t, room: size_t, count: c_int, stream: *mut FILE)
        -> *mut wchar_t: stream, Left, |s| reading(s);
    __wuflow(stream: *mut FILE) -> Wide: stream, Left, |s| reading(s);
    __wunderflow(stream: *mut FILE) -> Wide: stream, Left, |s| reading(s);
}

/// A list of arguments, passed on.
type Arguments = *mut c_void;

// Formats: how much they write is not known beforehand.
wide! {
    vfwprintf(stream: *mut FILE, format: *const wchar_t, arguments: Arguments) -> c_int:
        stream, Taken, |s| writing_some(s);
    vwprintf(format: *const wchar_t, arguments: Arguments) -> c_int:
        standard::output(), Taken, |s| writing_some(s);
    __vfwprintf_chk(
        stream: *mut FILE, flag: c_int, format: *const wchar_t, arguments: Arguments
    ) -> c_int: stream, Taken, |s| writing_some(s);
    __vwprintf_chk(flag: c_int, format: *const wchar_t, arguments: Arguments) -> c_int:
        standard::output(), Taken, |s| writing_some(s);
    vfwscanf(stream: *mut FILE, format: *const wchar_t, arguments: Arguments) -> c_int:
        stream, Taken, |s| reading(s);
    vwscanf(format: *const wchar_t, arguments: Arguments) -> c_int:
        standard::input(), Taken, |s| reading(s);
    __isoc99_vfwscanf(stream: *mut FILE, format: *const wchar_t, arguments: Arguments) -> c_int:
        stream, Taken, |s| reading(s);
    __isoc99_vwscanf(format: *const wchar_t, arguments: Arguments) -> c_int:
        standard::input(), Taken, |s| reading(s);
    __isoc23_vfwscanf(stream: *mut FILE, format: *const wchar_t, arguments: Arguments) -> c_int:
        stream, Taken, |s| reading(s);
    __isoc23_vwscanf(format: *const wchar_t, arguments: Arguments) -> c_int:
        standard::input(), Taken, |s| reading(s);
}
