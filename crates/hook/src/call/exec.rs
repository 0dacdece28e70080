//! Becoming another program.
//!
//! The calls are the plain ones: the worker reads the program from disk while it replaces this
//! one. But the signal by which the runtime preempts must not be on its way meanwhile, because the
//! new program has no handler for it. And a process may have variables to take along: see
//! `carried`.

use std::ffi::{c_char, c_int};
use std::ptr::null;

use lisle_sys::{Errno, mmap};

use super::variadic::Arguments;
use crate::carried::{Vector, with_carried};
use crate::real::{real, set_errno};

/// Defines hooks that become another program, in an environment that they are given.
macro_rules! becoming {
    ($($name:ident($($before:ident: $kind:ty),*; $given:ident $(, $after:ident: $other:ty)?);)*)
    => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            $($before: $kind,)* $given: Vector $(, $after: $other)?
        ) -> c_int {
            // SAFETY: the caller's obligation.
            let more = unsafe { with_carried($given) };
            let $given = more.as_ref().map_or($given, |more| more.as_ptr());
            lisle_rt::without_ticks(|| {
                real!(
                    $name($($before,)* $given $(, $after)?):
                        fn($($kind,)* Vector $(, $other)?) -> c_int
                )
            })
        }
    )*};
}

becoming! {
    execve(path: *const c_char, arguments: Vector; environment);
    execvpe(file: *const c_char, arguments: Vector; environment);
    fexecve(fd: c_int, arguments: Vector; environment);
    execveat(folder: c_int, path: *const c_char, arguments: Vector; environment, flags: c_int);
}

unsafe extern "C" {
    /// The process's own.
    static environ: Vector;
}

/// See execv(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn execv(path: *const c_char, arguments: Vector) -> c_int {
    // SAFETY: the caller's obligation; the process's environment.
    unsafe { execve(path, arguments, environ) }
}

/// See execvp(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn execvp(file: *const c_char, arguments: Vector) -> c_int {
    // SAFETY: as above.
    unsafe { execvpe(file, arguments, environ) }
}

/// Runs `exec` with the arguments in the list, and with what follows their end.
///
/// Nothing is allocated, since this may be the child of a fork.
///
/// # Safety
/// The list holds pointers to C strings and ends with a null pointer.
unsafe fn with_vector(
    list: *mut Arguments,
    exec: impl FnOnce(Vector, &mut Arguments) -> c_int,
) -> c_int {
    const INLINE: usize = 128;
    // SAFETY: the caller's obligation.
    let (mut count, mut rest) = (1, unsafe { *list });
    // SAFETY: as above.
    while !unsafe { rest.next_pointer() }.is_null() {
        count += 1;
    }
    let mut places = [null::<c_char>(); INLINE];
    let bytes = (count * size_of::<*const c_char>()).next_multiple_of(mmap::PAGE);
    let large = if count > INLINE { mmap::reserve(bytes).ok() } else { None };
    if count > INLINE && large.is_none() {
        set_errno(Errno(libc::ENOMEM));
        return -1;
    }
    let vector = large.map_or(places.as_mut_ptr(), |memory| memory.as_ptr().cast());
    // SAFETY: as above.
    let mut rest = unsafe { *list };
    for index in 0..count {
        // SAFETY: there is room for so many, and there are so many, the null pointer included.
        unsafe { vector.add(index).write(rest.next_pointer().cast::<c_char>().cast_const()) };
    }
    let result = exec(vector.cast_const(), &mut rest);
    if let Some(memory) = large {
        // SAFETY: reserved above.
        unsafe { mmap::release(memory, bytes) };
    }
    result
}

/// `execl`, with its arguments in a list.
#[unsafe(export_name = "lisle_execl")]
unsafe extern "C-unwind" fn list_execl(path: *const c_char, list: *mut Arguments) -> c_int {
    // SAFETY: the caller's obligation.
    unsafe { with_vector(list, |vector, _| execv(path, vector)) }
}

/// `execlp`, with its arguments in a list.
#[unsafe(export_name = "lisle_execlp")]
unsafe extern "C-unwind" fn list_execlp(file: *const c_char, list: *mut Arguments) -> c_int {
    // SAFETY: the caller's obligation.
    unsafe { with_vector(list, |vector, _| execvp(file, vector)) }
}

/// `execle`, with its arguments and the environment in a list.
#[unsafe(export_name = "lisle_execle")]
unsafe extern "C-unwind" fn list_execle(path: *const c_char, list: *mut Arguments) -> c_int {
    // SAFETY: the caller's obligation; the environment follows the null pointer.
    unsafe { with_vector(list, |vector, rest| execve(path, vector, rest.next_pointer().cast())) }
}
