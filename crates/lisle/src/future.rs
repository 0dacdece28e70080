//! Between coroutines and futures: a handle that an async task awaits ([`JoinFuture`]), and a
//! future that a coroutine waits for ([`block_on`]).
//!
//! Neither knows an executor. Who wakes is told by a `std::task::Waker`, and who waits does so by
//! [`Waiting`], which suspends a coroutine and blocks an OS thread.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker as TaskWaker};
use std::thread;

use lisle_rt::{ShortLock, Waiting, Waker};

use crate::spawn::{JoinHandle, Joiner};

/// Waits for a future on the calling coroutine or OS thread, and polls it there.
///
/// A coroutine is suspended meanwhile, so any number of them may each wait for a future of their
/// own. The future may be one of any executor that runs elsewhere. What blocks in it (a lock of
/// std, a read) suspends the coroutine too, and is no mistake.
///
/// Futures know nothing of [deadlines](crate::deadline()): the wait for one goes on when a stop is
/// due, as that for a lock does. Calls that the future makes when it is polled are stopped.
///
/// ```
/// let handle = lisle::spawn(|| 20);
/// let answer = lisle::block_on(async { handle.await.unwrap() + 22 });
/// assert_eq!(answer, 42);
/// ```
///
/// # Panics
/// With the panic of the future.
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    let mut future = pin!(future.into_future());
    let signal = Arc::new(Signal(ShortLock::new(State { given: false, waiter: None })));
    let waker = TaskWaker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => signal.wait(),
        }
    }
}

/// What wakes a [`block_on`].
struct Signal(ShortLock<State>);

struct State {
    /// Given since the last wait ended.
    given: bool,
    /// Who waits, or waited last.
    waiter: Option<Waker>,
}

impl Signal {
    /// Waits until it is given, and takes it.
    fn wait(&self) {
        lisle_rt::masked(|| {
            loop {
                let waiting = Waiting::begin();
                let mut state = self.0.lock();
                if std::mem::take(&mut state.given) {
                    drop(state);
                    return waiting.forgo();
                }
                state.waiter = Some(waiting.waker());
                drop(state);
                // Any end of it leads to another look.
                waiting.wait(None);
            }
        });
    }

    fn give(&self) {
        let waiter = {
            let mut state = self.0.lock();
            state.given = true;
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.give();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.give();
    }
}

/// The result of a coroutine as a future; what a [`JoinHandle`] becomes when it is awaited.
///
/// It is ready once the coroutine's function has returned or panicked; destructors of the
/// coroutine's thread-locals may still be running, which [`JoinHandle::join`] waits for. Dropping
/// it lets the coroutine run on alone.
///
/// ```
/// use std::future::IntoFuture;
///
/// let future: lisle::JoinFuture<u32> = lisle::spawn(|| 7).into_future();
/// assert_eq!(lisle::block_on(future).unwrap(), 7);
/// ```
#[must_use = "a future does nothing unless it is polled"]
pub struct JoinFuture<T>(Option<Joiner<T>>);

impl<T> Future for JoinFuture<T> {
    type Output = thread::Result<T>;

    /// # Panics
    /// If it has been ready before.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let joiner = self.0.take().expect("a future is not polled once it was ready");
        match joiner.take_or_wake(context.waker()) {
            Ok(result) => Poll::Ready(result),
            Err(joiner) => {
                self.0 = Some(joiner);
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for JoinFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coroutine = self.0.as_ref().map(Joiner::coroutine);
        f.debug_struct("JoinFuture").field("coroutine", &coroutine).finish_non_exhaustive()
    }
}

/// Async tasks of any executor await a coroutine's result.
///
/// ```
/// async fn length(text: &'static str) -> usize {
///     // A coroutine may block; the task does not.
///     lisle::spawn(|| text.len()).await.unwrap()
/// }
/// assert_eq!(lisle::block_on(length("four")), 4);
/// ```
impl<T> IntoFuture for JoinHandle<T> {
    type Output = thread::Result<T>;
    type IntoFuture = JoinFuture<T>;

    fn into_future(self) -> JoinFuture<T> {
        JoinFuture(Some(self.into_joiner()))
    }
}
