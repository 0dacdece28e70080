//! An allocator as jemalloc and mimalloc are: what it keeps for a thread hangs on a pthread key,
//! whose destructor gives it back, and what threads trade lies under a C mutex.

mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc;

use util::{on_workers, scaled};

/// The one size that is kept: larger than what is asked for, aligned as `malloc` aligns.
const KEPT: usize = 256;
/// As many as a thread keeps.
const MOST: usize = 8;

/// Free blocks, linked through their first words.
struct Chain {
    first: *mut c_void,
    count: usize,
}

impl Chain {
    const EMPTY: Chain = Chain { first: null_mut(), count: 0 };

    /// # Safety
    /// The block is free, the caller's, and has [`KEPT`] bytes.
    unsafe fn push(&mut self, block: *mut c_void) {
        // SAFETY: a block has room for a pointer.
        unsafe { block.cast::<*mut c_void>().write(self.first) };
        self.first = block;
        self.count += 1;
    }

    fn pop(&mut self) -> Option<*mut c_void> {
        if self.first.is_null() {
            return None;
        }
        let block = self.first;
        // SAFETY: `push` wrote it.
        self.first = unsafe { block.cast::<*mut c_void>().read() };
        self.count -= 1;
        Some(block)
    }
}

struct Keyed {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    common: UnsafeCell<Chain>,
}

// SAFETY: the chain is used by whoever holds the lock.
unsafe impl Sync for Keyed {}

#[global_allocator]
static KEYED: Keyed = Keyed {
    lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
    common: UnsafeCell::new(Chain::EMPTY),
};

/// | value | state |
/// |---|---|
/// | [`NO_KEY`] | no thread has allocated |
/// | else | the key, for good |
static KEY: AtomicU32 = AtomicU32::new(NO_KEY);
const NO_KEY: u32 = u32::MAX;
/// What threads had made for themselves, and gave back when they ended.
static MADE: AtomicUsize = AtomicUsize::new(0);
static GIVEN_BACK: AtomicUsize = AtomicUsize::new(0);

impl Keyed {
    fn with_common<R>(&self, f: impl FnOnce(&mut Chain) -> R) -> R {
        // SAFETY: a mutex that stays in place; the chain is the holder's.
        unsafe {
            assert_eq!(libc::pthread_mutex_lock(self.lock.get()), 0);
            let result = f(&mut *self.common.get());
            assert_eq!(libc::pthread_mutex_unlock(self.lock.get()), 0);
            result
        }
    }

    /// The running thread's own chain, made when it allocates for the first time.
    fn own(&self) -> *mut Chain {
        let mut key = KEY.load(Ordering::Acquire);
        if key == NO_KEY {
            let mut made = 0;
            // SAFETY: a live place; a destructor of the right type.
            assert_eq!(unsafe { libc::pthread_key_create(&raw mut made, Some(give_back)) }, 0);
            match KEY.compare_exchange(NO_KEY, made, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => key = made,
                Err(theirs) => key = theirs,
            }
        }
        // SAFETY: the key lives; what is set for it is null or a chain.
        unsafe {
            let own = libc::pthread_getspecific(key).cast::<Chain>();
            if !own.is_null() {
                return own;
            }
            let own = libc::malloc(size_of::<Chain>()).cast::<Chain>();
            own.write(Chain::EMPTY);
            assert_eq!(libc::pthread_setspecific(key, own.cast()), 0);
            MADE.fetch_add(1, Ordering::Relaxed);
            own
        }
    }
}

/// The key's destructor.
extern "C" fn give_back(own: *mut c_void) {
    // SAFETY: what is set for the key is a chain, whose thread is gone.
    unsafe {
        let own = own.cast::<Chain>();
        KEYED.with_common(|common| {
            while let Some(block) = (*own).pop() {
                common.push(block);
            }
        });
        libc::free(own.cast());
    }
    GIVEN_BACK.fetch_add(1, Ordering::Relaxed);
}

fn is_kept(layout: Layout) -> bool {
    layout.size() <= KEPT && layout.align() <= 16
}

// SAFETY: blocks are the system's; a kept one is in one chain alone, and of the size of all.
unsafe impl GlobalAlloc for Keyed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Whatever the size: the first allocation of a thread sets its key.
        let own = self.own();
        if !is_kept(layout) {
            // SAFETY: the caller's obligation.
            return unsafe { System.alloc(layout) };
        }
        // SAFETY: the running thread's own chain.
        let block = unsafe { (*own).pop() };
        let block = block.or_else(|| self.with_common(Chain::pop));
        // SAFETY: a size that is not zero.
        block.unwrap_or_else(|| unsafe { libc::malloc(KEPT) }).cast()
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligation; blocks of this size came from above.
        unsafe {
            if !is_kept(layout) {
                System.dealloc(place, layout);
            } else if (*self.own()).count < MOST {
                (*self.own()).push(place.cast());
            } else {
                self.with_common(|common| common.push(place.cast()));
            }
        }
    }
}

/// Allocates, passes on to the next, frees what others allocated, and ends.
fn trade(number: usize, to: mpsc::Sender<Vec<Vec<usize>>>) {
    let mut kept = Vec::new();
    for round in 0..50 {
        let some: Vec<_> = (0..20).map(|at| vec![number + round + at]).collect();
        if round % 2 == 0 {
            // Nobody may be there any more.
            let _ = to.send(some);
        } else {
            kept.push(some);
        }
        if round % 8 == 7 {
            lisle::yield_now();
            kept.clear();
        }
    }
}

#[test]
fn state_of_threads_in_keys() {
    on_workers(|| {
        // Such an allocator is no reason to do without coroutines.
        let without = lisle::runtime::coroutines_unavailable();
        assert!(!without.is_some_and(|why| why.contains("self-test")), "{without:?}");
        let (made, given_back) = (&MADE, &GIVEN_BACK);
        let before = made.load(Ordering::Relaxed);
        let count = scaled(2000, 100);
        let (to, from) = mpsc::channel();
        let reader = lisle::spawn(move || {
            from.into_iter().map(|some: Vec<Vec<usize>>| some.len()).sum::<usize>()
        });
        let traders: Vec<_> = (0..count)
            .map(|number| {
                let to = to.clone();
                lisle::spawn(move || trade(number, to))
            })
            .collect();
        drop(to);
        traders.into_iter().for_each(|trader| trader.join().unwrap());
        assert_eq!(reader.join().unwrap(), count * 25 * 20);
        let made = made.load(Ordering::Relaxed) - before;
        assert!(made >= count, "{made} chains for {count} coroutines");
        let given_back = given_back.load(Ordering::Relaxed);
        assert!(given_back >= count, "{given_back} chains given back of {made}");
    });
}
