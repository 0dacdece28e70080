//! `pthread_once` and `call_once`.
//!
//! | word | state | left by |
//! |---|---|---|
//! | 0 | nobody has called it | the first caller: to RUNNING |
//! | process id, RUNNING | the routine runs | its caller: to DONE, or to 0 if it unwinds |
//! | DONE | done | |
//!
//! A process id that is not this one's means that the process forked meanwhile; who ran the routine
//! does not exist here, so it is run again, as the C library does it.

use std::sync::atomic::{AtomicU32, Ordering};

use libc::pthread_once_t;
use lisle_rt::lot;
use lisle_sys::futex;

const RUNNING: u32 = 1;
const DONE: u32 = 2;

type Routine = unsafe extern "C-unwind" fn();

/// Makes the word what it is to be when the routine has ended, by return or by unwinding.
struct Running<'a> {
    word: &'a AtomicU32,
    end: u32,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.word.store(self.end, Ordering::Release);
        let all = |rest: usize| futex::wake(self.word, u32::try_from(rest).unwrap_or(u32::MAX));
        lot::wake(self.word.as_ptr(), usize::MAX, lot::ANY, all);
    }
}

/// # Safety
/// As for pthread_once(3).
#[inline]
unsafe fn once(word: *mut pthread_once_t, routine: Routine) -> i32 {
    // SAFETY: a live word, by the caller's obligation.
    let word = unsafe { AtomicU32::from_ptr(word.cast()) };
    if word.load(Ordering::Acquire) & DONE == 0 {
        // SAFETY: the caller's obligation.
        unsafe { once_slowly(word, routine) };
    }
    0
}

#[cold]
unsafe fn once_slowly(word: &AtomicU32, routine: Routine) {
    let running = std::process::id() << 2 | RUNNING;
    let mut seen = word.load(Ordering::Acquire);
    while seen & DONE == 0 {
        if seen == running {
            let _ = lot::wait(word, running, lot::ANY, None);
            seen = word.load(Ordering::Acquire);
            continue;
        }
        match word.compare_exchange(seen, running, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => {
                let mut end = Running { word, end: 0 };
                // SAFETY: the caller's obligation.
                unsafe { routine() };
                end.end = DONE;
                return;
            }
            Err(now) => seen = now,
        }
    }
}

/// See pthread_once(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn pthread_once(word: *mut pthread_once_t, routine: Routine) -> i32 {
    // SAFETY: the caller's obligation.
    unsafe { once(word, routine) }
}

/// See pthread_once(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __pthread_once(word: *mut pthread_once_t, routine: Routine) -> i32 {
    // SAFETY: the caller's obligation.
    unsafe { once(word, routine) }
}

/// See call_once(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn call_once(word: *mut pthread_once_t, routine: Routine) {
    // SAFETY: the caller's obligation.
    unsafe { once(word, routine) };
}
