//! `longjmp` and its kin, which restore the mask and may leave handlers.
//!
//! The C library restores the mask inside of itself, and a handler that is left this way does not
//! return to the wrapper. So both are told to the runtime before the jump.

use std::arch::asm;
use std::ffi::c_void;

use libc::c_int;
use lisle_rt::signals;

use crate::real::real;

/// glibc's `jmp_buf` on x86-64.
#[repr(C)]
struct Buffer {
    /// rbx, rbp, r12 to r15, rsp, rip. The last two, and rbp, are mangled.
    registers: [usize; 8],
    mask_was_saved: c_int,
    mask: u64,
}

/// Tells the runtime of a jump.
///
/// # Safety
/// As for `longjmp`.
unsafe fn tell(buffer: *const c_void) {
    // SAFETY: the caller's obligation.
    let buffer = unsafe { &*buffer.cast::<Buffer>() };
    let guard: usize;
    // SAFETY: reads a field of the thread's control block, the pointer guard: its place is part of
    // the ABI between the library and its compiled callers.
    unsafe {
        asm!("mov {}, fs:[0x30]", out(reg) guard, options(nostack, readonly, preserves_flags));
    }
    let target = buffer.registers[6].rotate_right(17) ^ guard;
    signals::jumps(target, (buffer.mask_was_saved != 0).then_some(buffer.mask));
}

/// See longjmp(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn longjmp(buffer: *mut c_void, value: c_int) -> ! {
    // SAFETY: the caller's obligation.
    unsafe { tell(buffer) };
    real!(longjmp(buffer, value): fn(*mut c_void, c_int) -> !)
}

/// The same by another name.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn _longjmp(buffer: *mut c_void, value: c_int) -> ! {
    // SAFETY: the caller's obligation.
    unsafe { tell(buffer) };
    real!(_longjmp(buffer, value): fn(*mut c_void, c_int) -> !)
}

/// See siglongjmp(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn siglongjmp(buffer: *mut c_void, value: c_int) -> ! {
    // SAFETY: the caller's obligation.
    unsafe { tell(buffer) };
    real!(siglongjmp(buffer, value): fn(*mut c_void, c_int) -> !)
}

/// What callers compiled with `_FORTIFY_SOURCE` call. It checks where the jump goes.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __longjmp_chk(buffer: *mut c_void, value: c_int) -> ! {
    // SAFETY: the caller's obligation.
    unsafe { tell(buffer) };
    real!(__longjmp_chk(buffer, value): fn(*mut c_void, c_int) -> !)
}
