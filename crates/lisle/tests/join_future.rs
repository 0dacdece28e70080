//! Handles as futures, and [`lisle::block_on`]: on coroutines, on OS threads, and between them.

mod util;

use std::future::{Future, IntoFuture, poll_fn};
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use lisle::{CancelToken, block_on};
use util::{Random, everywhere, mixed, scaled, spawn_running, yield_until};

/// Counts how often it is woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Counter {
    fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

#[test]
fn handles_are_awaited() {
    everywhere(|| {
        let handle = lisle::spawn(|| 40);
        assert_eq!(block_on(async { handle.await.unwrap() + 2 }), 42);
    });
}

#[test]
fn a_panic_is_the_awaiters_to_know() {
    everywhere(|| {
        let handle = lisle::spawn(|| panic!("on purpose"));
        let payload = block_on(handle).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
    });
}

#[test]
fn the_future_is_woken_when_there_is_a_result() {
    everywhere(|| {
        let (go, went) = mpsc::channel::<()>();
        let mut future = pin!(spawn_running(move || went.recv().unwrap()).into_future());
        let [first, second] = [0; 2].map(|_| Arc::new(Counter::default()));
        for counter in [&first, &second] {
            let waker = Waker::from(Arc::clone(counter));
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        go.send(()).unwrap();
        yield_until(|| second.count() == 1);
        // Who polled last is woken, and nobody else.
        assert_eq!(first.count(), 0);
        let waker = Waker::noop();
        assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_ready());
        // It kept none of them.
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    });
}

#[test]
fn a_dropped_future_lets_the_coroutine_go_on() {
    everywhere(|| {
        let (go, went) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let mut future = lisle::spawn(move || {
            went.recv().unwrap();
            tell.send(7).unwrap();
        })
        .into_future();
        assert!(pin!(&mut future).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(future);
        go.send(()).unwrap();
        assert_eq!(told.recv().unwrap(), 7);
    });
}

#[test]
fn a_future_that_was_ready_is_not_polled_again() {
    everywhere(|| {
        let mut future = lisle::spawn(|| ()).into_future();
        block_on(&mut future).unwrap();
        let again = panic::catch_unwind(AssertUnwindSafe(|| block_on(&mut future)));
        assert!(again.is_err());
    });
}

/// A future that others fulfil.
#[derive(Clone, Default)]
struct Promise(Arc<Mutex<(Option<u64>, Option<Waker>)>>);

impl Promise {
    fn keep(&self, value: u64) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 = Some(value);
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn kept(&self) -> u64 {
        poll_fn(|context| {
            let mut state = self.0.lock().unwrap();
            match state.0.take() {
                Some(value) => Poll::Ready(value),
                None => {
                    state.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

#[test]
fn waiting_for_a_future_suspends_the_coroutine() {
    everywhere(|| {
        let promise = Promise::default();
        let theirs = promise.clone();
        // On a single worker, it could not come back if that were blocked.
        let waiter = spawn_running(move || block_on(theirs.kept()));
        promise.keep(5);
        assert_eq!(waiter.join().unwrap(), 5);
    });
}

#[test]
fn os_threads_wait_too() {
    everywhere(|| {
        let promise = Promise::default();
        let theirs = promise.clone();
        let waiter = thread::spawn(move || block_on(theirs.kept()));
        lisle::sleep(Duration::from_millis(2));
        promise.keep(6);
        assert_eq!(waiter.join().unwrap(), 6);
    });
}

#[test]
fn futures_that_wake_themselves_are_polled_again() {
    everywhere(|| {
        let mut left = 1000;
        let ended = block_on(poll_fn(|context| {
            if left == 0 {
                return Poll::Ready("ended");
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        assert_eq!(ended, "ended");
    });
}

#[test]
fn waits_nest() {
    everywhere(|| {
        let inner = async { block_on(lisle::spawn(|| block_on(async { 1 }))).unwrap() };
        assert_eq!(block_on(async { inner.await + 1 }), 2);
    });
}

#[test]
fn a_panic_of_the_future_is_the_waiters() {
    everywhere(|| {
        util::hush_panics_on_purpose();
        let waiting = || block_on(async { panic!("on purpose") });
        panic::catch_unwind(AssertUnwindSafe(waiting)).unwrap_err();
    });
}

#[test]
fn a_stop_does_not_end_the_wait_for_a_future() {
    everywhere(|| {
        let (promise, token) = (Promise::default(), CancelToken::new());
        let (theirs, under) = (promise.clone(), token.clone());
        let waiter =
            spawn_running(move || under.run(|| (block_on(theirs.kept()), lisle::stopped())));
        token.cancel();
        lisle::yield_now();
        assert!(!waiter.is_finished());
        promise.keep(8);
        assert_eq!(waiter.join().unwrap(), (8, Some(lisle::Stop::Cancelled)));
    });
}

#[test]
fn many_promises_are_kept_and_awaited_by_all_kinds() {
    everywhere(|| {
        let count = scaled(400, 40);
        let promises: Arc<Vec<Promise>> =
            Arc::new((0..count).map(|_| Promise::default()).collect());
        let theirs = Arc::clone(&promises);
        let sums = mixed(8, move |number| {
            let mut random = Random::new(number as u64);
            let mut sum = 0;
            for (i, promise) in theirs.iter().enumerate() {
                // Two meet at each promise: who keeps it, and who awaits it.
                if i % 4 != number / 2 {
                    continue;
                }
                if number % 2 == 0 {
                    (0..random.below(3)).for_each(|_| lisle::yield_now());
                    promise.keep(i as u64);
                } else {
                    sum += block_on(promise.kept());
                }
            }
            sum
        });
        assert_eq!(sums.into_iter().sum::<u64>(), (0..count as u64).sum());
    });
}
