//! Variadic functions, whose definition Rust has no words for: they make a `va_list` of their
//! arguments, as a C compiler does, and call the hook that takes one.
//!
//! On x86-64 the arguments are in six registers, in eight more if they are floating point (`al`
//! tells whether any is), and behind the return address. The list is a structure that says where
//! the next of each kind is:
//!
//! ```text
//! rbp + 16   arguments on the stack         <- overflow_arg_area
//! rbp + 8    return address
//! rbp        the caller's rbp
//! rsp + 200  reg_save_area      \
//! rsp + 192  overflow_arg_area   | the list
//! rsp + 188  fp_offset: 48       |
//! rsp + 184  gp_offset          /
//! rsp + 48   xmm0 to xmm7
//! rsp        rdi rsi rdx rcx r8 r9          <- reg_save_area (after 8 bytes that align)
//! ```

use std::arch::naked_asm;

/// A `va_list`, as it is passed to functions. A copy of its bytes is what `va_copy` makes.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Arguments {
    gp_offset: u32,
    fp_offset: u32,
    overflow_arg_area: *mut u8,
    reg_save_area: *mut u8,
}

impl Arguments {
    /// The next argument, which is a pointer.
    ///
    /// # Safety
    /// There is one.
    pub(super) unsafe fn next_pointer(&mut self) -> *mut u8 {
        /// Bytes of the registers in the list.
        const REGISTERS: u32 = 48;
        // SAFETY: the caller's obligation.
        unsafe {
            let place = if self.gp_offset < REGISTERS {
                let place = self.reg_save_area.add(self.gp_offset as usize);
                self.gp_offset += 8;
                place
            } else {
                let place = self.overflow_arg_area;
                self.overflow_arg_area = place.add(8);
                place
            };
            place.cast::<*mut u8>().read()
        }
    }
}

/// Defines variadic functions: their name, the hook that takes a list, the number of arguments
/// before those that vary, and the register of the argument after them.
macro_rules! variadic {
    ($($name:ident = $target:ident, $fixed:literal, $next:literal;)*) => {$(
        #[doc = concat!("Variadic form of ", stringify!($target), ".")]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C-unwind" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "push rbp",
                ".cfi_def_cfa_offset 16",
                ".cfi_offset rbp, -16",
                "mov rbp, rsp",
                ".cfi_def_cfa_register rbp",
                "sub rsp, 208",
                "mov [rsp], rdi",
                "mov [rsp + 8], rsi",
                "mov [rsp + 16], rdx",
                "mov [rsp + 24], rcx",
                "mov [rsp + 32], r8",
                "mov [rsp + 40], r9",
                "test al, al",
                "je 2f",
                "movaps [rsp + 48], xmm0",
                "movaps [rsp + 64], xmm1",
                "movaps [rsp + 80], xmm2",
                "movaps [rsp + 96], xmm3",
                "movaps [rsp + 112], xmm4",
                "movaps [rsp + 128], xmm5",
                "movaps [rsp + 144], xmm6",
                "movaps [rsp + 160], xmm7",
                "2:",
                concat!("mov dword ptr [rsp + 184], ", $fixed, " * 8"),
                "mov dword ptr [rsp + 188], 48",
                "lea rax, [rbp + 16]",
                "mov [rsp + 192], rax",
                "mov [rsp + 200], rsp",
                concat!("lea ", $next, ", [rsp + 184]"),
                concat!("call ", stringify!($target)),
                "leave",
                ".cfi_def_cfa rsp, 8",
                "ret",
                ".cfi_endproc",
            )
        }
    )*};
}

variadic! {
    printf = vprintf, 1, "rsi";
    fprintf = vfprintf, 2, "rdx";
    dprintf = vdprintf, 2, "rdx";
    wprintf = vwprintf, 1, "rsi";
    fwprintf = vfwprintf, 2, "rdx";
    scanf = vscanf, 1, "rsi";
    fscanf = vfscanf, 2, "rdx";
    wscanf = vwscanf, 1, "rsi";
    fwscanf = vfwscanf, 2, "rdx";
    syslog = vsyslog, 2, "rdx";
    warn = vwarn, 1, "rsi";
    warnx = vwarnx, 1, "rsi";
    execl = lisle_execl, 1, "rsi";
    execlp = lisle_execlp, 1, "rsi";
    execle = lisle_execle, 1, "rsi";
}

// The names by which C code gets the scanning of the later standards.
variadic! {
    __isoc99_scanf = __isoc99_vscanf, 1, "rsi";
    __isoc99_fscanf = __isoc99_vfscanf, 2, "rdx";
    __isoc99_wscanf = __isoc99_vwscanf, 1, "rsi";
    __isoc99_fwscanf = __isoc99_vfwscanf, 2, "rdx";
    __isoc23_scanf = __isoc23_vscanf, 1, "rsi";
    __isoc23_fscanf = __isoc23_vfscanf, 2, "rdx";
    __isoc23_wscanf = __isoc23_vwscanf, 1, "rsi";
    __isoc23_fwscanf = __isoc23_vfwscanf, 2, "rdx";
}

// What C code calls that was compiled with `_FORTIFY_SOURCE`: with a flag before the format.
variadic! {
    __printf_chk = __vprintf_chk, 2, "rdx";
    __fprintf_chk = __vfprintf_chk, 3, "rcx";
    __dprintf_chk = __vdprintf_chk, 3, "rcx";
    __wprintf_chk = __vwprintf_chk, 2, "rdx";
    __fwprintf_chk = __vfwprintf_chk, 3, "rcx";
    __syslog_chk = __vsyslog_chk, 3, "rcx";
}
