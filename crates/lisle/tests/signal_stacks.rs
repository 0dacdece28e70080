//! Alternate signal stacks: a coroutine's own, wherever it runs.

mod util;

use std::cell::Cell;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libc::{SA_ONSTACK, SIGUSR1, c_int, stack_t};
use util::signal::install;
use util::{Lines, Random, everywhere, mixed, scaled, told, twins, twins_alone};

const SIZE: usize = 64 << 10;

/// Memory for a stack.
struct Room(Vec<u8>);

impl Room {
    fn new() -> Self {
        Room(vec![0; SIZE])
    }

    fn stack(&mut self) -> stack_t {
        stack_t { ss_sp: self.0.as_mut_ptr().cast(), ss_flags: 0, ss_size: SIZE }
    }

    fn contains(&self, address: usize) -> bool {
        self.0.as_ptr_range().contains(&(address as *const u8))
    }
}

const NONE: stack_t = stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };

fn set(stack: &stack_t) -> c_int {
    // SAFETY: memory that outlives its use, or none.
    unsafe { libc::sigaltstack(stack, null_mut()) }
}

fn get() -> stack_t {
    let mut stack = NONE;
    // SAFETY: a live place.
    assert_eq!(unsafe { libc::sigaltstack(null(), &raw mut stack) }, 0);
    stack
}

thread_local! {
    static WHERE: Cell<usize> = const { Cell::new(0) };
    static FLAGS: Cell<c_int> = const { Cell::new(0) };
}

extern "C" fn note(_: c_int) {
    let here = 0_u8;
    WHERE.set((&raw const here) as usize);
    FLAGS.set(get().ss_flags);
}

#[test]
fn given_and_taken_away() {
    twins(|_| {
        let mut lines = Lines::new();
        let mut room = Room::new();
        // What a thread of Rust's standard library has is not what one of C's begins with.
        lines.push(set(&NONE).to_string());
        lines.push(format!("{:#x} {}", get().ss_flags, get().ss_size));
        lines.push(told("too small", set(&stack_t { ss_size: 100, ..room.stack() }) as isize));
        lines.push(told("bad flags", set(&stack_t { ss_flags: 77, ..room.stack() }) as isize));
        let given = room.stack();
        lines.push(set(&given).to_string());
        lisle::yield_now();
        let had = get();
        lines.push(format!("{} {} {:#x}", had.ss_sp == given.ss_sp, had.ss_size, had.ss_flags));
        lines.push(set(&NONE).to_string());
        lines.push(format!("{:#x}", get().ss_flags));
        lines
    });
}

#[test]
fn handlers_run_there() {
    twins_alone(|_| {
        let mut room = Room::new();
        assert_eq!(set(&room.stack()), 0);
        let mut lines = Lines::new();
        for flags in [0, SA_ONSTACK] {
            install(SIGUSR1, note, flags);
            lisle::yield_now();
            // SAFETY: a plain call.
            unsafe { libc::raise(SIGUSR1) };
            lines.push(format!("{} {:#x}", room.contains(WHERE.get()), FLAGS.get()));
        }
        assert_eq!(set(&NONE), 0);
        lines
    });
}

#[test]
fn each_has_its_own() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    everywhere(|| {
        install(SIGUSR1, note, SA_ONSTACK);
        mixed(scaled(60, 10), |own| {
            let mut random = Random::new(own as u64);
            let mut room = Room::new();
            let has = own % 3 != 0;
            if has {
                assert_eq!(set(&room.stack()), 0);
            }
            for _ in 0..100 {
                match random.below(4) {
                    0 => std::thread::sleep(Duration::from_micros(50)),
                    1 => lisle::blocking(|| ()),
                    _ => lisle::yield_now(),
                }
                // SAFETY: a plain call.
                unsafe { libc::raise(SIGUSR1) };
                assert_eq!(room.contains(WHERE.get()), has, "of {own}");
                RAN.fetch_add(1, Ordering::Relaxed);
            }
            if has {
                assert_eq!(set(&NONE), 0);
            }
        });
        assert!(RAN.load(Ordering::Relaxed) > 0);
    });
}

extern "C" fn jump(_: c_int) {
    unsafe extern "C" {
        fn siglongjmp(buffer: *mut u64, value: c_int) -> !;
    }
    // SAFETY: the place lies in the function that raised the signal.
    unsafe { siglongjmp(PLACE.with(|place| place.as_ptr().cast()), 1) };
}

thread_local! {
    static PLACE: Cell<[u64; 32]> = const { Cell::new([0; 32]) };
}

#[inline(never)]
fn jump_out() {
    unsafe extern "C" {
        fn __sigsetjmp(buffer: *mut u64, save: c_int) -> c_int;
    }
    // SAFETY: nothing with a destructor lies in between.
    unsafe {
        if __sigsetjmp(PLACE.with(|place| place.as_ptr().cast()), 1) == 0 {
            libc::raise(SIGUSR1);
        }
    }
}

#[test]
fn handlers_that_jump_from_there() {
    twins_alone(|coroutine| {
        let mut room = Room::new();
        assert_eq!(set(&room.stack()), 0);
        install(SIGUSR1, jump, SA_ONSTACK);
        for _ in 0..3 {
            jump_out();
            // It waits for one that can only run if this suspends.
            util::aside(coroutine, || ())();
        }
        let flags = get().ss_flags;
        assert_eq!(set(&NONE), 0);
        vec![format!("{flags:#x} {:?}", util::signal::blocked())]
    });
}
