//! Leaving a coroutine in the middle, by `pthread_exit` or by being cancelled.
//!
//! The C library unwinds the stack of such a thread, cleanup handlers and destructors included. At
//! its end it jumps to where the thread's first function made ready for that, by a jump buffer
//! whose address is in the control block. No function of the library's has run on a block of ours,
//! so the buffer is made by hand: it leads to the top of the stack, and to a function that ends the
//! coroutine.
//!
//! That the buffer looks as expected is seen in the template thread, of which it is known where its
//! own leads to.

use std::arch::asm;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where in control blocks the address of the buffer is, and the state of cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    buffer: usize,
    state: usize,
}

/// The C library's buffer on x86-64.
#[repr(C)]
struct Buffer {
    /// rbx, rbp, r12 to r15, rsp, rip. The second and the last two are mangled.
    registers: [usize; 8],
    /// Whether a signal mask was saved, the buffer outside of this one, and other fields of no use
    /// in the outermost.
    rest: [usize; 5],
}

/// Bits of the state: a request is there, and is to be acted upon; and it is being acted upon, or
/// the thread leaves by itself.
const CANCELING: u32 = 4;
const CANCELED: u32 = 8;
const EXITING: u32 = 16;

const RSP: usize = 6;
const RIP: usize = 7;

/// What the library's buffer in the template thread says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    stack_pointer: usize,
    landing: usize,
}

/// Bytes that are taken from the top of a stack.
pub(super) const ROOM: usize = size_of::<Buffer>().next_multiple_of(64);

impl Exit {
    /// `state` is the offset of the library's `cancelhandling`, before which it has had the buffer
    /// since 2.34 at least.
    pub(super) fn new(state: usize) -> Option<Self> {
        Some(Exit { buffer: state.checked_sub(8)?, state })
    }

    /// Looks into the buffer of the running thread. None if it is not on the stack from `low` on.
    ///
    /// # Safety
    /// Called on a thread of the library's own making, with the control block at `base`.
    pub(super) unsafe fn look(self, base: usize, low: usize, len: usize) -> Option<Seen> {
        // SAFETY: a field of the control block; where it points to is on the running stack.
        unsafe {
            let buffer = *((base + self.buffer) as *const usize);
            let within = buffer.wrapping_sub(low) < len - size_of::<Buffer>();
            if !within || !buffer.is_multiple_of(8) {
                return None;
            }
            let registers = (*(buffer as *const Buffer)).registers;
            let plain = |word: usize| word.rotate_right(17) ^ guard();
            Some(Seen { stack_pointer: plain(registers[RSP]), landing: plain(registers[RIP]) })
        }
    }

    /// Writes the buffer of a new block.
    ///
    /// # Safety
    /// The control block is at `base`; [`ROOM`] bytes at `place` are the block's own.
    pub(super) unsafe fn arm(
        self,
        base: usize,
        place: usize,
        landing: unsafe extern "C-unwind" fn() -> !,
    ) {
        let mangle = |word: usize| (word ^ guard()).rotate_left(17);
        let mut buffer = Buffer { registers: [0; 8], rest: [0; 5] };
        buffer.registers[1] = mangle(0);
        // As if the function had been called: a return address less than aligned.
        buffer.registers[RSP] = mangle(place - 8);
        buffer.registers[RIP] = mangle(landing as *const () as usize);
        // SAFETY: the caller's obligation.
        unsafe {
            (place as *mut Buffer).write(buffer);
            ((base + self.buffer) as *mut usize).write(place);
        }
    }

    /// Makes the running block as it was before it was left: armed, and not ending.
    ///
    /// # Safety
    /// The control block at `base` is the running one, armed at `place`; `state` is the word of a
    /// new thread.
    pub(super) unsafe fn rearm(self, base: usize, place: usize, state: usize) {
        // SAFETY: the caller's obligation.
        unsafe {
            // The list of cleanup handlers, the buffer, the state.
            ((base + self.buffer - 8) as *mut usize).write(0);
            ((base + self.buffer) as *mut usize).write(place);
            ((base + self.state) as *mut usize).write(state);
        }
    }

    /// Notes that the coroutine is to be cancelled, as `pthread_cancel` does.
    ///
    /// # Safety
    /// The control block at `base` is one of ours.
    pub(super) unsafe fn cancel(self, base: usize) {
        // SAFETY: the caller's obligation; the library changes the word by atomic operations.
        unsafe { AtomicU32::from_ptr((base + self.state) as *mut u32) }
            .fetch_or(CANCELING | CANCELED, Ordering::Relaxed);
    }

    /// Whether that was noted.
    ///
    /// # Safety
    /// As for [`cancel`](Self::cancel).
    pub(super) unsafe fn is_cancelled(self, base: usize) -> bool {
        // SAFETY: as above.
        let state = unsafe { AtomicU32::from_ptr((base + self.state) as *mut u32) };
        state.load(Ordering::Relaxed) & CANCELED != 0
    }

    /// Whether that was noted and nothing came of it yet.
    ///
    /// # Safety
    /// As for [`cancel`](Self::cancel).
    pub(super) unsafe fn is_to_end(self, base: usize) -> bool {
        // SAFETY: as above.
        let state = unsafe { AtomicU32::from_ptr((base + self.state) as *mut u32) };
        state.load(Ordering::Relaxed) & (CANCELED | EXITING) == CANCELED
    }

    /// Index of the word that holds the state of cancellation.
    pub(super) fn state_word(self) -> usize {
        self.state / 8
    }
}

impl Seen {
    /// Whether the buffer led to the library's code and to the thread's stack.
    pub(super) fn is_right(self, low: usize, len: usize, library: usize) -> bool {
        let object = |address: usize| {
            // SAFETY: all-zero is a valid value of this plain C structure; a live place.
            unsafe {
                let mut info: libc::Dl_info = std::mem::zeroed();
                (libc::dladdr(address as *const _, &raw mut info) != 0).then_some(info.dli_fbase)
            }
        };
        self.stack_pointer.wrapping_sub(low) < len
            && object(self.landing).is_some_and(|base| object(library) == Some(base))
            && object(library) != Some(ptr::null_mut())
    }
}

/// By what the library mangles addresses that are worth an attack. The same in all threads.
fn guard() -> usize {
    let guard: usize;
    // SAFETY: a field in the head of every control block on x86-64.
    unsafe {
        asm!("mov {}, fs:[0x30]", out(reg) guard, options(nostack, readonly, preserves_flags))
    };
    guard
}
