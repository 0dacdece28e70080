//! The header of a coroutine.
//!
//! It lies at the top of the coroutine's stack mapping and is never freed: when a coroutine ends,
//! header, thread block and stack go to the pool together and become the next coroutine's. The
//! memory is therefore *type-stable*: a stale handle or ticket refers to some coroutine's header
//! for ever, and finds out from the identity or the epoch in it that it is stale. Nobody needs to
//! count references.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use lisle_core::{Linked, WaitWord};
use lisle_fiber::{Context, ThreadBlock};

use super::carrier::Carrier;
use super::label::Label;
use super::mask::Mask;
use super::stay::Stay;

/// Calls on descriptors without a wait in between: some twenty microseconds of short ones, so that
/// giving way, which takes a few dozen nanoseconds, does not show.
pub(crate) const BUDGET: u32 = 16;

/// One coroutine, or a pooled header that awaits the next.
///
/// Fields that are not atomic belong to whoever *owns* the coroutine: the spawner until it is
/// made runnable, then the carrier that runs it, and between the two the queue that it is in. A
/// handover is always through an atomic of that queue (or the wait word) with Release and Acquire.
#[repr(C, align(64))]
pub(crate) struct Task {
    // The first cache line is what resuming and suspending touch.
    /// Where the stack was left.
    pub(crate) context: UnsafeCell<Context>,
    /// The carrier that runs it; meaningless while it is suspended.
    carrier: AtomicPtr<Carrier>,
    /// Link of the run queue, free list or hop queue that it is in; it is in one at most.
    link: AtomicPtr<Task>,
    /// Who ends its wait.
    pub(crate) wait: WaitWord,
    /// Lowest stack pointer seen at a suspension in this life.
    pub(crate) low_water: Cell<usize>,
    /// Signals that it blocks.
    pub(crate) mask: Mask,
    /// Depth of sections in which blocking calls must not suspend; see `current::Native`.
    pub(crate) native: Cell<u32>,
    /// Calls on descriptors that it may make before it gives way; see `turn`.
    pub(crate) budget: Cell<u32>,
    // The second line is about the beginning and the end of a life, and what is rarer.
    /// See `park`.
    pub(crate) parker: AtomicU32,
    /// Reasons to be on a spare carrier; see `spare`.
    pub(crate) stays: Cell<u32>,
    /// Lives so far on this stack.
    pub(crate) lives: Cell<u32>,
    /// Signal handlers that run on it; see `signals`.
    pub(crate) handlers: Handlers,
    /// Whether it has told the C library not to cancel it; see `cancel`.
    pub(crate) refuses_cancel: Cell<bool>,
    /// Its own alternate signal stack; see `alternate`.
    pub(crate) alternate: Cell<Alternate>,
    /// Signals sent to it that it has not taken yet; see `directed`. Written under the lock there.
    pub(crate) pending: AtomicU64,
    /// Signals that it blocks and waits for, on a spare carrier.
    pub(crate) awaited: AtomicU64,
    /// The timer of a call on a spare carrier; see `nudge`.
    pub(crate) nudge: AtomicI32,
    /// What became of its latest wait: see `signals::interrupts`.
    pub(crate) ran: Cell<Ran>,
    /// Identity of the coroutine that lives here now; 0 between lives.
    id: AtomicU64,
    /// Serial number of its life; see [`Task::end_life`].
    pub(crate) life: AtomicU32,
    name: UnsafeCell<Option<Arc<str>>>,
    /// What it is to the C library's calls about threads, if it is one to them.
    pub(crate) attached: Attached,
    /// The beginning of the name.
    pub(crate) label: Label,
    /// Set when made, for ever.
    pub(crate) stack: Stack,
    pub(crate) block: ThreadBlock,
}

/// From thread blocks to their headers, once one was made: both lie at fixed places below the end
/// of a mapping.
static DISTANCE: AtomicUsize = AtomicUsize::new(0);

/// The memory that a header lies at the top of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack {
    /// Lowest address: the guard.
    pub(crate) low: usize,
    /// Size from above the guard to the end of the header: `16 KiB << class`.
    pub(crate) size: usize,
    pub(crate) class: usize,
}

/// Bytes of the name of a thread of C's, the NUL at its end included.
pub const NAME_LEN: usize = 16;

/// What `pthread_create` and its kin keep of a thread; see `thread`. Only the words that more than
/// one thread writes need an order; the others are words for being read at any moment.
pub(crate) struct Attached {
    /// | bits | meaning | set by |
    /// |---|---|---|
    /// | 0 | no thread of C's | whoever recycles the header |
    /// | 1 | a thread | its maker |
    /// | 2 | detached: nobody will join it | its maker, or `detach` |
    /// | 4 | somebody waits for its end | `join` |
    /// | 8 | ended, and its stack left | its last commit |
    ///
    /// The header is recycled by whoever sets the second of 2 and 8, or by the joiner who sees 8;
    /// there is one joiner (`joiner`), and detaching a thread that is being joined is an error of
    /// the program, as in the C library. AcqRel: what a thread did is visible to its joiner, and
    /// to the next coroutine in its header.
    pub(crate) state: AtomicU32,
    /// The `pthread_t` of who joins it, or 0.
    pub(crate) joiner: AtomicUsize,
    pub(crate) value: AtomicPtr<c_void>,
    pub(crate) name: [AtomicU64; NAME_LEN / 8],
    pub(crate) policy: AtomicI32,
    pub(crate) priority: AtomicI32,
    /// The processors that it is to run on, in a box, or null; see `thread`.
    pub(crate) affinity: AtomicPtr<libc::cpu_set_t>,
    /// The stack that the program gave, or zeroes. Set by the maker.
    pub(crate) given_stack: Cell<(usize, usize)>,
}

