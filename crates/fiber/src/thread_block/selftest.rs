//! Does a block behave as a thread does? Tried once at start-up, on a block made for it.
//!
//! What is tried is what would otherwise go wrong quietly: identity, `errno`, the allocator,
//! character classes, owner checks of locks, thread-locals and keys with their destructors, and
//! that the next coroutine on the block finds it new.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr;

use lisle_sys::mmap;

use super::{Blocks, Unsupported};
use crate::arch::{self, Context};

const STACK: usize = 128 << 10;

thread_local! {
    static INITIALISED: Cell<u64> = const { Cell::new(0x5eed) };
    static WITH_DESTRUCTOR: Counted = const { Counted(Cell::new(ptr::null())) };
}

/// Counts its destructor's runs where it was told to.
struct Counted(Cell<*const Cell<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        // SAFETY: null, or the counter of the trial that goes on.
        if let Some(counter) = unsafe { self.0.get().as_ref() } {
            counter.set(counter.get() + 1);
        }
    }
}

/// As a key's destructor.
extern "C" fn count(counter: *mut c_void) {
    // SAFETY: the values set for the key are null or the counter of the trial that goes on.
    if let Some(counter) = unsafe { counter.cast::<Cell<u32>>().as_ref() } {
        counter.set(counter.get() + 1);
    }
}

/// What the two stacks share.
struct Trial<'a> {
    blocks: &'a Blocks,
    home: Context,
    there: Context,
    key: libc::pthread_key_t,
    /// A recursive lock that the other thread holds.
    held: UnsafeCell<libc::pthread_mutex_t>,
    /// Destructors that ran on the block.
    destructors: Cell<u32>,
    failed: Option<&'static str>,
}

pub(super) fn run(blocks: &Blocks) -> Result<(), Unsupported> {
    let len = (STACK + blocks.size()).next_multiple_of(mmap::PAGE);
    let memory = mmap::reserve(len).map_err(|_| Unsupported::Memory)?;
    let (low, top) = (memory.as_ptr() as usize, memory.as_ptr() as usize + len);
    // SAFETY: fresh zeroed memory, never freed.
    let block = unsafe { blocks.build(low, top) }.ok_or(Unsupported::Memory)?;
    let mut key = 0;
    // SAFETY: a live place and a function of the right type.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(count)) } != 0 {
        return Err(Unsupported::SelfTest("no pthread key to be had"));
    }
    let mut trial = Trial {
        blocks,
        home: Context::running(arch::fs_base()),
        there: Context::running(block.fs),
        key,
        held: UnsafeCell::new(libc::PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP),
        destructors: Cell::new(0),
        failed: None,
    };
    let address = &raw mut trial;
    // SAFETY: the lock is initialised and stays in place; the new stack is ours, and `body` goes
    // home instead of returning.
    unsafe {
        libc::pthread_mutex_lock(trial.held.get());
        trial.there.prepare(block.stack_top, body, address as usize);
        arch::switch(&raw mut (*address).home, &raw const (*address).there);
        libc::pthread_mutex_unlock(trial.held.get());
        libc::pthread_key_delete(key);
    }
    match trial.failed {
        None => Ok(()),
        Some(what) => Err(Unsupported::SelfTest(what)),
    }
}

unsafe extern "C-unwind" fn body(trial: usize) -> ! {
    let trial = trial as *mut Trial<'_>;
    // SAFETY: `run` waits for us and touches nothing meanwhile.
    let shared = unsafe { &mut *trial };
    shared.failed = check(shared).err();
    // SAFETY: goes home for good; nothing on this stack needs to be dropped.
    unsafe { arch::switch(&raw mut (*trial).there, &raw const (*trial).home) };
    unreachable!("nobody resumes the self-test");
}

fn check(trial: &Trial<'_>) -> Result<(), &'static str> {
    // SAFETY: the running stack belongs to a new block.
    unsafe { trial.blocks.begin() };
    // SAFETY: the block's own place, which stays.
    let errno = unsafe { &*libc::__errno_location().cast::<Cell<i32>>() };
    // Before anything allocates: that may set it and succeed, where address space is short.
    if errno.get() != 0 {
        return Err("initial errno");
    }
    // SAFETY: nothing on this block has set a key value yet.
    if unsafe { trial.blocks.find_keys_used(trial.key) }.is_err() {
        return Err("the note that keys are in use");
    }
    // SAFETY: the value just set is not a pointer that anybody follows.
    unsafe { libc::pthread_setspecific(trial.key, ptr::null()) };
    let fs = arch::fs_base();
    errno.set(0);
    let ensure = |good: bool, what| if good { Ok(()) } else { Err(what) };
    for round in 0..2 {
        // SAFETY: plain calls into the C library, as any thread may make them.
        unsafe {
            ensure(libc::pthread_self() as usize == fs, "identity")?;
            let errno = libc::__errno_location();
            ensure(fs - errno as usize <= trial.blocks.symbols.tls_size, "place of errno")?;
            ensure(*errno == 0, "initial errno")?;
            *errno = libc::EDOM;
            ensure(libc::isalpha('x' as i32) != 0 && libc::isalpha('1' as i32) == 0, "classes")?;
            let memory = libc::malloc(1000);
            ensure(!memory.is_null(), "allocator")?;
            libc::free(memory);
            let lock = libc::pthread_mutex_trylock(trial.held.get());
            ensure(lock == libc::EBUSY, "owner of a lock")?;
            ensure(libc::pthread_getspecific(trial.key).is_null(), "initial key value")?;
            libc::pthread_setspecific(trial.key, ptr::from_ref(&trial.destructors).cast());
        }
        ensure(INITIALISED.get() == 0x5eed, "initial thread-local")?;
        INITIALISED.set(round);
        WITH_DESTRUCTOR.with(|counted| counted.0.set(&raw const trial.destructors));
        trial.destructors.set(0);
        // SAFETY: the end of a coroutine as far as the block can tell; no thread-local is in use.
        unsafe {
            trial.blocks.run_destructors();
            trial.blocks.restore();
        }
        ensure(trial.destructors.get() == 2, "destructors")?;
    }
    Ok(())
}
