//! C's streams: in place where they cannot wait, else on a spare carrier.
//!
//! Streams wait inside of the C library: for their lock, and in the system calls that fill and
//! empty their buffers. So each call is judged beforehand, with the stream's lock held, which is
//! recursive:
//!
//! 1. The lock is had by somebody else, another coroutine perhaps that waits in the middle of a
//!    call: hop, and wait for it there. No worker ever waits for a stream's lock.
//! 2. The buffer has what is wanted, or room for what is given: in place.
//! 3. A stream in memory, or one of `fopencookie`: in place. The cookie's functions may suspend the
//!    coroutine, with the lock held: as for threads, others wait.
//! 4. A regular file: in place while such calls are quick, see [`gate`](crate::gate).
//! 5. Output of which [`AT_ONCE`] bytes at most are due, to what `poll` calls ready: in place. A
//!    pipe that is ready has room for as many. The text of `printf` is made twice to know how much
//!    it is, which takes less than a tenth of a hop.
//! 6. All else hops.
//!
//! What the call does is always the C library's own function, once.
//!
//! The layout of a stream is public (`bits/types/struct_FILE.h`), since macros of old read it; its
//! flags are part of that interface.

pub(crate) mod all;
mod formats;
mod input;
mod opened;
mod output;
mod plan;
mod positions;
mod wide;
