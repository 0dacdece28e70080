//! x86-64: leaving one stack for another, FS base and all.
//!
//! # What is saved
//!
//! A switch is a function call, so the System V ABI lets it destroy everything but rbx, rbp,
//! r12-r15, the stack pointer, and the control words of the SSE and x87 units (rounding modes and
//! exception masks, which a thread has of its own). Those go on the stack that is left:
//!
//! ```text
//!   higher addresses
//!   +--------------------+
//!   | return address     |  into the caller of switch
//!   | rbp                |
//!   | rbx                |
//!   | r12                |
//!   | r13                |
//!   | r14                |
//!   | r15                |
//!   | MXCSR | x87 CW     |  4 + 2 (+ 2 unused) bytes
//!   +--------------------+ <- Context::sp
//!   lower addresses
//! ```
//!
//! A new stack is laid out as if it had been left that way: r12 holds the argument, rbx the
//! function, and the return address leads to `start`, which calls it. Above that lies a zero where
//! a return address would be, so that whatever walks the stack finds its end; `start` also tells
//! unwinders so in its unwind information (an undefined return address), and rbp starts at zero
//! for those who walk frame pointers.
//!
//! # Why the FS base moves in the same block
//!
//! Between the change of the stack pointer and the change of the FS base a signal handler may run.
//! It then sees the thread block of the stack just left, which nobody else uses yet: the left
//! coroutine is published only after the switch. The handler returns before anything else
//! happens, so it cannot tell.
//!
//! # Why jump and not return
//!
//! The processor predicts returns by a stack of its own, which knows nothing of ours: a `ret` to
//! another stack is always mispredicted, an indirect jump is predicted from its history.
//!
//! # Cost
//!
//! `wrfsbase` is most of it (about 15 of 20 ns on Zen 3). The control words are stored always and
//! loaded only when they differ, since loading them stalls the pipeline and they hardly ever do.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::arch::{asm, naked_asm};
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where a stack was left, or how it is to begin.
#[repr(C)]
#[derive(Debug)]
pub struct Context {
    /// Written by whoever owns the stack, by [`switch`] above all; read by [`Context::prefetch`]
    /// at any moment, hence atomic.
    sp: AtomicUsize,
    fs: usize,
}

/// The initial control words: what the kernel gives a new thread.
const CONTROL_WORDS: usize = 0x1f80 | (0x037f << 32);

impl Context {
    /// The context of a running stack: where it was left is filled in by [`switch`].
    pub fn running(fs: usize) -> Self {
        Context { sp: AtomicUsize::new(0), fs }
    }

    /// Makes the next switch here call `function(argument)` on the stack that ends at `top`.
    ///
    /// # Safety
    /// At least 128 bytes below `top`, which is aligned to 16, are writable and unused; the caller
    /// owns the context. The function must not return.
    pub unsafe fn prepare(
        &self,
        top: usize,
        function: unsafe extern "C-unwind" fn(usize) -> !,
        argument: usize,
    ) {
        debug_assert_eq!(top % 16, 0);
        let frame: [usize; 10] = [
            CONTROL_WORDS,
            0,                              // r15
            0,                              // r14
            0,                              // r13
            argument,                       // r12
            function as *const () as usize, // rbx
            0,                              // rbp
            start as *const () as usize,    // return address
            0,                              // what `start` would return to
            0,                              // keeps the call in `start` aligned
        ];
        let sp = top - size_of_val(&frame);
        // SAFETY: the caller vouches for the memory; `sp` is aligned since top and size are.
        unsafe { (sp as *mut [usize; 10]).write(frame) };
        self.sp.store(sp, Ordering::Relaxed);
    }

    /// Asks the processor to fetch what a switch to this context will touch. Allowed at any moment,
    /// even while somebody else switches to or from it.
    #[inline]
    pub fn prefetch(&self) {
        let sp = self.sp.load(Ordering::Relaxed);
        for address in [sp, sp + 64, self.fs, self.fs - 64] {
            prefetch(address);
        }
    }

    /// As [`prefetch`](Self::prefetch), and what the next few returns will touch: a coroutine that
    /// comes out of a system call has that much between itself and its caller.
    #[inline]
    pub fn prefetch_returns(&self) {
        self.prefetch();
        let sp = self.sp.load(Ordering::Relaxed);
        for line in 2..8 {
            prefetch(sp + line * 64);
        }
    }
}

/// Asks the processor to fetch the cache line at `address`, which need not be valid.
#[inline]
pub fn prefetch(address: usize) {
    // SAFETY: a hint: it neither faults nor changes anything.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address as *const i8) };
}

