//! x86-64: having a running stack call a function between two of its instructions.
//!
//! A signal's handler changes the context that the kernel will restore, so that the interrupted
//! code seems to call `diverted`, below the 128 bytes that the ABI leaves to leaf functions:
//!
//! ```text
//!   higher addresses
//!   +--------------------+ <- interrupted stack pointer
//!   | red zone, 128 bytes|
//!   | interrupted RIP    |  written by the handler
//!   +--------------------+ <- stack pointer that the kernel restores
//!   | flags              |
//!   | rbp                | <- rbp
//!   | rax rcx rdx rbx    |
//!   | rsi rdi r8 to r15  |
//!   | up to 63 bytes     |
//!   | XSAVE area         |  x87, SSE, AVX, AVX-512, protection keys: what the system enabled
//!   +--------------------+
//!   lower addresses
//! ```
//!
//! `diverted` is compiled code in nobody's eyes: it may be entered between any two instructions, so
//! it saves everything, and restores everything before it jumps back; `ret 128` gives the red zone
//! back as well. Between the two the registers are as a function may expect them: direction flag
//! clear, x87 stack empty, default control words. Then the function that was given to [`prepare`]
//! is called, which may switch stacks like any other.
//!
//! The unwind information says that the frame is a signal's, so that the interrupted instruction is
//! looked up as it is, and not as the one after a call.
//!
//! Tiles (AMX) take 8 KiB and are not saved: what holds values in them is not diverted.

use std::arch::naked_asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// The components that are saved; 0 before [`prepare`].
static COMPONENTS: AtomicU64 = AtomicU64::new(0);
/// Bytes that they take.
static AREA: AtomicUsize = AtomicUsize::new(0);
/// What is called.
static FUNCTION: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// The components of AMX.
const TILES: u64 = 0b11 << 17;
/// Those that have a fixed place: x87 and SSE.
const LEGACY: u32 = 2;
/// Bytes of these two and the header behind them.
const LEGACY_AREA: usize = 576;

/// Bytes for what the function calls.
const FOR_FUNCTION: usize = 2048;
/// Bytes that `diverted` pushes, and those it aligns by.
const FOR_REGISTERS: usize = 16 * 8 + 64;
const RED_ZONE: usize = 128;

/// Makes [`Interrupted::divert`] ready to call this function, with the interrupted stack pointer.
/// False if the processor cannot save its registers.
#[must_use]
pub fn prepare(function: extern "C" fn(usize)) -> bool {
    const OSXSAVE: u32 = 1 << 27;
    // `cpuid` exists on all x86-64, and its leaf 0xd where the system has enabled XSAVE.
    if __cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    // SAFETY: enabled, as was just seen.
    let components = unsafe { enabled() } & !TILES;
    let mut end = LEGACY_AREA;
    for component in (LEGACY..63).filter(|component| components >> component & 1 != 0) {
        let place = __cpuid_count(0xd, component);
        end = end.max((place.eax + place.ebx) as usize);
    }
    AREA.store(end.next_multiple_of(64), Ordering::Relaxed);
    FUNCTION.store(function as *mut c_void, Ordering::Relaxed);
    COMPONENTS.store(components, Ordering::Release);
    true
}

/// The components that the system has enabled.
///
/// # Safety
/// XSAVE is.
#[target_feature(enable = "xsave")]
unsafe fn enabled() -> u64 {
    // SAFETY: the caller's obligation.
    unsafe { _xgetbv(0) }
}

/// What a signal interrupted, in its handler.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted(*mut libc::ucontext_t);

impl Interrupted {
    /// # Safety
    /// `context` is what the kernel gave to the handler that runs, for as long as this is used.
    pub unsafe fn new(context: *mut c_void) -> Self {
        Interrupted(context.cast())
    }

    fn register(self, index: i32) -> usize {
        // SAFETY: the context is live.
        unsafe { (*self.0).uc_mcontext.gregs[index as usize] as usize }
    }

    /// The address of the next instruction.
    pub fn instruction(self) -> usize {
        self.register(libc::REG_RIP)
    }

    /// The stack pointer.
    pub fn stack_pointer(self) -> usize {
        self.register(libc::REG_RSP)
    }

    /// Which signals the OS thread blocked.
    pub fn mask(self) -> u64 {
        // SAFETY: the context is live; the kernel's own set is the first word.
        unsafe { *(&raw const (*self.0).uc_sigmask).cast::<u64>() }
    }

    /// The number of the system call that the next instruction makes, if it is one, and its first
    /// two arguments.
    pub fn system_call(self) -> Option<[usize; 3]> {
        /// Where the kernel keeps code of its own that cannot be read.
        const KERNEL: usize = 1 << 47;
        const SYSCALL: [u8; 2] = [0x0f, 0x05];
        let at = self.instruction() as *const u8;
        // SAFETY: code, which is about to run; of an instruction that begins so there is a second
        // byte.
        let is_one = at.addr() < KERNEL
            && unsafe {
                at.read_volatile() == SYSCALL[0] && at.add(1).read_volatile() == SYSCALL[1]
            };
        is_one.then(|| [libc::REG_RAX, libc::REG_RDI, libc::REG_RSI].map(|at| self.register(at)))
    }

    /// Has the system call that [`system_call`](Self::system_call) has found fail, without being
    /// made.
    pub fn skip_system_call(self, errno: i32) {
        // SAFETY: the context is live.
        let registers = unsafe { &mut (*self.0).uc_mcontext.gregs };
        registers[libc::REG_RIP as usize] += 2;
        registers[libc::REG_RAX as usize] = -i64::from(errno);
    }

