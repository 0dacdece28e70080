//! Spin locks: who holds one may be a coroutine that is not running, so others go first now and
//! then.

use std::hint;

use lisle_sys::clock;

use crate::real::real;

/// C's `pthread_spinlock_t`.
type Word = std::ffi::c_int;

/// Looks at a held lock before others go first.
const LOOKS: u32 = 100;
/// Rounds of looks, before the coroutine sleeps between them: its holder may wait for something.
const ROUNDS: u32 = 100;
/// Nanoseconds of such a sleep.
const NAP: u64 = 50_000;

/// See pthread_spin_lock(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_spin_lock(lock: *mut Word) -> i32 {
    if !lisle_rt::can_suspend() {
        return real!(pthread_spin_lock(lock): fn(*mut Word) -> i32);
    }
    let mut round = 0;
    loop {
        for _ in 0..LOOKS {
            match real!(pthread_spin_trylock(lock): fn(*mut Word) -> i32) {
                libc::EBUSY => hint::spin_loop(),
                result => return result,
            }
        }
        if round < ROUNDS {
            round += 1;
            lisle_rt::yield_now();
        } else {
            lisle_rt::sleep_until(clock::now() + NAP);
        }
    }
}