impl Attached {
    /// The name; begins with NUL if there is none, and ends with one.
    pub(crate) fn name(&self) -> [u8; NAME_LEN] {
        let mut name = [0; NAME_LEN];
        for (word, part) in self.name.iter().zip(name.chunks_exact_mut(8)) {
            part.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        name[NAME_LEN - 1] = 0;
        name
    }

    pub(crate) fn set_name(&self, name: [u8; NAME_LEN]) {
        for (word, part) in self.name.iter().zip(name.chunks_exact(8)) {
            let bytes = part.try_into().expect("eight bytes");
            word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
    }

    const fn new() -> Self {
        Attached {
            state: AtomicU32::new(0),
            joiner: AtomicUsize::new(0),
            value: AtomicPtr::new(ptr::null_mut()),
            name: [const { AtomicU64::new(0) }; NAME_LEN / 8],
            policy: AtomicI32::new(0),
            priority: AtomicI32::new(0),
            affinity: AtomicPtr::new(ptr::null_mut()),
            given_stack: Cell::new((0, 0)),
        }
    }
}

/// The signal handlers that run on a coroutine, each in the middle of the one before.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) depth: Cell<u32>,
    /// Of the outermost ones: where on which stack they run, and `Task::native` when they began.
    pub(crate) outermost: [Cell<(usize, u32)>; 4],
}

/// Which handlers have run on a coroutine since its last wait was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// None.
    Nothing,
    /// Some, all with `SA_RESTART`.
    Restarting,
    /// Some, not all with `SA_RESTART`.
    Interrupting,
}

/// An alternate signal stack, as in `stack_t`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alternate {
    pub(crate) low: usize,
    pub(crate) size: usize,
    pub(crate) flags: i32,
}

impl Alternate {
    pub(crate) const NONE: Alternate = Alternate { low: 0, size: 0, flags: libc::SS_DISABLE };
}

// SAFETY: see the ownership rule on the type; the atomics are shared, the rest has one owner.
unsafe impl Sync for Task {}

// SAFETY: `link` is used by queues alone, and a task is in one at most.
unsafe impl Linked for Task {
    unsafe fn link(item: ptr::NonNull<Self>) -> ptr::NonNull<AtomicPtr<Self>> {
        // SAFETY: headers are never freed.
        ptr::NonNull::from(unsafe { &item.as_ref().link })
    }
}

impl Task {
    /// A header for a new stack, between lives.
    pub(crate) fn new(stack: Stack, block: ThreadBlock) -> Self {
        Task {
            context: UnsafeCell::new(Context::running(block.fs)),
            carrier: AtomicPtr::new(ptr::null_mut()),
            link: AtomicPtr::new(ptr::null_mut()),
            wait: WaitWord::new(),
            parker: AtomicU32::new(0),
            life: AtomicU32::new(0),
            id: AtomicU64::new(0),
            mask: Mask::new(),
            native: Cell::new(0),
            stays: Cell::new(0),
            handlers: Handlers::default(),
            refuses_cancel: Cell::new(false),
            alternate: Cell::new(Alternate::NONE),
            pending: AtomicU64::new(0),
            awaited: AtomicU64::new(0),
            nudge: AtomicI32::new(0),
            ran: Cell::new(Ran::Nothing),
            budget: Cell::new(BUDGET),
            lives: Cell::new(0),
            low_water: Cell::new(usize::MAX),
            name: UnsafeCell::new(None),
            attached: Attached::new(),
            label: Label::new(),
            stack,
            block,
        }
    }

