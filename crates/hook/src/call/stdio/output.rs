//! Writing bytes to streams, and flushing them.

use std::ffi::{CStr, c_char, c_int, c_void};

use libc::{FILE, size_t};

use super::all::on_all;
use super::plan::{self, AT_ONCE, Lock, Need, Stream, Way, standard};
use crate::define::alias;
use crate::real::real;

/// What writing `bytes` may wait for; `ends_line` tells whether they have an end of line.
#[inline]
fn writing(stream: Stream, bytes: usize, ends_line: impl FnOnce() -> bool) -> Need {
    // Bytes on a stream of wide characters are an error.
    if bytes <= stream.room() || bytes == 0 || stream.is_wide() {
        return Need::Nothing;
    }
    if bytes <= stream.room_in_line() && !ends_line() { Need::Nothing } else { Need::Write(bytes) }
}

/// Defines hooks: the stream, the lock, the number of bytes, whether they end a line.
macro_rules! writing {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty:
        $stream:expr, $lock:ident, $bytes:expr, $ends:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            let call = || real!($name($($argument),*): fn($($kind),*) -> $result);
            // SAFETY: the caller's obligation.
            unsafe {
                plan::run(
                    $stream,
                    Lock::$lock,
                    |stream| writing(stream, $bytes, || $ends),
                    call,
                )
            }
        }
    )*};
}

const NEWLINE: c_int = b'\n' as c_int;

fn has_newline(place: *const c_void, len: usize) -> bool {
    // SAFETY: as many bytes are there, by the caller's obligation.
    !unsafe { libc::memchr(place, NEWLINE, len) }.is_null()
}

fn length(text: *const c_char) -> usize {
    // SAFETY: a C string, by the caller's obligation.
    unsafe { CStr::from_ptr(text) }.count_bytes()
}

writing! {
    fputc(byte: c_int, stream: *mut FILE) -> c_int: stream, Taken, 1, byte as u8 == b'\n';
    putc(byte: c_int, stream: *mut FILE) -> c_int: stream, Taken, 1, byte as u8 == b'\n';
    putchar(byte: c_int) -> c_int: standard::output(), Taken, 1, byte as u8 == b'\n';
    putw(word: c_int, stream: *mut FILE) -> c_int: stream, Taken, size_of::<c_int>(), true;
    fputs(text: *const c_char, stream: *mut FILE) -> c_int:
        stream, Taken, length(text), has_newline(text.cast(), length(text));
    puts(text: *const c_char) -> c_int: standard::output(), Taken, length(text) + 1, true;
    fwrite(place: *const c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t:
        stream, Taken, size.saturating_mul(count), has_newline(place, size * count);
    fputc_unlocked(byte: c_int, stream: *mut FILE) -> c_int:
        stream, Left, 1, byte as u8 == b'\n';
    putc_unlocked(byte: c_int, stream: *mut FILE) -> c_int: stream, Left, 1, byte as u8 == b'\n';
    putchar_unlocked(byte: c_int) -> c_int: standard::output(), Left, 1, byte as u8 == b'\n';
    fputs_unlocked(text: *const c_char, stream: *mut FILE) -> c_int:
        stream, Left, length(text), has_newline(text.cast(), length(text));
    fwrite_unlocked(place: *const c_void, size: size_t, count: size_t, stream: *mut FILE)
        -> size_t:
        stream, Left, size.saturating_mul(count), has_newline(place, size * count);
    // What macros call when the buffer is full.
    __overflow(stream: *mut FILE, byte: c_int) -> c_int: stream, Left, 1, byte as u8 == b'\n';
}

alias! {
    _IO_putc(byte: c_int, stream: *mut FILE) -> c_int = putc;
    _IO_puts(text: *const c_char) -> c_int = puts;
    _IO_fputs(text: *const c_char, stream: *mut FILE) -> c_int = fputs;
    _IO_fwrite(place: *const c_void, size: size_t, count: size_t, stream: *mut FILE) -> size_t =
        fwrite;
    _IO_fflush(stream: *mut FILE) -> c_int = fflush;
}

/// Defines hooks for calls that write what the buffer has.
macro_rules! flushing {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty: $stream:expr, $lock:ident;)*) =>
    {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            let call = || real!($name($($argument),*): fn($($kind),*) -> $result);
            if $stream.is_null() {
                // All streams.
                return on_all(call);
            }
            let need = |stream: Stream| match stream.pending() {
                0 => Need::Nothing,
                _ => Need::Write(0),
            };
            // SAFETY: the caller's obligation.
            unsafe { plan::run($stream, Lock::$lock, need, call) }
        }
    )*};
}

flushing! {
    fflush(stream: *mut FILE) -> c_int: stream, Taken;
    fflush_unlocked(stream: *mut FILE) -> c_int: stream, Left;
    setbuf(stream: *mut FILE, place: *mut c_char) -> (): stream, Taken;
    setbuffer(stream: *mut FILE, place: *mut c_char, len: size_t) -> (): stream, Taken;
    setlinebuf(stream: *mut FILE) -> (): stream, Taken;
    setvbuf(stream: *mut FILE, place: *mut c_char, mode: c_int, len: size_t) -> c_int:
        stream, Taken;
}

alias! {
    _IO_setbuffer(stream: *mut FILE, place: *mut c_char, len: size_t) -> () = setbuffer;
    _IO_setvbuf(stream: *mut FILE, place: *mut c_char, mode: c_int, len: size_t) -> c_int =
        setvbuf;
}

/// Bytes at most that messages of the C library add to those of the caller.
const MESSAGE: usize = 1024;

/// Decides for a message on the standard error stream, `bytes` of which are the caller's.
pub(super) fn way_of_message(stream: Stream, bytes: usize) -> Way {
    let Some(fd) = stream.number() else { return Way::Here(None) };
    match bytes.saturating_add(MESSAGE).saturating_add(stream.pending()) {
        due if due <= AT_ONCE => plan::way_of_output(fd, due),
        _ => plan::way_of_file_output(fd).unwrap_or(Way::Elsewhere),
    }
}

/// Defines hooks for messages on the standard error stream.
macro_rules! complaining {
    ($($name:ident($($argument:ident: $kind:ty),*): $text:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) {
            let bytes = if $text.is_null() { 0 } else { length($text) };
            let call = || real!($name($($argument),*): fn($($kind),*) -> ());
            // SAFETY: the caller's obligation.
            unsafe {
                plan::run_by(
                    standard::errors(),
                    Lock::Taken,
                    |stream| way_of_message(stream, bytes),
                    call,
                )
            }
        }
    )*};
}

complaining! {
    perror(text: *const c_char): text;
    psignal(signal: c_int, text: *const c_char): text;
    psiginfo(info: *const c_void, text: *const c_char): text;
}
