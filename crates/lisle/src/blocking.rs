//! Code that must have an OS thread of its own: [`blocking`], [`pin_to_os_thread`].

use std::marker::PhantomData;

/// Runs `f` on an OS thread that runs no other coroutine meanwhile.
///
/// For calls that block where no hook can suspend the coroutine: inside of a C library that enters
/// the kernel by itself, say, or a long computation that should not hold up others. The coroutine
/// goes on, on a spare thread, with its own stack and thread-locals; its worker serves others.
///
/// ```
/// let text = lisle::spawn(|| lisle::blocking(|| std::fs::read_to_string("/proc/self/comm")))
///     .join()
///     .unwrap()?;
/// assert!(!text.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    lisle_rt::blocking(f)
}

/// Keeps the calling coroutine on one OS thread, which runs nothing else, until the guard drops.
///
/// For state that the kernel keeps per thread and code that counts on it: namespaces, priorities,
/// signal masks, graphics contexts. Meanwhile every blocking call blocks that thread, as it does
/// in a program without coroutines. Guards nest.
///
/// A coroutine that ends pinned, because its guard was leaked, takes the OS thread with it, since
/// the thread's state may no longer be fit for others.
///
/// Outside of coroutines, and in 1:1 mode, code is on one OS thread anyway.
///
/// ```
/// lisle::spawn(|| {
///     let _pinned = lisle::pin_to_os_thread();
///     std::thread::sleep(std::time::Duration::from_millis(1));
/// })
/// .join()
/// .unwrap();
/// ```
pub fn pin_to_os_thread() -> OsThreadPin {
    OsThreadPin { pinned: lisle_rt::pin(), not_send: PhantomData }
}

/// Keeps the coroutine that made it on its OS thread; see [`pin_to_os_thread`].
#[derive(Debug)]
#[must_use = "the coroutine is unpinned when the guard drops"]
pub struct OsThreadPin {
    pinned: bool,
    /// The guard undoes what was done to its coroutine, so it stays there.
    not_send: PhantomData<*const ()>,
}

impl Drop for OsThreadPin {
    fn drop(&mut self) {
        if self.pinned {
            lisle_rt::unpin();
        }
    }
}