    /// The header above the thread block at `fs`, which is one of ours.
    pub(crate) fn of_block(fs: usize) -> &'static Task {
        // SAFETY: blocks lie at the same distance below their headers, and a header was made before
        // anybody could learn of its block; headers are never freed.
        unsafe { &*((fs + DISTANCE.load(Ordering::Acquire)) as *const Task) }
    }

    /// Notes where headers lie, for [`of_block`](Self::of_block).
    pub(crate) fn note_distance(&self) {
        DISTANCE.store(ptr::from_ref(self) as usize - self.block.fs, Ordering::Release);
    }

    /// Begins a life: puts `body` on the stack, to be taken by [`body`](Self::body) in `entry`.
    ///
    /// # Safety
    /// The caller owns the pooled header. `entry` takes the address of the header and the body of
    /// this type.
    pub(crate) unsafe fn begin_life<F: FnOnce()>(
        &'static self,
        id: u64,
        name: Option<Arc<str>>,
        body: F,
        blocked: u64,
        entry: unsafe extern "C-unwind" fn(usize) -> !,
    ) {
        let place = self.place_of::<F>();
        self.label.set(name.as_deref());
        // SAFETY: the stack is unused, and larger than any closure that was passed by value; the
        // owner alone touches the other fields.
        unsafe {
            place.write(body);
            *self.name.get() = name;
            let (top, address) = (place as usize & !15, ptr::from_ref(self) as usize);
            (*self.context.get()).prepare(top, entry, address);
        }
        self.low_water.set(usize::MAX);
        self.mask.begin(blocked);
        self.id.store(id, Ordering::Release);
    }

    /// Where on the stack the body of this type lies.
    fn place_of<F>(&self) -> *mut F {
        let align = align_of::<F>().max(16);
        ((self.block.stack_top - size_of::<F>()) & !(align - 1)) as *mut F
    }

    /// Takes the body of this life.
    ///
    /// # Safety
    /// Called once a life, with the type that it began with.
    pub(crate) unsafe fn body<F: FnOnce()>(&self) -> F {
        // SAFETY: `begin_life` put it there.
        unsafe { self.place_of::<F>().read() }
    }

    /// Whether the address lies on its stack.
    pub(crate) fn has_on_stack(&self, address: usize) -> bool {
        (self.stack.low..self.block.stack_top).contains(&address)
    }

    /// Asks the processor to fetch the header.
    #[inline]
    pub(crate) fn prefetch_header(task: ptr::NonNull<Task>) {
        lisle_fiber::prefetch(task.as_ptr() as usize);
    }

    /// Asks the processor to fetch what ending the coroutine's wait from outside touches.
    #[inline]
    pub(crate) fn prefetch_wait(&self) {
        lisle_fiber::prefetch((&raw const self.wait) as usize);
        lisle_fiber::prefetch((&raw const self.parker) as usize);
    }

    /// Asks the processor to fetch what resuming the coroutine touches, once its header is there.
    #[inline]
    pub(crate) fn prefetch_stack(&self) {
        // SAFETY: a shared reference; `prefetch` may be called at any moment, and the other writes
        // to a context are the switch's and `prepare`'s.
        unsafe { (*self.context.get()).prefetch() };
    }

    /// As [`prefetch_stack`](Self::prefetch_stack), for a coroutine that comes out of the kernel.
    #[inline]
    pub(crate) fn prefetch_returns(&self) {
        // SAFETY: as above.
        unsafe { (*self.context.get()).prefetch_returns() };
    }

    /// Ends a life for those who hold handles: the identity goes first, then the serial number
    /// changes, so that a joiner that waits for either sees the end.
    ///
    /// `life` holds a serial number in its upper 31 bits and in bit 0 whether somebody waits for
    /// it to change. Returns whether somebody does.
    ///
    /// Release on both stores: what the coroutine did is visible to whoever sees its end.
    #[must_use]
    pub(crate) fn end_life(&self) -> bool {
        self.id.store(0, Ordering::Release);
        let old = self.life.load(Ordering::Relaxed);
        // The waiting bit may be set at any moment, hence the swap.
        self.life.swap((old & !1).wrapping_add(2), Ordering::AcqRel) & 1 != 0
    }

    /// Whether the life with this identity is over.
    pub(crate) fn is_over(&self, id: u64) -> bool {
        self.id.load(Ordering::Acquire) != id
    }

    /// The identity of the life that goes on.
    pub(crate) fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    /// The carrier that runs this coroutine, as long as it stays there.
    ///
    /// # Safety
    /// The coroutine runs, on the calling thread.
    #[inline]
    pub(crate) unsafe fn carrier(&self, _: &Stay) -> &'static Carrier {
        // SAFETY: set by whoever resumed it; carriers outlive what runs on them.
        unsafe { &*self.carrier.load(Ordering::Relaxed) }
    }

    /// The carrier that ran it last, if any; for whoever asks, who must expect that it has moved
    /// on.
    pub(crate) fn latest_carrier(&self) -> Option<&'static Carrier> {
        // SAFETY: null or what somebody set; the memory of carriers is never freed.
        unsafe { self.carrier.load(Ordering::Relaxed).as_ref() }
    }

    /// To be called by a carrier before it switches to the coroutine.
    #[inline]
    pub(crate) fn set_carrier(&self, carrier: &Carrier) {
        self.carrier.store(ptr::from_ref(carrier).cast_mut(), Ordering::Relaxed);
    }

    /// The name given at spawn.
    ///
    /// # Safety
    /// Called on the coroutine itself, or by a signal handler that interrupted it.
    pub(crate) unsafe fn name(&self) -> &Option<Arc<str>> {
        // SAFETY: written at the beginning and the end of a life alone.
        unsafe { &*self.name.get() }
    }

    /// Forgets the name.
    ///
    /// # Safety
    /// Called on the coroutine itself, at its end.
    pub(crate) unsafe fn drop_name(&self) {
        // SAFETY: as `name`.
        drop(unsafe { (*self.name.get()).take() });
    }
}
