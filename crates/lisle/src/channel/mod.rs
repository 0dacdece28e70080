//! Channels: values from many senders to many receivers.
//!
//! Names and behaviour are those of the crossbeam-channel crate. Coroutines, OS threads and
//! asynchronous tasks may be at either end, mixed.
//!
//! ```
//! use lisle::channel;
//!
//! let (sender, receiver) = channel::bounded(2);
//! for worker in 0..3 {
//!     let sender = sender.clone();
//!     lisle::spawn(move || sender.send(worker * worker));
//! }
//! drop(sender);
//! // Ends when all senders are gone.
//! let sum: i32 = receiver.iter().sum();
//! assert_eq!(sum, 5);
//! ```
//!
//! | made by | holds | a send waits | a receive waits |
//! |---------|-------|--------------|-----------------|
//! | [`bounded`]`(n)` | at most `n` values | while it is full | while it is empty |
//! | [`rendezvous`]`()` | nothing | for a receiver | for a sender |
//! | [`unbounded`]`()` | any number | never | while it is empty |
//! | [`after`]`(d)`, [`at`]`(t)` | a moment, once it has come | | until then |
//! | [`tick`]`(d)` | the last tick | | until the next tick |
//! | [`never`](fn@never)`()` | nothing | | for ever |
//!
//! A value that is sent while a receiver waits goes to the one that has waited longest, without
//! being stored; and of waiting senders the one that has waited longest comes next.
//!
//! # The end of a channel
//!
//! When all its senders are gone a channel is disconnected: what is left in it is received, and
//! then receiving fails. When all its receivers are gone, sending fails, and what is left in it is
//! dropped. Values that are not sent come back with the error.
//!
//! # Deadlines and cancellation
//!
//! If whoever waits is to stop, because a deadline of what it belongs to has passed or it was
//! cancelled, the wait ends with an error `Stopped`, which tells why. This is what there is more
//! than in crossbeam-channel, whose errors for `send` and `recv` know one reason.

mod block;
mod blocks;
mod bounded;
pub(crate) mod chan;
mod clock;
mod error;
mod future;
mod iter;
mod receiver;
mod returned;
mod sender;
mod unbounded;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bounded::Bounded;
use chan::{Chan, Kind};
use clock::Clock;
use unbounded::Unbounded;

pub use error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
pub use future::{RecvFuture, SendFuture};
pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
use receiver::Source;
pub use sender::Sender;

/// A channel that holds at most `capacity` values. With a capacity of zero it is a [`rendezvous`].
///
/// The memory is taken at once.
///
/// ```
/// let (sender, receiver) = lisle::channel::bounded(1);
/// sender.send(1).unwrap();
/// assert!(sender.try_send(2).unwrap_err().is_full());
/// assert_eq!(receiver.recv(), Ok(1));
/// ```
///
/// # Panics
/// If so many values do not fit in the address space.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    with(Kind::Bounded(Bounded::new(capacity)))
}

/// A channel that holds nothing: a send waits until its value is received.
///
/// ```
/// let (sender, receiver) = lisle::channel::rendezvous();
/// assert!(sender.try_send(1).unwrap_err().is_full());
/// let coroutine = lisle::spawn(move || sender.send(2));
/// assert_eq!(receiver.recv(), Ok(2));
/// coroutine.join().unwrap().unwrap();
/// ```
pub fn rendezvous<T>() -> (Sender<T>, Receiver<T>) {
    bounded(0)
}

/// A channel that holds any number of values: no send waits.
///
/// ```
/// let (sender, receiver) = lisle::channel::unbounded();
/// (0..1000).try_for_each(|number| sender.send(number)).unwrap();
/// assert_eq!(receiver.len(), 1000);
/// ```
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    with(Kind::Unbounded(Box::new(Unbounded::new())))
}

fn with<T>(kind: Kind<T>) -> (Sender<T>, Receiver<T>) {
    let chan = Arc::new(Chan::new(kind));
    (Sender::new(Arc::clone(&chan)), Receiver::new(Source::Chan(chan)))
}

/// A channel in which the moment `duration` from now is to be found once it has come.
///
/// Meant for a choice among several things, see [`select!`](crate::select!). For one channel alone
/// there is [`Receiver::recv_timeout`].
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let begin = Instant::now();
/// let moment = lisle::channel::after(Duration::from_millis(5)).recv().unwrap();
/// assert!(moment >= begin + Duration::from_millis(5) && Instant::now() >= moment);
/// ```
pub fn after(duration: Duration) -> Receiver<Instant> {
    // A moment beyond the clock's range does not come.
    Instant::now().checked_add(duration).map_or_else(never, at)
}

/// A channel in which `moment` is to be found once it has come.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let moment = Instant::now() + Duration::from_millis(5);
/// assert_eq!(lisle::channel::at(moment).recv(), Ok(moment));
/// ```
pub fn at(moment: Instant) -> Receiver<Instant> {
    Receiver::new(Source::Clock(Arc::new(Clock::new(moment, None)), |moment| moment))
}

/// A channel in which there is a moment every `period`. A receiver that is late finds one, and the
/// next one a period later.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let begin = Instant::now();
/// let ticks = lisle::channel::tick(Duration::from_millis(2));
/// ticks.iter().take(3).for_each(drop);
/// assert!(begin.elapsed() >= Duration::from_millis(6));
/// ```
pub fn tick(period: Duration) -> Receiver<Instant> {
    let Some(next) = Instant::now().checked_add(period) else { return never() };
    Receiver::new(Source::Clock(Arc::new(Clock::new(next, Some(period))), |moment| moment))
}

/// A channel in which there is never anything, and which is never disconnected.
///
/// It takes the place, in a choice, of what is not there at times.
///
/// ```
/// use lisle::channel::{self, TryRecvError};
///
/// assert_eq!(channel::never::<i32>().try_recv(), Err(TryRecvError::Empty));
/// ```
pub fn never<T>() -> Receiver<T> {
    Receiver::new(Source::Never)
}
