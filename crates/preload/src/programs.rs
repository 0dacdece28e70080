//! The `exec` family: the process that was started under `lisle run` stays there, whatever program
//! it executes. See `start` for what is taken out of the environment and put back here.
//!
//! Children have another process id, and get the environment as it is.

use std::arch::naked_asm;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use lisle_hook::real::real;

use crate::start::{self, Kept};

type Vector = *const *const c_char;

/// What is to be put back, if this is the process that it is for.
fn kept() -> Option<&'static Kept> {
    // The real id, not one kept from before a fork.
    start::kept().filter(|kept| kept.process == std::process::id())
}

/// The environment with what is kept in it. Allocates: not in children of `vfork`, whose id is
/// another.
///
/// # Safety
/// `environment` is a vector of C strings that ends with null, or null.
unsafe fn with(kept: &Kept, environment: Vector) -> Vec<*const c_char> {
    let name = |line: &CStr| -> usize {
        let bytes = line.to_bytes();
        bytes.iter().position(|byte| *byte == b'=').map_or(bytes.len(), |at| at + 1)
    };
    let mut all: Vec<*const c_char> = Vec::new();
    let mut next = environment;
    // SAFETY: the caller's obligation.
    unsafe {
        while !next.is_null() && !(*next).is_null() {
            let line = CStr::from_ptr(*next);
            let is_replaced = kept.variables.iter().any(|kept| {
                let kept = &kept.as_bytes()[..name(kept)];
                line.to_bytes().starts_with(kept)
            });
            if !is_replaced {
                all.push(*next);
            }
            next = next.add(1);
        }
    }
    all.extend(kept.variables.iter().map(|line| line.as_ptr()));
    all.push(ptr::null());
    all
}

/// Defines forms that are passed an environment.
macro_rules! with_environment {
    ($($name:ident(
        $($before:ident: $kind:ty),*; $environment:ident; $($after:ident: $other:ty),*
    );)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            $($before: $kind,)* $environment: Vector $(, $after: $other)*
        ) -> c_int {
            // SAFETY: the caller's obligation.
            let more = kept().map(|kept| unsafe { with(kept, $environment) });
            let $environment = more.as_ref().map_or($environment, |more| more.as_ptr());
            real!(
                $name($($before,)* $environment $(, $after)*):
                    fn($($kind,)* Vector $(, $other)*) -> c_int
            )
        }
    )*};
}

with_environment! {
    execve(path: *const c_char, arguments: Vector; environment; );
    execvpe(file: *const c_char, arguments: Vector; environment; );
    fexecve(fd: c_int, arguments: Vector; environment; );
    execveat(fd: c_int, path: *const c_char, arguments: Vector; environment; flags: c_int);
}

unsafe extern "C" {
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

/// Puts what is kept into the process's own environment, for forms that use that and take their
/// arguments one by one. If the call fails it stays there; children then get the library, and it
/// sleeps in them.
unsafe extern "C" fn put_back() {
    let Some(kept) = kept() else { return };
    for line in &kept.variables {
        // SAFETY: the strings live for ever.
        unsafe { libc::putenv(line.as_ptr().cast_mut()) };
    }
}

/// Defines forms that take their arguments one by one: the original is entered with all of them
/// where they were.
macro_rules! one_by_one {
    ($($name:ident = $real:ident;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C-unwind" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "push rdx",
                ".cfi_adjust_cfa_offset 8",
                "push rcx",
                ".cfi_adjust_cfa_offset 8",
                "push r8",
                ".cfi_adjust_cfa_offset 8",
                "push r9",
                ".cfi_adjust_cfa_offset 8",
                "push rax",
                ".cfi_adjust_cfa_offset 8",
                "call {put_back}",
                "call {address}",
                "mov r11, rax",
                "pop rax",
                ".cfi_adjust_cfa_offset -8",
                "pop r9",
                ".cfi_adjust_cfa_offset -8",
                "pop r8",
                ".cfi_adjust_cfa_offset -8",
                "pop rcx",
                ".cfi_adjust_cfa_offset -8",
                "pop rdx",
                ".cfi_adjust_cfa_offset -8",
                "pop rsi",
                ".cfi_adjust_cfa_offset -8",
                "pop rdi",
                ".cfi_adjust_cfa_offset -8",
                "jmp r11",
                ".cfi_endproc",
                put_back = sym put_back,
                address = sym $real,
            )
        }

        unsafe extern "C" fn $real() -> usize {
            #[unsafe(link_section = "lisle_real")]
            static SYMBOL: lisle_hook::real::Symbol = lisle_hook::real::Symbol::new(
                match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => panic!("a name without NUL"),
                },
            );
            SYMBOL.address() as usize
        }
    )*};
}

one_by_one! {
    execl = real_execl;
    execlp = real_execlp;
}
