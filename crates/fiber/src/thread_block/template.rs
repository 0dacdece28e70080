//! What a thread control block holds: read off a real thread.
//!
//! A thread is made with a stack of ours and copies its own control block. Each word is then one
//! of: a plain value (copied into every block), an address inside of the block (moved along), an
//! address on the template's stack (what the library keeps there while the thread runs; no other
//! thread may have it, so zero), or the stack's own address and size (replaced by ours).

use std::ffi::c_void;
use std::ptr;

use super::Unsupported;
use super::exit::{Exit, Seen};
use super::keys::FIRST_BLOCK_SIZE;
use super::symbols::{Symbols, address};
use crate::arch;

/// How one word of a new control block comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The same in every thread.
    Value(usize),
    /// The block's own address plus an offset.
    Own(usize),
    /// The lowest address of the stack.
    StackLow,
    /// The size of the stack.
    StackSize,
    /// Made by the library's allocator, not to be written.
    Keep,
}

/// The recipe for control blocks.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) words: Box<[Word]>,
    /// The resolver's state: where its thread-local pointer is (from the thread pointer) and
    /// where in the block it points. Its initial value is the *main thread's* state.
    pub(super) resolver: (isize, usize),
    /// How to leave in the middle, if the library is as expected.
    pub(super) exit: Option<Exit>,
}

/// What the template thread reports.
struct Report {
    sizeof_pthread: usize,
    base: usize,
    words: Vec<usize>,
    /// Address and value of the template's `__resp`.
    resolver_at: usize,
    resolver_value: usize,
    exit: Option<Exit>,
    stack: (usize, usize),
    seen: Option<Seen>,
}

/// What the template's own frames have room in, beside the program's thread-locals.
const STACK: usize = 256 << 10;

impl Template {
    pub(super) fn take(symbols: &Symbols) -> Result<Self, Unsupported> {
        let mut report = Report {
            sizeof_pthread: symbols.sizeof_pthread,
            base: 0,
            words: vec![0; symbols.sizeof_pthread / 8],
            resolver_at: 0,
            resolver_value: 0,
            exit: symbols.exit,
            stack: (0, 0),
            seen: None,
        };
        let len = (STACK + symbols.tls_size).next_multiple_of(4096);
        let layout = std::alloc::Layout::from_size_align(len, 4096).expect("a sensible size");
        // SAFETY: the layout has a size.
        let stack = unsafe { std::alloc::alloc_zeroed(layout) };
        if stack.is_null() {
            return Err(Unsupported::Memory);
        }
        report.stack = (stack as usize, len);
        // SAFETY: the stack is fresh; the thread is joined before anything it uses ends.
        let made = unsafe { run_thread(stack, len, &mut report) };
        let stack_low = stack as usize;
        // SAFETY: the thread, if any, has ended.
        unsafe { std::alloc::dealloc(stack, layout) };
        made?;
        Self::from_report(&report, symbols, stack_low, len)
    }

    fn from_report(
        report: &Report,
        symbols: &Symbols,
        stack_low: usize,
        stack_len: usize,
    ) -> Result<Self, Unsupported> {
        let base = report.base;
        let classify = |(index, &word): (usize, &usize)| match word {
            _ if index * 8 == symbols.offset_dtv => Word::Keep,
            _ if word.wrapping_sub(base) < report.sizeof_pthread => Word::Own(word - base),
            _ if word == stack_low => Word::StackLow,
            _ if word == stack_len => Word::StackSize,
            _ if word.wrapping_sub(stack_low) < stack_len => Word::Value(0),
            _ => Word::Value(word),
        };
        let words: Box<[Word]> = report.words.iter().enumerate().map(classify).collect();
        let values = symbols.offset_specific - FIRST_BLOCK_SIZE;
        let expected = [
            (0, Word::Own(0)),                            // the thread pointer points to itself
            (16, Word::Own(0)),                           // and is the thread
            (symbols.offset_specific, Word::Own(values)), // the first block of key values
        ];
        for (offset, word) in expected {
            if words[offset / 8] != word {
                return Err(Unsupported::Layout("the head of the control block"));
            }
        }
        let once = |kind| words.iter().filter(|&&w| w == kind).count() == 1;
        if !once(Word::StackLow) || !once(Word::StackSize) {
            return Err(Unsupported::Layout("the stack in the control block"));
        }
        let resolver_offset = report.resolver_at.wrapping_sub(base) as isize;
        let library = symbols.own_code[0];
        let right = |seen: &Seen| seen.is_right(stack_low, stack_len, library);
        let exit = report.seen.filter(right).and(symbols.exit);
        Ok(Template { words, resolver: (resolver_offset, report.resolver_target()?), exit })
    }
}

impl Report {
    /// Where in the block the resolver's pointer led.
    fn resolver_target(&self) -> Result<usize, Unsupported> {
        self.resolver_value
            .checked_sub(self.base)
            .filter(|&offset| offset < self.sizeof_pthread)
            .ok_or(Unsupported::Layout("the resolver's state"))
    }
}

/// Makes the template thread, on `stack`, and waits for its report.
///
/// # Safety
/// `stack` has `len` bytes that nobody uses.
unsafe fn run_thread(stack: *mut u8, len: usize, report: &mut Report) -> Result<(), Unsupported> {
    // SAFETY: plain C structures for which zero is a valid value to be initialised from.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: live places; the stack is the caller's promise; the report outlives the join.
    unsafe {
        libc::pthread_attr_init(&raw mut attributes);
        libc::pthread_attr_setstack(&raw mut attributes, stack.cast(), len);
        let mut thread = 0;
        let argument = ptr::from_mut(report).cast();
        let made = libc::pthread_create(&raw mut thread, &raw const attributes, body, argument);
        libc::pthread_attr_destroy(&raw mut attributes);
        if made != 0 {
            return Err(Unsupported::Thread(made));
        }
        libc::pthread_join(thread, ptr::null_mut());
    }
    Ok(())
}

/// The template thread. It uses no thread-local and no key before the copy, so that the copy is
/// that of a thread which has just begun.
extern "C" fn body(report: *mut c_void) -> *mut c_void {
    // SAFETY: the creator waits for this thread and touches the report only then.
    let report = unsafe { &mut *report.cast::<Report>() };
    report.base = arch::fs_base();
    for (index, word) in report.words.iter_mut().enumerate() {
        // SAFETY: the control block of the running thread is that many bytes long.
        *word = unsafe { ptr::read_volatile((report.base as *const usize).add(index)) };
    }
    if let Some(exit) = report.exit {
        // SAFETY: the library made this thread.
        report.seen = unsafe { exit.look(report.base, report.stack.0, report.stack.1) };
    }
    if let Ok(place) = address(c"__resp") {
        report.resolver_at = place;
        // SAFETY: `__resp` is a thread-local pointer; dlsym gives this thread's.
        report.resolver_value = unsafe { *(place as *const usize) };
    }
    ptr::null_mut()
}
