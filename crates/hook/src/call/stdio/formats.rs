//! `printf`, `scanf` and their kin, in the forms that take a list of arguments.
//!
//! What a format writes is known when it has been written. Where that matters, because the stream
//! is no file's, it is first written to memory; the call itself is then the original, with all that
//! it does about errors, widths and flushes.

use std::ffi::{c_char, c_int};

use libc::{FILE, size_t};

use super::output::way_of_message;
use super::plan::{self, KeepErrno, Lock, Need, Stream, Way, standard};
use crate::call::variadic::Arguments;
use crate::define::alias;
use crate::real::real;

/// Bytes of a text in which the end of a line is looked for.
const SHORT: usize = 256;

/// A text that a format makes.
struct Text {
    bytes: usize,
    ends_line: bool,
}

/// None if the format is wrong.
///
/// # Safety
/// As for `vprintf`; the list is not used up.
unsafe fn measure(format: *const c_char, arguments: *const Arguments) -> Option<Text> {
    let _errno = KeepErrno::new();
    unsafe extern "C-unwind" {
        fn vsnprintf(
            place: *mut c_char,
            len: size_t,
            format: *const c_char,
            arguments: *mut Arguments,
        ) -> c_int;
    }
    let mut text = [0_u8; SHORT];
    // SAFETY: the caller's obligation; a copy of its list, and a place of that length.
    let bytes = unsafe {
        let mut copy = *arguments;
        vsnprintf(text.as_mut_ptr().cast(), SHORT, format, &raw mut copy)
    };
    let bytes = usize::try_from(bytes).ok()?;
    let ends_line = text.get(..bytes).is_none_or(|text| text.contains(&b'\n'));
    Some(Text { bytes, ends_line })
}

/// Decides for a format on a stream.
///
/// # Safety
/// As for `vprintf`.
unsafe fn way(stream: Stream, format: *const c_char, arguments: *const Arguments) -> Way {
    // Bytes on a stream of wide characters are an error.
    let Some(fd) = stream.number().filter(|_| !stream.is_wide()) else { return Way::Here(None) };
    if let Some(Way::Here(trial)) = plan::way_of_file_output(fd) {
        return Way::Here(trial);
    }
    // SAFETY: the caller's obligation.
    let Some(text) = (unsafe { measure(format, arguments) }) else { return Way::Elsewhere };
    let fits =
        text.bytes <= stream.room() || text.bytes <= stream.room_in_line() && !text.ends_line;
    if fits {
        return Way::Here(None);
    }
    plan::way_of_output(fd, stream.pending().saturating_add(text.bytes))
}

/// Defines hooks: the stream, then the call.
macro_rules! printing {
    ($($name:ident($($argument:ident: $kind:ty),*): $stream:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            $($argument: $kind,)* format: *const c_char, arguments: *mut Arguments
        ) -> c_int {
            let call = || real!(
                        $name($($argument,)* format, arguments):
                            fn($($kind,)* *const c_char, *mut Arguments) -> c_int
                    );
            // SAFETY: the caller's obligation.
            unsafe {
                plan::run_by(
                    $stream,
                    Lock::Taken,
                    |stream| way(stream, format, arguments),
                    call,
                )
            }
        }
    )*};
}

printing! {
    vfprintf(stream: *mut FILE): stream;
    vprintf(): standard::output();
    __vfprintf_chk(stream: *mut FILE, flag: c_int): stream;
    __vprintf_chk(flag: c_int): standard::output();
}

/// Defines hooks for formats on a descriptor.
macro_rules! printing_to_descriptor {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            fd: c_int, $($argument: $kind,)* format: *const c_char, arguments: *mut Arguments
        ) -> c_int {
            let call = || real!(
                $name(fd, $($argument,)* format, arguments):
                    fn(c_int, $($kind,)* *const c_char, *mut Arguments) -> c_int
            );
            if !lisle_rt::can_suspend() {
                return call();
            }
            // SAFETY: the caller's obligation.
            match unsafe { way_to_descriptor(fd, format, arguments) } {
                Way::Here(_trial) => call(),
                Way::Elsewhere => lisle_rt::blocking(call),
            }
        }
    )*};
}

printing_to_descriptor! {
    vdprintf();
    __vdprintf_chk(flag: c_int);
}

/// # Safety
/// As for `vdprintf`.
unsafe fn way_to_descriptor(fd: c_int, format: *const c_char, arguments: *const Arguments) -> Way {
    if let Some(way) = plan::way_of_file_output(fd) {
        return way;
    }
    // SAFETY: the caller's obligation.
    match unsafe { measure(format, arguments) } {
        Some(text) => plan::way_of_output(fd, text.bytes),
        None => Way::Elsewhere,
    }
}

/// Defines hooks for messages on the standard error stream.
macro_rules! complaining {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            $($argument: $kind,)* format: *const c_char, arguments: *mut Arguments
        ) {
            let decide = |stream| {
                if format.is_null() {
                    return way_of_message(stream, 0);
                }
                // SAFETY: the caller's obligation.
                match unsafe { measure(format, arguments) } {
                    Some(text) => way_of_message(stream, text.bytes),
                    None => Way::Elsewhere,
                }
            };
            let call = || real!(
                        $name($($argument,)* format, arguments):
                            fn($($kind,)* *const c_char, *mut Arguments) -> ()
                    );
            // SAFETY: the caller's obligation.
            unsafe {
                plan::run_by(
                    standard::errors(),
                    Lock::Taken,
                    decide,
                    call,
                )
            }
        }
    )*};
}

complaining! {
    vwarn();
    vwarnx();
}

/// Defines hooks for scanning: how much it reads, and whether that is in the buffer, depends on
/// what is read.
macro_rules! scanning {
    ($($name:ident($($argument:ident: $kind:ty),*): $stream:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            $($argument: $kind,)* format: *const c_char, arguments: *mut Arguments
        ) -> c_int {
            let need = |stream: Stream| match stream.is_wide() {
                true => Need::Nothing,
                false => Need::Read(0),
            };
            let call = || real!(
                        $name($($argument,)* format, arguments):
                            fn($($kind,)* *const c_char, *mut Arguments) -> c_int
                    );
            // SAFETY: the caller's obligation.
            unsafe {
                plan::run(
                    $stream,
                    Lock::Taken,
                    need,
                    call,
                )
            }
        }
    )*};
}

scanning! {
    vfscanf(stream: *mut FILE): stream;
    vscanf(): standard::input();
    __isoc99_vfscanf(stream: *mut FILE): stream;
    __isoc99_vscanf(): standard::input();
    __isoc23_vfscanf(stream: *mut FILE): stream;
    __isoc23_vscanf(): standard::input();
}

alias! {
    _IO_vfprintf(stream: *mut FILE, format: *const c_char, arguments: *mut Arguments) -> c_int =
        vfprintf;
    __vfscanf(stream: *mut FILE, format: *const c_char, arguments: *mut Arguments) -> c_int =
        vfscanf;
}
