//! The spin lock on real threads.
#![cfg(not(loom))]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use lisle_core::{RawSpin, SpinLock};

const ROUNDS: usize = if cfg!(miri) { 50 } else { 20_000 };

#[test]
fn increments_are_not_lost() {
    let total = SpinLock::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..ROUNDS).for_each(|_| *total.lock() += 1));
        }
    });
    assert_eq!(*total.lock(), 4 * ROUNDS);
}

#[test]
fn try_lock_fails_while_held() {
    let mut lock = SpinLock::new(1);
    {
        let guard = lock.lock();
        assert_eq!(*guard, 1);
        assert!(lock.try_lock().is_none());
    }
    *lock.try_lock().expect("free again") = 2;
    assert_eq!(*lock.get_mut(), 2);
}

#[test]
fn raw_lock_is_given_back_elsewhere() {
    let lock = RawSpin::new();
    lock.lock();
    thread::scope(|scope| {
        // SAFETY: taken above, for that thread to give back.
        scope.spawn(|| unsafe { lock.unlock() });
        lock.lock();
    });
    assert!(!lock.try_lock());
    // SAFETY: taken in the scope above.
    unsafe { lock.unlock() };
    assert!(lock.try_lock());
}

#[test]
fn guard_is_released_by_a_panic() {
    let lock = SpinLock::new(());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _guard = lock.lock();
        resume_unwind(Box::new(()));
    }));
    assert!(caught.is_err());
    assert!(lock.try_lock().is_some());
}
