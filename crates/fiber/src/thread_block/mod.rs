//! What a thread is to the C library, for coroutines.
//!
//! ```text
//!   higher addresses
//!   +----------------------------+ <- top, given by the caller
//!   | control block              |  struct pthread: identity, keys, cancellation, robust list
//!   +----------------------------+ <- thread pointer (FS base), aligned
//!   | static thread-locals       |  of the program and the libraries it was started with
//!   | room for later libraries   |  that want a fixed place
//!   +----------------------------+
//!   | jump buffer                |  see `exit`
//!   +----------------------------+ <- ThreadBlock::stack_top
//!   | stack, downwards           |
//! ```
//!
//! [`Blocks::discover`] learns the layout from the running C library, makes one block and tests
//! it; whatever differs from a real thread is reported as [`Unsupported`], and the runtime falls
//! back to OS threads. [`Blocks::build`] makes a block; [`Blocks::finish`] ends a coroutine on it:
//! destructors, then initial values for the next. A block is never freed (see `modules`).
//!
//! # Ways not taken
//!
//! 1. Copying a thread's whole block, identity included: two threads would then share the owner
//!    word of recursive locks.
//! 2. Letting glibc make a real thread and stealing its `clone`: it works, and needs a dispatcher
//!    for system calls, three traps (14 us) a thread, and rseq switched off.
//! 3. `_dl_allocate_tls_init` to make a block new again: it forgets the allocator's cache, loses
//!    memory of dynamic thread-locals, and its second argument changed meaning between releases.

mod exit;
mod id;
mod keys;
mod list;
mod modules;
mod registry;
mod robust;
mod selftest;
mod symbols;
mod template;

use std::ffi::{CStr, c_void};
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use id::{FIRST_ID, LAST_OF_BLOCKS};
use list::StackList;
use modules::Modules;
use robust::RobustList;
use symbols::Symbols;
use template::{Template, Word};

use crate::arch;

pub use id::{id_of, is_block, thread_id};
pub use registry::{block_with_id, give_back_id, take_id};

/// Why thread blocks cannot be made on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsupported {
    /// The processor or the kernel does not let user space set the FS base.
    FsGsBase,
    /// Shadow stacks are in use.
    ShadowStack,
    /// The C library lacks a symbol.
    Symbol(&'static CStr),
    /// The C library's layout is not the expected one, here.
    Layout(&'static str),
    /// A thread could not be made, with this error number.
    Thread(i32),
    /// Memory is exhausted.
    Memory,
    /// A block behaved differently from a real thread, here.
    SelfTest(&'static str),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FsGsBase => {
                f.write_str("no FSGSBASE instructions (Linux 5.9 or later enables them)")
            }
            Self::ShadowStack => f.write_str(
                "shadow stacks are on (GLIBC_TUNABLES=glibc.cpu.x86_shstk=off turns them off)",
            ),
            Self::Symbol(name) => {
                write!(
                    f,
                    "the C library has no {} (glibc 2.34 or later has)",
                    name.to_string_lossy()
                )
            }
            Self::Layout(what) => write!(f, "unknown layout of the C library: {what}"),
            Self::Thread(errno) => {
                write!(f, "cannot make a thread: {}", std::io::Error::from_raw_os_error(*errno))
            }
            Self::Memory => f.write_str("out of memory"),
            Self::SelfTest(what) => write!(f, "self-test of thread blocks failed: {what}"),
        }
    }
}

impl std::error::Error for Unsupported {}

/// How this process's C library wants its threads; made once.
#[derive(Debug)]
pub struct Blocks {
    symbols: Symbols,
    template: Template,
    modules: Modules,
    list: StackList,
    robust: Option<RobustList>,
    next_id: AtomicU32,
    /// Where in the control block the library notes that a key value was ever set, once the
    /// self-test has found it; 0 before.
    keys_used: AtomicUsize,
    /// Where a coroutine goes on that is left in the middle.
    landing: Landing,
}

/// A function that ends the coroutine it runs on; at the top of its stack, which is empty.
pub type Landing = unsafe extern "C-unwind" fn() -> !;

/// A thread block in place, on its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadBlock {
    /// The FS base that selects it.
    pub fs: usize,
    /// Where the stack below it begins, aligned to 64.
    pub stack_top: usize,
    /// Its own thread id, which it has unless it was given one for a life.
    pub id: u32,
}

/// The C library's `LC_GLOBAL_LOCALE`, which crate libc lacks.
const GLOBAL_LOCALE: libc::locale_t = ptr::without_provenance_mut(usize::MAX);

