//! C's locks: mutexes, condition variables, read-write locks, semaphores, barriers and the like.
//!
//! The C library waits for them inside of itself, so they are done here anew, on the storage that
//! the program gives them. What a coroutine waits for, it waits for in the runtime's lot.
//!
//! | object | on OS threads | the words are |
//! |---|---|---|
//! | mutex | locked by the C library, unlocked here | the C library's |
//! | semaphore | waited for by the C library, posted here | the C library's |
//! | spin lock | the C library's | the C library's |
//! | condition variable, read-write lock, barrier, once | done here | our own |
//!
//! For the first three the C library's protocol says in the word itself whether somebody waits;
//! whoever finds that so looks in the lot and in the kernel. The protocols of the others differ
//! between its releases or have no such word. As every call on them comes through here, from the
//! first one of the process on, whether there is a runtime or not, they need not be the library's.
//!
//! Objects shared between processes (and mutexes that are robust or have a ceiling) are the C
//! library's alone: coroutines try, and wait for them on a spare carrier.

mod barrier;
mod c11;
mod condition;
pub(super) mod deadline;
mod mutex;
mod once;
mod read_write;
mod semaphore;
mod spin;
