//! The `syscall` instruction.

use std::arch::asm;

use crate::Errno;

/// Enters the kernel with call `number` and up to six arguments; unused ones are ignored by it.
///
/// # Errors
/// The kernel's error number.
///
/// # Safety
/// The arguments must be what the call wants, pointers and lengths above all.
#[inline]
pub unsafe fn syscall(number: libc::c_long, args: [usize; 6]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the instruction clobbers rcx, r11 and the result register alone; what the kernel
    // does with the arguments is the caller's obligation. Memory may change, so no `nomem`.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // The kernel returns error numbers as -4095..=-1.
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}
