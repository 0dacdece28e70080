//! Models of the spin lock: one at a time, and each sees what the one before wrote.
#![cfg(loom)]

use lisle_core::{RawSpin, SpinLock};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

#[test]
fn increments_are_not_lost() {
    loom::model(|| {
        let total = Arc::new(SpinLock::new(0));
        let other = {
            let total = total.clone();
            thread::spawn(move || *total.lock() += 1)
        };
        *total.lock() += 1;
        other.join().unwrap();
        assert_eq!(*total.lock(), 2);
    });
}

#[test]
fn try_lock_fails_or_excludes() {
    loom::model(|| {
        let total = Arc::new(SpinLock::new(0));
        let other = {
            let total = total.clone();
            thread::spawn(move || total.try_lock().map(|mut total| *total += 1).is_some())
        };
        let mine = total.try_lock().map(|mut total| *total += 1).is_some();
        let theirs = other.join().unwrap();
        assert!(mine || theirs);
        assert_eq!(*total.lock(), u32::from(mine) + u32::from(theirs));
    });
}

/// What a raw lock guards, checked by loom.
struct Guarded {
    lock: RawSpin,
    value: UnsafeCell<u32>,
}

// SAFETY: `value` is reached under `lock` only.
unsafe impl Sync for Guarded {}
// SAFETY: it holds nothing that belongs to a thread.
unsafe impl Send for Guarded {}

#[test]
fn raw_lock_is_given_back_elsewhere() {
    loom::model(|| {
        let guarded = Arc::new(Guarded { lock: RawSpin::new(), value: UnsafeCell::new(0) });
        guarded.lock.lock();
        let carrier = {
            let guarded = guarded.clone();
            thread::spawn(move || {
                // SAFETY: the lock was taken before the spawn, for this thread to use and give
                // back.
                unsafe {
                    guarded.value.with_mut(|value| *value += 1);
                    guarded.lock.unlock();
                }
            })
        };
        guarded.lock.lock();
        // SAFETY: the lock is held.
        guarded.value.with_mut(|value| unsafe { *value += 1 });
        // SAFETY: taken two lines above.
        unsafe { guarded.lock.unlock() };
        carrier.join().unwrap();
        // SAFETY: everybody else is gone.
        assert_eq!(guarded.value.with(|value| unsafe { *value }), 2);
    });
}
