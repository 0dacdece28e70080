//! The C library's list of threads, which every block must be on.
//!
//! The library walks it to initialise thread-locals of objects loaded later, to wait until no
//! thread looks up symbols before it unloads an object, and for `setuid`. Blocks are put on the
//! list of threads whose stack the library did not allocate, and stay on it.
//!
//! The list's lock has no descriptor. Since 2.34 the loader's globals have, after that list's
//! head: the head of the cache, its size, a word that names the element being moved (for the
//! child of a fork that comes in the middle), and the lock. [`StackList::verify`] proves that it
//! is the lock: it holds it and sees a real `pthread_create` wait for it.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Unsupported;

/// The list and what protects it.
#[derive(Debug)]
pub(super) struct StackList {
    head: usize,
}

/// The library's doubly linked list.
#[repr(C)]
struct Links {
    next: *mut Links,
    prev: *mut Links,
}

const CACHE_SIZE: usize = 32;
const IN_FLIGHT: usize = 40;
const LOCK: usize = 48;

impl StackList {
    pub(super) fn new(head: usize) -> Self {
        StackList { head }
    }

    /// Puts the element at `element` on the list.
    ///
    /// # Safety
    /// [`verify`](Self::verify) has succeeded. The element is the list field of a complete control
    /// block that is on no list and stays in memory for ever.
    pub(super) unsafe fn insert(&self, element: usize) {
        let (element, head) = (element as *mut Links, self.head as *mut Links);
        self.lock();
        // As the library does: name the element while the list is torn.
        self.in_flight().store(element as usize | 1, Ordering::Release);
        // SAFETY: the lock is held, so the links are ours to change; the head's links are valid.
        unsafe {
            let next = (*head).next;
            element.write(Links { next, prev: head });
            (*next).prev = element;
            ptr::write_volatile(&raw mut (*head).next, element);
        }
        self.in_flight().store(0, Ordering::Release);
        self.unlock();
    }

    /// Proves that the lock is where it is taken to be: who makes a thread waits for it.
    pub(super) fn verify(&self) -> Result<(), Unsupported> {
        const WRONG: Unsupported = Unsupported::Layout("the lock of the thread list");
        /// Whoever holds the lock does so for microseconds, while it has a processor.
        const FREE_WITHIN: Duration = Duration::from_secs(5);
        /// For a machine on which a thread does not get to run for long. If the layout is another
        /// one the maker does not wait, and that is seen at once.
        const WAITED_FOR_WITHIN: Duration = Duration::from_secs(60);
        // The maker is made first: making it takes the lock as well.
        let maker = std::thread::Builder::new().spawn(|| {
            std::thread::park();
            make_thread()
        });
        let maker = maker.map_err(|_| Unsupported::Memory)?;
        let deadline = Instant::now() + FREE_WITHIN;
        // Other threads may be making threads at this moment.
        let free =
            || self.word().compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        while !free() {
            if Instant::now() > deadline {
                maker.thread().unpark();
                return Err(WRONG);
            }
            std::thread::yield_now();
        }
        // SAFETY: a word of the loader's globals.
        let cache_size = unsafe { ptr::read_volatile((self.head + CACHE_SIZE) as *const usize) };
        let quiet = cache_size < 1 << 32 && self.in_flight().load(Ordering::Acquire) == 0;
        maker.thread().unpark();
        let deadline = Instant::now() + WAITED_FOR_WITHIN;
        let is_waited_for = || self.word().load(Ordering::Relaxed) == 2;
        let goes_on = || !maker.is_finished() && Instant::now() < deadline;
        while quiet && !is_waited_for() && goes_on() {
            std::thread::yield_now();
        }
        let waited_for = quiet && is_waited_for();
        self.unlock();
        let made = maker.join().unwrap_or(false);
        if waited_for && made { Ok(()) } else { Err(WRONG) }
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: a word of the loader's globals, accessed atomically by everyone.
        unsafe { AtomicU32::from_ptr((self.head + LOCK) as *mut u32) }
    }

    fn in_flight(&self) -> &AtomicUsize {
        // SAFETY: as `word`.
        unsafe { AtomicUsize::from_ptr((self.head + IN_FLIGHT) as *mut usize) }
    }

    /// The library's low-level lock: 0 free, 1 held, 2 held and perhaps waited for.
    fn lock(&self) {
        if self.word().compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            return;
        }
        while self.word().swap(2, Ordering::Acquire) != 0 {
            // An early return leads to another look.
            let _ = lisle_sys::futex::wait(self.word(), 2, None);
        }
    }

    fn unlock(&self) {
        if self.word().swap(0, Ordering::Release) == 2 {
            lisle_sys::futex::wake(self.word(), 1);
        }
    }
}

/// Makes a thread through the C library and joins it; whether that worked.
fn make_thread() -> bool {
    extern "C" fn nothing(argument: *mut c_void) -> *mut c_void {
        argument
    }
    let mut thread = 0;
    // SAFETY: a live place for the handle, default attributes, a function that only returns.
    unsafe {
        libc::pthread_create(&raw mut thread, ptr::null(), nothing, ptr::null_mut()) == 0
            && libc::pthread_join(thread, ptr::null_mut()) == 0
    }
}
