//! The atomics everything else is written in: std's, or loom's when the models are checked.
//!
//! This is the only file that knows about `cfg(loom)`. Besides the swap it evens out three
//! differences between the two worlds, so that no other file has to:
//!
//! ```text
//!                       std                       loom
//!   constructors        const                     not const      -> const_unless_loom!
//!   UnsafeCell          a bare pointer            a checked one   -> UnsafeCell, Access
//!   sizes               what a workload needs     what a model    -> RING_CAPACITY, SPIN_*
//!                                                 checker survives
//! ```

#[cfg(not(loom))]
mod swap {
    pub use std::sync::atomic::AtomicPtr;

    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, fence};

    /// Where a thread counts on a barrier that others have all processors do: an order for the
    /// compiler alone.
    #[inline(always)]
    pub(crate) fn barrier_stands_here() {
        std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
    }

    /// Slots of a run queue.
    pub(crate) const RING_CAPACITY: u32 = 256;
    /// Looks at a held lock before the looks are spread out.
    pub(crate) const SPIN_EAGER: u32 = 100;
    /// The most hints between two looks at a held lock.
    pub(crate) const SPIN_BURST: u32 = 64;

    /// A cell whose contents are guarded by something the compiler cannot see.
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    /// The right to reach into an [`UnsafeCell`]; under loom its lifetime is what is checked.
    pub(crate) struct Access<T>(*mut T);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Begins a mutable access, which lasts until the returned value is dropped.
        pub(crate) fn access(&self) -> Access<T> {
            Access(self.0.get())
        }

        /// The contents, by exclusive borrow.
        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut()
        }
    }

    impl<T> Access<T> {
        /// Where the contents are.
        pub(crate) fn ptr(&self) -> *mut T {
            self.0
        }
    }

    /// Declares a constructor that is `const`, except under loom.
    macro_rules! const_unless_loom {
        ($(#[$attr:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$attr])* $vis const fn $($rest)* };
    }
    pub(crate) use const_unless_loom;
}

#[cfg(loom)]
mod swap {
    pub use loom::sync::atomic::AtomicPtr;

    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, fence};

    /// There is no barrier on all processors in a model: a fence on each side.
    pub(crate) fn barrier_stands_here() {
        fence(loom::sync::atomic::Ordering::SeqCst);
    }

    pub(crate) const RING_CAPACITY: u32 = 4;
    pub(crate) const SPIN_EAGER: u32 = 100;
    pub(crate) const SPIN_BURST: u32 = 1;

    pub(crate) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

    pub(crate) struct Access<T>(loom::cell::MutPtr<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::cell::UnsafeCell::new(value))
        }

        pub(crate) fn access(&self) -> Access<T> {
            Access(self.0.get_mut())
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            // SAFETY: `&mut self` is exclusive and the result borrows from it.
            self.0.with_mut(|value| unsafe { &mut *value })
        }
    }

    impl<T> Access<T> {
        pub(crate) fn ptr(&self) -> *mut T {
            self.0.with(|value| value)
        }
    }

    macro_rules! const_unless_loom {
        ($(#[$attr:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$attr])* $vis fn $($rest)* };
    }
    pub(crate) use const_unless_loom;
}

pub use swap::AtomicPtr;

pub(crate) use swap::{
    Access, AtomicBool, AtomicU32, AtomicU64, AtomicUsize, RING_CAPACITY, SPIN_BURST, SPIN_EAGER,
    UnsafeCell, barrier_stands_here, const_unless_loom, fence, spin_loop,
};