/// More than any release's has: 2304 bytes in those of today.
const LARGEST_CONTROL_BLOCK: usize = 8192;

impl Blocks {
    /// Learns the layout from the running process and tests a block.
    ///
    /// # Errors
    /// Why coroutines cannot be threads here.
    pub fn discover(landing: Landing) -> Result<Self, Unsupported> {
        if !lisle_sys::cpu::has_fsgsbase() {
            return Err(Unsupported::FsGsBase);
        }
        if lisle_sys::cpu::has_shadow_stack() {
            return Err(Unsupported::ShadowStack);
        }
        let symbols = Symbols::look_up()?;
        id::note(symbols.offset_tid);
        let template = Template::take(&symbols)?;
        let modules = Modules::new(&symbols);
        let list = StackList::new(symbols.stack_user);
        list.verify()?;
        let robust = RobustList::find(&template.words, symbols.offset_tid);
        let next_id = AtomicU32::new(FIRST_ID);
        let keys_used = AtomicUsize::new(0);
        let blocks =
            Blocks { symbols, template, modules, list, robust, next_id, keys_used, landing };
        selftest::run(&blocks)?;
        Ok(blocks)
    }

    /// Finds out where the library notes that a key value was set: the one byte of the control
    /// block that setting one changes from 0 to 1, outside of the table itself. To be called on a
    /// block on which none was set; so nothing may be allocated on it before, since allocators keep
    /// their own state of a thread in a key.
    ///
    /// # Safety
    /// The running stack belongs to a block of ours; `key` is a pthread key.
    unsafe fn find_keys_used(&self, key: libc::pthread_key_t) -> Result<(), Unsupported> {
        let (fs, len) = (arch::fs_base(), self.symbols.sizeof_pthread);
        // SAFETY: the control block of the running thread, read before and after a call.
        let read = |at| unsafe { ptr::read_volatile((fs + at) as *const u8) };
        let mut before = [0; LARGEST_CONTROL_BLOCK];
        let Some(before) = before.get_mut(..len) else {
            return Err(Unsupported::Layout("a control block of that size"));
        };
        (0..len).for_each(|at| before[at] = read(at));
        // SAFETY: the caller's obligation.
        unsafe { libc::pthread_setspecific(key, ptr::without_provenance(1)) };
        let first_block = self.symbols.offset_specific - keys::FIRST_BLOCK_SIZE;
        let table = first_block..self.symbols.offset_specific + keys::TABLE_SIZE;
        let mut changed =
            (0..len).filter(|at| before[*at] == 0 && read(*at) == 1 && !table.contains(at));
        let (Some(place), None) = (changed.next(), changed.next()) else {
            return Err(Unsupported::Layout("the note that keys are in use"));
        };
        self.keys_used.store(place, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes that a block takes at the top of a stack, at most.
    pub fn size(&self) -> usize {
        self.symbols.tls_size + 2 * self.symbols.tls_align + exit::ROOM
    }

    /// Makes a block that ends at or below `top` on a stack that begins at `low`. `None` when
    /// memory or the supply of half a billion identities is exhausted, or the stack is too small.
    ///
    /// # Safety
    /// `low..top` is zeroed memory of at least [`size`](Self::size) bytes that stays mapped for
    /// ever and is used for this block and its stack alone.
    pub unsafe fn build(&self, low: usize, top: usize) -> Option<ThreadBlock> {
        let symbols = &self.symbols;
        if top - low <= self.size() {
            return None;
        }
        let fs = (top - symbols.sizeof_pthread) & !(symbols.tls_align - 1);
        let buffer = ((fs - (symbols.tls_size - symbols.sizeof_pthread)) & !63) - exit::ROOM;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        if !(FIRST_ID..=LAST_OF_BLOCKS).contains(&id) {
            self.next_id.store(LAST_OF_BLOCKS + 1, Ordering::Relaxed);
            return None;
        }
        // SAFETY: the address has the room the library asked for, zeroed.
        if unsafe { (symbols.allocate_tls)(fs as *mut c_void) }.is_null() {
            return None;
        }
        // SAFETY: the control block is `sizeof_pthread` bytes at `fs`, all within the range.
        unsafe { self.write_control_block(fs, low, top, id) };
        if let Some(exit) = self.template.exit {
            // SAFETY: as above; the room is between the thread-locals and the stack.
            unsafe { exit.arm(fs, buffer, self.landing) };
        }
        // SAFETY: complete now; the memory stays for ever by the caller's promise.
        unsafe { self.list.insert(fs + symbols.offset_list) };
        Some(ThreadBlock { fs, stack_top: buffer, id })
    }

    /// # Safety
    /// As [`build`](Self::build); `fs` is the block's place in it.
    unsafe fn write_control_block(&self, fs: usize, low: usize, top: usize, id: u32) {
        for (index, word) in self.template.words.iter().enumerate() {
            let value = match *word {
                Word::Value(0) | Word::Keep => continue,
                Word::Value(value) => value,
                Word::Own(offset) => fs + offset,
                Word::StackLow => low,
                Word::StackSize => top - low,
            };
            // SAFETY: within the control block.
            unsafe { (fs as *mut usize).add(index).write(value) };
        }
        // SAFETY: fields of the control block, and of the library's own static thread-locals just
        // initialised by it; the last is the area for the processor number, of which nobody told
        // the kernel: -1 makes the library ask the kernel instead.
        unsafe {
            ((fs + self.symbols.offset_tid) as *mut u32).write(id);
            let (pointer, target) = self.template.resolver;
            (fs.wrapping_add_signed(pointer) as *mut usize).write(fs + target);
            if let Some(area) = self.symbols.rseq {
                (fs.wrapping_add_signed(area + 4) as *mut i32).write(-1);
            }
        }
    }

    /// To be called once by the first code that runs on a new block.
    ///
    /// # Safety
    /// The running stack belongs to a block made by [`build`](Self::build).
    pub unsafe fn begin(&self) {
        // The tables of character classes hang on the locale; this sets them.
        // SAFETY: the global locale always exists.
        unsafe { libc::uselocale(GLOBAL_LOCALE) };
    }

    /// Runs the destructors of the running thread's thread-locals, then those of its pthread key
    /// values, in the order a real thread's end has them, and leaves its robust mutexes.
    ///
    /// # Safety
    /// The running stack belongs to a block of ours, and the coroutine's code is over.
    pub unsafe fn run_destructors(&self) {
        // SAFETY: the library's own function for this; the caller vouches for the moment.
        unsafe { (self.symbols.call_tls_destructors)() };
        let fs = arch::fs_base();
        // The flag stays set for as long as the block lives, like the thread's it is: clear it for
        // the next coroutine.
        let flag = (fs + self.keys_used.load(Ordering::Relaxed)) as *mut u8;
        // SAFETY: a byte of the running thread's control block; its table of values.
        unsafe {
            if *flag != 0 {
                keys::run_destructors(self.symbols.keys, fs + self.symbols.offset_specific);
                *flag = 0;
                // What those registered must not wait for the next coroutine's end.
                (self.symbols.call_tls_destructors)();
            }
            if let Some(robust) = self.robust {
                robust.leave(fs, thread_id());
            }
        }
    }

    /// Notes in a block that its coroutine is to be cancelled.
    pub fn cancel(&self, block: &ThreadBlock) {
        if let Some(exit) = self.template.exit {
            // SAFETY: a block of ours, armed when it was built; blocks are never freed.
            unsafe { exit.cancel(block.fs) };
        }
    }

    /// Whether that was noted.
    pub fn is_cancelled(&self, block: &ThreadBlock) -> bool {
        // SAFETY: as above.
        self.template.exit.is_some_and(|exit| unsafe { exit.is_cancelled(block.fs) })
    }

    /// Whether it was noted, and the block's code does not run its cleanup handlers by now.
    #[inline]
    pub fn is_to_end(&self, block: &ThreadBlock) -> bool {
        // SAFETY: as above.
        self.template.exit.is_some_and(|exit| unsafe { exit.is_to_end(block.fs) })
    }

    /// To be called by the landing, first of all: the block is as before, but for what ran on it.
    ///
    /// # Safety
    /// The running block is `block`, and was left in the middle.
    pub unsafe fn landed(&self, block: &ThreadBlock) {
        if let Some(exit) = self.template.exit {
            let state = match self.template.words[exit.state_word()] {
                Word::Value(state) => state,
                _ => 0,
            };
            // SAFETY: the caller's obligation; `build` armed it there.
            unsafe { exit.rearm(block.fs, block.stack_top, state) };
        }
    }

    /// Gives every thread-local of the running block its initial value, for the next coroutine.
    ///
    /// # Safety
    /// [`run_destructors`](Self::run_destructors) has run, and no thread-local is in use.
    pub unsafe fn restore(&self) {
        // SAFETY: the caller's obligation; the global locale always exists.
        unsafe {
            if libc::uselocale(ptr::null_mut()) != GLOBAL_LOCALE {
                libc::uselocale(GLOBAL_LOCALE);
            }
            *libc::__errno_location() = 0;
            self.modules.restore();
        }
    }
}
