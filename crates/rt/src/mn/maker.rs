//! The thread that makes threads.
//!
//! Workers need OS threads while they run coroutines: spare carriers, substitutes. Making one takes
//! memory and locks of the C library's, and of the program's allocator if std makes it. Whoever
//! holds these may be a coroutine that was taken off its worker; were the worker to wait for them,
//! that coroutine would never go on. So this thread waits, and workers go on. It uses neither std's
//! threads nor the program's allocator, and is not the monitor, which must not wait either.
//!
//! | `Maker::asked` | meaning |
//! |---|---|
//! | changed since the last round | somebody wants threads, noted where they are kept |
//! | else | nobody does; the thread sleeps on it |
//!
//! Counted up with Release after the note, read with Acquire before the round that looks for notes.

use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

use lisle_sys::{futex, signal, thread};

use super::mask::ALL;
use super::shared::Shared;

/// See the module.
pub(crate) struct Maker {
    asked: AtomicU32,
}

impl Maker {
    pub(crate) fn new() -> Self {
        Maker { asked: AtomicU32::new(0) }
    }

    /// Has it look for what is wanted. Allowed in commits.
    pub(crate) fn ask(&self) {
        self.asked.fetch_add(1, Ordering::Release);
        futex::wake(&self.asked, 1);
    }

    /// The life of the thread.
    pub(crate) fn run(&self, shared: &'static Shared) -> ! {
        // Those that it makes begin that way, too.
        signal::change_mask(signal::Change::Set, ALL);
        loop {
            let asked = self.asked.load(Ordering::Acquire);
            shared.spares.make_wanted(shared);
            shared.substitutes.make_wanted(shared);
            // An early return leads to another look.
            let _ = futex::wait(&self.asked, asked, None);
        }
    }
}

/// A body for [`make`]: its type says what runs, its value is the argument.
pub(crate) trait Body: Sync {
    /// As other programs show it, at most 15 bytes.
    const NAME: &'static CStr;

    /// The life of the thread.
    fn live(&'static self);
}

/// Makes a thread that nobody waits for, with `stack` bytes for itself besides what the C library
/// takes, which are `block`. False if none is to be had.
pub(crate) fn make<B: Body + 'static>(body: &'static B, stack: usize, block: usize) -> bool {
    extern "C" fn begin<B: Body + 'static>(body: *mut c_void) -> *mut c_void {
        thread::set_name(B::NAME);
        // SAFETY: passed below, from a reference that lasts.
        unsafe { &*body.cast::<B>() }.live();
        std::ptr::null_mut()
    }
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let attributes = attributes.as_mut_ptr();
    let size = (stack + block).next_multiple_of(lisle_sys::mmap::PAGE);
    let body = std::ptr::from_ref(body).cast_mut().cast();
    let mut made = MaybeUninit::uninit();
    // SAFETY: live places; the body lasts, and may be used on that thread.
    unsafe {
        libc::pthread_attr_init(attributes);
        libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED);
        let sized = libc::pthread_attr_setstacksize(attributes, size) == 0;
        let result = libc::pthread_create(made.as_mut_ptr(), attributes, begin::<B>, body);
        libc::pthread_attr_destroy(attributes);
        sized && result == 0
    }
}