/// Leaves the running stack, saving it in `from`, and goes on where `to` was left.
///
/// Returns when something switches to `from`, possibly on another OS thread.
///
/// # Safety
/// `from` is writable and belongs to the running stack; `to` was filled by [`Context::prepare`] or
/// by a switch away from it, and is not switched to by anyone else. Until the switch is over,
/// nobody may switch to `from`.
#[unsafe(naked)]
pub unsafe extern "C" fn switch(from: *mut Context, to: *const Context) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8; .cfi_rel_offset rbp, 0",
        "push rbx",
        ".cfi_adjust_cfa_offset 8; .cfi_rel_offset rbx, 0",
        "push r12",
        ".cfi_adjust_cfa_offset 8; .cfi_rel_offset r12, 0",
        "push r13",
        ".cfi_adjust_cfa_offset 8; .cfi_rel_offset r13, 0",
        "push r14",
        ".cfi_adjust_cfa_offset 8; .cfi_rel_offset r14, 0",
        "push r15",
        ".cfi_adjust_cfa_offset 8; .cfi_rel_offset r15, 0",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "stmxcsr [rsp]",
        "fnstcw [rsp + 4]",
        // Compare the control words of the two stacks, each in the width it was stored in.
        "mov rcx, [rsi]",
        "mov eax, [rsp]",
        "movzx edx, word ptr [rsp + 4]",
        "xor eax, [rcx]",
        "xor dx, [rcx + 4]",
        "or eax, edx",
        "mov rax, [rsi + 8]",
        "mov [rdi], rsp",
        "jnz 3f",
        "2:",
        // From here to the wrfsbase a signal sees the new stack and the old FS base.
        "mov rsp, rcx",
        "wrfsbase rax",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop r15",
        ".cfi_adjust_cfa_offset -8; .cfi_restore r15",
        "pop r14",
        ".cfi_adjust_cfa_offset -8; .cfi_restore r14",
        "pop r13",
        ".cfi_adjust_cfa_offset -8; .cfi_restore r13",
        "pop r12",
        ".cfi_adjust_cfa_offset -8; .cfi_restore r12",
        "pop rbx",
        ".cfi_adjust_cfa_offset -8; .cfi_restore rbx",
        "pop rbp",
        ".cfi_adjust_cfa_offset -8; .cfi_restore rbp",
        "pop rcx",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_register rip, rcx",
        "jmp rcx",
        "3:",
        // As at label 2.
        ".cfi_restore rip",
        ".cfi_def_cfa_offset 64",
        ".cfi_rel_offset rbp, 48",
        ".cfi_rel_offset rbx, 40",
        ".cfi_rel_offset r12, 32",
        ".cfi_rel_offset r13, 24",
        ".cfi_rel_offset r14, 16",
        ".cfi_rel_offset r15, 8",
        "ldmxcsr [rcx]",
        "fldcw [rcx + 4]",
        "jmp 2b",
        ".cfi_endproc",
    )
}

/// Whether the address is in the outermost function of every coroutine.
pub(crate) fn is_first(address: usize) -> bool {
    // Bytes that it has at most.
    const LENGTH: usize = 16;
    (start as *const () as usize..start as *const () as usize + LENGTH).contains(&address)
}

/// The outermost frame of every coroutine: calls rbx with r12.
#[unsafe(naked)]
unsafe extern "C" fn start() {
    naked_asm!(
        ".cfi_startproc",
        // Nobody called this: unwinders and debuggers stop here.
        ".cfi_undefined rip",
        "mov rdi, r12",
        "xor ebp, ebp",
        "call rbx",
        "ud2",
        ".cfi_endproc",
    )
}

/// Calls `function(argument)` on the stack that ends at `top`, and returns what it returns.
///
/// Unwinding goes through it: the frame above is found by rbp, wherever the stack below lies.
///
/// # Safety
/// `top` is aligned to 16; the memory below it is a stack that nobody else uses until the call is
/// over; `function` may be called with the argument.
#[unsafe(naked)]
pub unsafe extern "C-unwind" fn call_on(
    top: usize,
    function: unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8; .cfi_rel_offset rbp, 0",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8; .cfi_restore rbp",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `function(argument)` on the running stack with another FS base: a detour to another
/// thread's block. Whoever computed the address of a thread-local before has it in a register of
/// its own, and what is called computes it anew, since no compiler sees through this.
///
/// # Safety
/// `fs` is a thread block that nobody uses meanwhile. The call is not left by a switch, a jump or
/// unwinding.
#[unsafe(naked)]
pub unsafe extern "C" fn call_with_block(
    fs: usize,
    function: unsafe extern "C" fn(*mut u8),
    argument: *mut u8,
) {
    naked_asm!(
        ".cfi_startproc",
        "push rbx",
        ".cfi_adjust_cfa_offset 8; .cfi_rel_offset rbx, 0",
        "rdfsbase rbx",
        "wrfsbase rdi",
        "mov rdi, rdx",
        "call rsi",
        "wrfsbase rbx",
        "pop rbx",
        ".cfi_adjust_cfa_offset -8; .cfi_restore rbx",
        "ret",
        ".cfi_endproc",
    )
}

/// The FS base of the running stack: the address of its thread control block.
#[inline]
pub fn fs_base() -> usize {
    let base;
    // SAFETY: reads a register; `Blocks::discover` has seen to it that the instruction exists
    // before any other caller of this crate gets here.
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

/// The GS base of the running OS thread, which user space is free to use and Lisle does.
#[inline]
pub fn gs_base() -> usize {
    let base;
    // SAFETY: as `fs_base`.
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

/// Sets the GS base of the running OS thread.
///
/// # Safety
/// Nothing else in the process uses the GS base of this OS thread.
#[inline]
pub unsafe fn set_gs_base(base: usize) {
    // SAFETY: the caller's obligation; as `fs_base` otherwise.
    unsafe { asm!("wrgsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
}
