//! Loading shared objects: on a spare carrier, where their constructors and destructors run too.
//!
//! Whoever calls `dlopen` matters to it: a name without a folder is looked for where the calling
//! object says, and `$ORIGIN` in a path is its folder. The C library learns it from the address it
//! returns to. On a spare carrier that is in this crate, which for calls from the executable is the
//! same object. For calls from others whose name would be looked for, the original is entered with
//! the stack as the caller left it, so that it sees the caller; it then runs in place.

use std::arch::naked_asm;
use std::ffi::{CStr, c_char, c_int, c_long, c_void};

use crate::real::{Symbol, real};

#[unsafe(link_section = "lisle_real")]
static DLOPEN: Symbol = Symbol::new(c"dlopen");
#[unsafe(link_section = "lisle_real")]
static DLMOPEN: Symbol = Symbol::new(c"dlmopen");

/// See dlclose(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn dlclose(object: *mut c_void) -> c_int {
    lisle_rt::blocking(|| real!(dlclose(object): fn(*mut c_void) -> c_int))
}

/// See dlopen(3).
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C-unwind" fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "mov rsi, [rsp + 24]",
        "call {choose}",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "jmp rax",
        ".cfi_endproc",
        choose = sym choose_dlopen,
    )
}

/// See dlmopen(3).
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C-unwind" fn dlmopen(
    space: c_long,
    name: *const c_char,
    flags: c_int,
) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "push rdx",
        ".cfi_adjust_cfa_offset 8",
        "mov rdi, rsi",
        "mov rsi, [rsp + 24]",
        "call {choose}",
        "pop rdx",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "jmp rax",
        ".cfi_endproc",
        choose = sym choose_dlmopen,
    )
}

/// The function that is to do it for a caller that is returned to at `caller`.
unsafe extern "C-unwind" fn choose_dlopen(name: *const c_char, caller: usize) -> *const c_void {
    // SAFETY: the name is the caller's obligation.
    if unsafe { may_move(name, caller) } {
        dlopen_elsewhere as *const c_void
    } else {
        DLOPEN.address()
    }
}

/// As for `dlopen`.
unsafe extern "C-unwind" fn choose_dlmopen(name: *const c_char, caller: usize) -> *const c_void {
    // SAFETY: the name is the caller's obligation.
    if unsafe { may_move(name, caller) } {
        dlmopen_elsewhere as *const c_void
    } else {
        DLMOPEN.address()
    }
}

unsafe extern "C-unwind" fn dlopen_elsewhere(name: *const c_char, flags: c_int) -> *mut c_void {
    lisle_rt::blocking(|| real!(dlopen(name, flags): fn(*const c_char, c_int) -> *mut c_void))
}

unsafe extern "C-unwind" fn dlmopen_elsewhere(
    space: c_long,
    name: *const c_char,
    flags: c_int,
) -> *mut c_void {
    let object = lisle_rt::blocking(
        || real!(dlmopen(space, name, flags): fn(c_long, *const c_char, c_int) -> *mut c_void),
    );
    if !object.is_null() && space != 0 {
        // It may have brought a C library of its own.
        lisle_rt::learn_objects();
    }
    object
}

/// Whether the call is the same from here.
///
/// # Safety
/// `name` is null or a C string.
unsafe fn may_move(name: *const c_char, caller: usize) -> bool {
    unsafe extern "C" {
        // The linker's names for the ends of this object.
        static __ehdr_start: u8;
        static _end: u8;
    }
    if name.is_null() || !lisle_rt::can_suspend() {
        return false;
    }
    let object = (&raw const __ehdr_start) as usize..(&raw const _end) as usize;
    // SAFETY: the caller's obligation.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    object.contains(&caller) || (name.contains(&b'/') && !name.contains(&b'$'))
}
