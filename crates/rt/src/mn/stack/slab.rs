//! Cutting stacks from slabs of address space.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use lisle_fiber::Blocks;
use lisle_sys::{Errno, mmap};

use super::super::current::Native;
use super::super::section::SpinLock;
use super::super::task::{Stack, Task};
use super::{CLASSES, StackError, size_of_class};

/// Address space reserved at once, if a stack is not larger.
const SLAB: usize = 64 << 20;

/// The uncut rest of each class's newest slab.
pub(super) struct Slabs {
    rest: [SpinLock<Rest>; CLASSES],
    /// Whether the kernel refused light guards once.
    mapped_guards: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    next: usize,
    end: usize,
}

impl Slabs {
    pub(super) fn new() -> Self {
        Slabs {
            rest: std::array::from_fn(|_| SpinLock::new(Rest::default())),
            mapped_guards: AtomicBool::new(false),
        }
    }

    /// A new stack with guard, thread block and header.
    pub(super) fn make(&self, class: usize, blocks: &Blocks) -> Result<&'static Task, StackError> {
        // The guard is on top of the size. That also makes the distance between stacks an odd
        // number of pages: at a power of two, the same places of all stacks would compete for the
        // same few sets of the caches and of the TLB.
        let size = size_of_class(class) + mmap::PAGE;
        let low = self.cut(class, size)?;
        // SAFETY: fresh memory, cut for us.
        unsafe { self.guard(low) }.map_err(StackError::Guard)?;
        let place = low + size - size_of::<Task>();
        // The library allocates in there; its allocator must not switch coroutines.
        let _native = Native::enter();
        // SAFETY: fresh zeroed memory of our own, which is never unmapped.
        let block = unsafe { blocks.build(low, place) }.ok_or(StackError::Block)?;
        let stack = Stack { low, size: size_of_class(class), class };
        // SAFETY: the place is ours, aligned since Task's alignment divides its size and the
        // mapping's end.
        unsafe {
            (place as *mut Task).write(Task::new(stack, block));
            let task = &*(place as *const Task);
            task.note_distance();
            Ok(task)
        }
    }

    fn cut(&self, class: usize, size: usize) -> Result<usize, StackError> {
        let mut rest = self.rest[class].lock();
        if rest.end - rest.next < size {
            *rest = reserve(size).map_err(|errno| StackError::Reserve(size, errno))?;
        }
        let low = rest.next;
        rest.next += size;
        Ok(low)
    }

    /// # Safety
    /// `low` begins a stack that nobody uses.
    unsafe fn guard(&self, low: usize) -> Result<(), Errno> {
        let guard = NonNull::new(low as *mut u8).expect("mappings do not begin at zero");
        if !self.mapped_guards.load(Ordering::Relaxed) {
            // SAFETY: the caller's obligation.
            match unsafe { mmap::guard_light(guard, mmap::PAGE) } {
                Err(Errno::INVAL) => self.mapped_guards.store(true, Ordering::Relaxed),
                result => return result,
            }
        }
        // SAFETY: the caller's obligation.
        unsafe { mmap::guard_mapping(guard, mmap::PAGE) }
    }
}

/// A slab, or a single stack where no slab can be had.
fn reserve(size: usize) -> Result<Rest, Errno> {
    let slab = SLAB.max(size);
    let (memory, len) = match mmap::reserve(slab) {
        Ok(memory) => (memory, slab),
        Err(_) => (mmap::reserve(size)?, size),
    };
    // SAFETY: reserved just now.
    unsafe { mmap::no_huge_pages(memory, len) };
    let next = memory.as_ptr() as usize;
    Ok(Rest { next, end: next + len })
}
