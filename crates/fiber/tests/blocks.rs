//! Thread blocks and switching, without a scheduler.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

use std::cell::Cell;
use std::time::Instant;

use lisle_fiber::{Blocks, Context, fs_base, switch};

const STACK: usize = 256 << 10;

struct Pair {
    home: Context,
    there: Context,
    log: Vec<u64>,
}

/// Where nobody comes.
unsafe extern "C-unwind" fn nowhere() -> ! {
    unreachable!("nobody leaves in the middle");
}

thread_local!(static LOCAL: Cell<u64> = const { Cell::new(7) });

unsafe extern "C-unwind" fn body(pair: usize) -> ! {
    let pair = pair as *mut Pair;
    loop {
        // SAFETY: the other side waits while this one runs.
        unsafe {
            (*pair).log.push(LOCAL.get());
            LOCAL.set(LOCAL.get() + 1);
            switch(&raw mut (*pair).there, &raw const (*pair).home);
        }
    }
}

#[test]
fn a_block_is_a_thread_and_switching_keeps_thread_locals_apart() {
    let blocks = Blocks::discover(nowhere).expect("this system is supported");
    let memory = lisle_sys::mmap::reserve(STACK).unwrap().as_ptr() as usize;
    // SAFETY: fresh zeroed memory that is never freed.
    let block = unsafe { blocks.build(memory, memory + STACK) }.unwrap();
    let mut pair = Pair {
        home: Context::running(fs_base()),
        there: Context::running(block.fs),
        log: Vec::new(),
    };
    let address = &raw mut pair;
    LOCAL.set(100);
    // SAFETY: the stack is ours and `body` never returns.
    unsafe {
        (*address).there.prepare(block.stack_top, body, address as usize);
        for _ in 0..3 {
            switch(&raw mut (*address).home, &raw const (*address).there);
            assert_eq!(LOCAL.get(), 100);
        }
        assert_eq!((*address).log, [7, 8, 9]);
    }
}

unsafe extern "C-unwind" fn bounce(pair: usize) -> ! {
    let pair = pair as *mut Pair;
    loop {
        // SAFETY: the other side waits while this one runs.
        unsafe { switch(&raw mut (*pair).there, &raw const (*pair).home) };
    }
}

#[test]
fn a_million_switches_arrive() {
    let blocks = Blocks::discover(nowhere).expect("this system is supported");
    let memory = lisle_sys::mmap::reserve(STACK).unwrap().as_ptr() as usize;
    // SAFETY: fresh zeroed memory that is never freed.
    let block = unsafe { blocks.build(memory, memory + STACK) }.unwrap();
    let mut pair =
        Pair { home: Context::running(fs_base()), there: Context::running(block.fs), log: vec![] };
    let address = &raw mut pair;
    let start = Instant::now();
    // SAFETY: the stack is ours and `bounce` never returns.
    unsafe {
        (*address).there.prepare(block.stack_top, bounce, address as usize);
        for _ in 0..1_000_000 {
            switch(&raw mut (*address).home, &raw const (*address).there);
        }
    }
    println!("{:.1} ns per switch", start.elapsed().as_nanos() as f64 / 2e6);
}

thread_local! {
    /// The two sides of the test below, for its landing.
    static SIDES: Cell<*mut Pair> = const { Cell::new(std::ptr::null_mut()) };
}

unsafe extern "C-unwind" {
    fn pthread_exit(value: *mut std::ffi::c_void) -> !;
}

/// Notes that it was dropped.
struct Noted(*mut Pair, u64);

impl Drop for Noted {
    fn drop(&mut self) {
        // SAFETY: the other side waits.
        unsafe { (*self.0).log.push(self.1) };
    }
}

unsafe extern "C-unwind" fn exits(pair: usize) -> ! {
    let pair = pair as *mut Pair;
    SIDES.set(pair);
    let _outer = Noted(pair, 1);
    let inner = || {
        let _inner = Noted(pair, 2);
        // SAFETY: what it unwinds are frames of this test.
        unsafe { pthread_exit(std::ptr::null_mut()) }
    };
    inner()
}

unsafe extern "C-unwind" fn landing() -> ! {
    let pair = SIDES.get();
    // SAFETY: the other side waits. A call that wants an aligned stack: formatting uses registers
    // that are saved so.
    unsafe {
        (*pair).log.push(format!("{:.1}", 3.0).len() as u64);
        switch(&raw mut (*pair).there, &raw const (*pair).home);
    }
    unreachable!("nobody resumes it");
}

/// Cleanups run, innermost first, and the landing is reached on the same block; twice on it.
#[test]
fn a_block_can_be_left_in_the_middle() {
    let blocks = Blocks::discover(landing).expect("this system is supported");
    let memory = lisle_sys::mmap::reserve(STACK).unwrap().as_ptr() as usize;
    // SAFETY: fresh zeroed memory that is never freed.
    let block = unsafe { blocks.build(memory, memory + STACK) }.unwrap();
    for _ in 0..2 {
        let mut pair = Pair {
            home: Context::running(fs_base()),
            there: Context::running(block.fs),
            log: Vec::new(),
        };
        let address = &raw mut pair;
        // SAFETY: the stack is ours, and `exits` never returns; `landed` is called for the block
        // after it was left, and nothing runs on it.
        unsafe {
            (*address).there.prepare(block.stack_top, exits, address as usize);
            switch(&raw mut (*address).home, &raw const (*address).there);
            assert_eq!((*address).log, [2, 1, 3]);
            blocks.landed(&block);
        }
    }
}
