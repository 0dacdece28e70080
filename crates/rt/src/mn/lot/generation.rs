//! The lot in the child of a fork: who waits in it does not exist there.
//!
//! C's locks wait here from the first call of the process on, whether there is a runtime or not,
//! and handlers of forks that the program made before the runtime started run before the runtime's
//! in the child. So the lot finds out by itself, before it is used: by a word that reads as zero in
//! the child of a fork of any kind.
//!
//! | word | meaning | left by |
//! |---|---|---|
//! | 0 | nodes are of an ancestor | who comes first: to EMPTYING |
//! | EMPTYING | they are being forgotten | the same: to OURS |
//! | OURS | nodes are of this process | a fork, in the child |
//!
//! On kernels that cannot wipe the word the runtime's handler of forks does.

use std::hint;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use lisle_sys::mmap;

use super::queue;
use crate::mn::section;

const EMPTYING: u32 = 1;
const OURS: u32 = 2;

/// Where the word is. Null until somebody is about to wait for the first time.
static PLACE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
/// The word where there is no memory to be wiped.
static PLAIN: AtomicU32 = AtomicU32::new(OURS);
/// Whether the kernel does not wipe the word.
static STAYS: AtomicBool = AtomicBool::new(false);

fn word() -> Option<&'static AtomicU32> {
    // SAFETY: null, or a word that stays.
    unsafe { PLACE.load(Ordering::Acquire).as_ref() }
}

/// To be called before somebody counts himself among those who wait.
#[inline]
pub(super) fn begin() {
    if word().is_none() {
        make_word();
    }
    check();
}

/// To be called before a queue is looked at.
#[inline]
pub(super) fn check() {
    // Acquire: what was emptied is seen to be empty.
    if let Some(word) = word()
        && word.load(Ordering::Acquire) != OURS
    {
        empty(word);
    }
}

#[cold]
fn make_word() {
    let mut place = ptr::from_ref(&PLAIN).cast_mut();
    let page = mmap::reserve(mmap::PAGE).ok();
    if let Some(page) = page {
        // SAFETY: a new page.
        if unsafe { mmap::wipe_on_fork(page, mmap::PAGE) }.is_ok() {
            place = page.as_ptr().cast();
            // SAFETY: as above; nobody else has it yet.
            unsafe { &*place }.store(OURS, Ordering::Relaxed);
        }
    }
    let plain = ptr::eq(place, &raw const PLAIN);
    STAYS.fetch_or(plain, Ordering::Relaxed);
    let (new, old) = (place, ptr::null_mut());
    let lost = PLACE.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_err();
    if let Some(page) = page.filter(|_| plain || lost) {
        // SAFETY: nobody has it.
        unsafe { mmap::release(page, mmap::PAGE) };
    }
}

/// Forgets all nodes, or waits until that is done.
#[cold]
fn empty(word: &AtomicU32) {
    // Nobody waits in a section, and a handler would wait for what it interrupts.
    section::within(|| {
        let first = word.compare_exchange(0, EMPTYING, Ordering::Acquire, Ordering::Acquire);
        if first.is_ok() {
            queue::forget_all();
            word.store(OURS, Ordering::Release);
        }
        while word.load(Ordering::Acquire) != OURS {
            hint::spin_loop();
        }
    });
}

/// Called in the child of a fork, by its only thread.
pub(crate) fn forget_after_fork() {
    if STAYS.load(Ordering::Relaxed)
        && let Some(word) = word()
    {
        word.store(0, Ordering::Relaxed);
    }
    check();
}