    /// Bytes below the stack pointer that [`divert`](Self::divert) wants.
    pub fn room_wanted() -> usize {
        RED_ZONE + FOR_REGISTERS + AREA.load(Ordering::Relaxed) + FOR_FUNCTION
    }

    /// Whether all its registers can be saved.
    pub fn can_be_saved(self) -> bool {
        /// The kernel's mark of a frame with more than x87 and SSE, and where it is.
        const MAGIC: (usize, u32) = (464, 0x4650_5853);
        /// Where the frame says which components are not in their initial state.
        const IN_USE: usize = 512;
        if COMPONENTS.load(Ordering::Acquire) == 0 {
            return false;
        }
        // SAFETY: the context is live; the kernel's frame has at least 512 bytes, and the header if
        // the mark is there.
        unsafe {
            let frame = (*self.0).uc_mcontext.fpregs.cast::<u8>();
            frame.is_null()
                || frame.add(MAGIC.0).cast::<u32>().read_unaligned() != MAGIC.1
                || frame.add(IN_USE).cast::<u64>().read_unaligned() & TILES == 0
        }
    }

    /// Makes the interrupted code call the function given to [`prepare`] when the handler returns.
    ///
    /// # Safety
    /// [`can_be_saved`](Self::can_be_saved) has said so, there is as much room as wanted below the
    /// stack pointer, and the interrupted code may be held up here.
    pub unsafe fn divert(self) {
        let pointer = self.stack_pointer() - RED_ZONE - 8;
        // SAFETY: the caller's obligation; the context is live.
        unsafe {
            (pointer as *mut usize).write(self.instruction());
            let registers = &mut (*self.0).uc_mcontext.gregs;
            registers[libc::REG_RSP as usize] = pointer as i64;
            registers[libc::REG_RIP as usize] = diverted as *const () as i64;
        }
    }
}

/// See the module.
#[unsafe(naked)]
#[unsafe(link_section = "lisle_text")]
unsafe extern "C" fn diverted() {
    naked_asm!(
        ".cfi_startproc; .cfi_signal_frame",
        ".cfi_def_cfa rsp, 136; .cfi_offset rip, -136",
        "pushfq",
        ".cfi_adjust_cfa_offset 8",
        "push rbp",
        ".cfi_adjust_cfa_offset 8; .cfi_offset rbp, -152",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "cld",
        "push rax; push rcx; push rdx; push rbx; push rsi; push rdi; push r8; push r9",
        "push r10; push r11; push r12; push r13; push r14; push r15",
        ".cfi_offset rax, -160; .cfi_offset rcx, -168; .cfi_offset rdx, -176",
        ".cfi_offset rbx, -184; .cfi_offset rsi, -192; .cfi_offset rdi, -200",
        ".cfi_offset r8, -208; .cfi_offset r9, -216; .cfi_offset r10, -224",
        ".cfi_offset r11, -232; .cfi_offset r12, -240; .cfi_offset r13, -248",
        ".cfi_offset r14, -256; .cfi_offset r15, -264",
        "sub rsp, [rip + {area}]",
        "and rsp, -64",
        // XSAVE leaves most of its header as it is.
        "xor eax, eax",
        "mov [rsp + 512], rax; mov [rsp + 520], rax",
        "mov [rsp + 528], rax; mov [rsp + 536], rax",
        "mov [rsp + 544], rax; mov [rsp + 552], rax",
        "mov [rsp + 560], rax; mov [rsp + 568], rax",
        "mov eax, [rip + {components}]; mov edx, [rip + {components} + 4]",
        "xsave64 [rsp]",
        // What a function may expect: an empty x87 stack, default control words, and, for speed,
        // nothing in the upper halves.
        "fninit",
        "test al, 4",
        "jz 2f; vzeroupper; 2:",
        "push 0x1f80; ldmxcsr [rsp]; add rsp, 8",
        "lea rdi, [rbp + 152]",
        "call [rip + {function}]",
        "mov eax, [rip + {components}]; mov edx, [rip + {components} + 4]",
        "xrstor64 [rsp]",
        "lea rsp, [rbp - 112]",
        "pop r15; pop r14; pop r13; pop r12; pop r11; pop r10; pop r9; pop r8",
        "pop rdi; pop rsi; pop rbx; pop rdx; pop rcx; pop rax",
        ".cfi_restore rax; .cfi_restore rcx; .cfi_restore rdx; .cfi_restore rbx",
        ".cfi_restore rsi; .cfi_restore rdi; .cfi_restore r8; .cfi_restore r9",
        ".cfi_restore r10; .cfi_restore r11; .cfi_restore r12; .cfi_restore r13",
        ".cfi_restore r14; .cfi_restore r15",
        "pop rbp",
        ".cfi_def_cfa rsp, 144; .cfi_restore rbp",
        "popfq",
        ".cfi_adjust_cfa_offset -8",
        "ret 128",
        ".cfi_endproc",
        area = sym AREA,
        components = sym COMPONENTS,
        function = sym FUNCTION,
    )
}

/// Whether the address is in code of ours that must not be held up anywhere: what saves and
/// restores registers, and handlers before they have noted that they run. Such functions are put
/// into the section `lisle_text`.
pub fn is_own_text(address: usize) -> bool {
    unsafe extern "C" {
        // The linker's names for the ends of the section.
        static __start_lisle_text: u8;
        static __stop_lisle_text: u8;
    }
    ((&raw const __start_lisle_text) as usize..(&raw const __stop_lisle_text) as usize)
        .contains(&address)
}
