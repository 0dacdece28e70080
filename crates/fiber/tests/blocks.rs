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

thread_local!(static LOCAL: Cell<u64> = const { Cell::new(7) });

unsafe extern "C" fn body(pair: usize) -> ! {
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
    let blocks = Blocks::discover().expect("this system is supported");
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

unsafe extern "C" fn bounce(pair: usize) -> ! {
    let pair = pair as *mut Pair;
    loop {
        // SAFETY: the other side waits while this one runs.
        unsafe { switch(&raw mut (*pair).there, &raw const (*pair).home) };
    }
}

#[test]
fn a_million_switches_arrive() {
    let blocks = Blocks::discover().expect("this system is supported");
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
