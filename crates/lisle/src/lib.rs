//! Ordinary blocking code as coroutines: one per task, written straight down like a thread,
//! millions on a few OS threads.
//!
//! *Your code stays `std`; only `spawn` changes.*
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! lisle::spawn(move || {
//!     for stream in listener.incoming() {
//!         let mut stream = stream.unwrap();
//!         // A coroutine per connection; `read` suspends it, not an OS thread.
//!         lisle::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
//!     }
//! });
//!
//! let mut client = TcpStream::connect(address)?;
//! client.write_all(b"ping")?;
//! let mut reply = [0; 4];
//! client.read_exact(&mut reply)?;
//! assert_eq!(&reply, b"ping");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What a coroutine is
//!
//! To everything in user space a coroutine is a thread: it has a stack, thread-locals, an `errno`,
//! a panic count and a [`std::thread::current`] of its own, and destructors of its thread-locals
//! run when it ends. Only the kernel does not know about it. That is why [`spawn`] is safe, with
//! the bounds of [`std::thread::spawn`], although coroutines move between OS threads.
//!
//! # What suspends
//!
//! With the `hooks` feature (on by default) the calls of the C library that std blocks in are
//! interposed: sockets, pipes, sleeping, yielding, futexes (hence `Mutex`, `Condvar`, `RwLock`,
//! `Barrier`, `mpsc`, `park`), joining OS threads, waiting for children, resolving names. On a
//! coroutine they suspend it; elsewhere they are the plain calls. There is no `lisle::net` and no
//! `lisle::Mutex`: std *is* the API.
//!
//! # Locals
//!
//! A `thread_local!` is each coroutine's own, as it is each thread's: it is initialised when the
//! coroutine first uses it, nobody else sees it, it keeps its value and its address across every
//! wait, and its destructor runs when the coroutine ends. That goes for those of libraries and of C
//! too. What is meant to be shared by a coroutine and those that it starts, such as the number of a
//! request, is a [`Scoped`] value.
//!
//! # Cargo features
//!
//! - **`tracing`**: coroutines begin in the span of the `tracing` crate in which they were started,
//!   and with its dispatcher. (Within a coroutine spans work without it.)
//! - **`hooks`** (default): interposition as described. Without it a blocking call blocks its
//!   worker, and only this crate's own functions suspend.

mod alloc;
mod blocking;
mod cancel;
pub mod channel;
mod coroutine;
mod deadline;
mod dump;
mod family;
mod future;
mod group;
mod inherit;
mod locals;
mod packet;
pub mod runtime;
mod scope;
pub mod select;
#[cfg_attr(not(feature = "tracing"), path = "no_span.rs")]
mod span;
mod spawn;
pub mod sync;
mod time;
mod waiters;

// Linked for its symbols alone.
#[cfg(feature = "hooks")]
use lisle_hook as _;

pub use alloc::PerWorkerAlloc;
pub use blocking::{OsThreadPin, blocking, pin_to_os_thread};
pub use cancel::CancelToken;
pub use coroutine::{Coroutine, CoroutineId, current, park, park_timeout};
pub use deadline::{deadline, deadline_at, masked, stopped};
pub use dump::{Dump, dump};
pub use future::{JoinFuture, block_on};
pub use group::{Group, Members};
pub use lisle_macros::{main, test};
pub use lisle_rt::Stop;
pub use locals::Scoped;
pub use scope::{Scope, ScopedJoinHandle, scope};
pub use spawn::{Builder, JoinHandle, spawn};
pub use time::{sleep, yield_now};

#[doc(hidden)]
pub use runtime::run_main;
