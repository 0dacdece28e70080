//! Memory for coroutines: mapped in slabs, guarded, pooled.
//!
//! ```text
//!   higher addresses
//!   +------------------+
//!   | header (Task)    |
//!   | thread block     |  see lisle-fiber
//!   | stack, downwards |
//!   |       ...        |  reserved, taken page by page when touched
//!   | guard page       |
//!   +------------------+ <- Stack::low
//! ```
//!
//! Mappings are a scarce resource (65 530 by default), so stacks are cut from slabs of many, and
//! guards are light ones where the kernel has them (6.13): those need no mapping of their own.
//! Nothing is ever unmapped (see `task`); what a deep stack touched is given back when its
//! coroutine ends.

mod pool;
mod slab;

use std::fmt;
use std::io;

use lisle_fiber::Blocks;
use lisle_sys::{Errno, mmap};

use super::task::Task;

pub(crate) use pool::{Cache, Pool, trim};

/// Smallest stack mapping.
const SMALLEST: usize = 16 << 10;
/// Sizes are `SMALLEST << class`; the largest is 1 GiB.
pub(crate) const CLASSES: usize = 17;

/// The class of the smallest stack with at least `bytes`.
pub(crate) fn class_of(bytes: usize) -> Option<usize> {
    let class = bytes.div_ceil(SMALLEST).max(1).next_power_of_two().trailing_zeros() as usize;
    (class < CLASSES).then_some(class)
}

/// Size of the stacks of a class, without the guard.
pub(crate) fn size_of_class(class: usize) -> usize {
    SMALLEST << class
}

/// What the header, the thread block and a few frames take. As with threads, the size of a stack
/// includes them.
pub(crate) fn smallest(blocks: &Blocks) -> usize {
    size_of::<Task>() + blocks.size() + 3 * mmap::PAGE
}

/// Why there is no stack.
#[derive(Debug)]
pub(crate) enum StackError {
    /// The size is beyond the largest class.
    TooLarge(usize),
    /// Address space could not be reserved.
    Reserve(usize, Errno),
    /// The guard could not be set.
    Guard(Errno),
    /// The C library had no memory for the thread block, or no identities are left.
    Block,
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => {
                write!(f, "a stack of {bytes} bytes is too large: the most is 1 GiB")
            }
            Self::Reserve(bytes, errno) => write!(
                f,
                "cannot reserve a coroutine's stack of {bytes} bytes: {errno}; the address space \
                 (ulimit -v), the memory limit or vm.overcommit_memory=2 forbids it: raise the \
                 limit, or set a smaller stack size (LISLE_STACK_SIZE)"
            ),
            Self::Guard(errno) => write!(
                f,
                "cannot guard a coroutine's stack: {errno}; before Linux 6.13 each stack takes two \
                 mappings: raise vm.max_map_count"
            ),
            Self::Block => f.write_str(
                "cannot make a coroutine's thread block: out of memory; raise the memory limit",
            ),
        }
    }
}

impl From<StackError> for io::Error {
    fn from(error: StackError) -> Self {
        let kind = match error {
            StackError::TooLarge(_) => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::OutOfMemory,
        };
        io::Error::new(kind, error.to_string())
    }
}
