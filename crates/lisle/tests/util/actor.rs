//! Something that runs: a coroutine or an OS thread, for tests that mix the two.

use std::thread;

/// A running coroutine or OS thread.
pub(crate) enum Actor<T> {
    Coroutine(lisle::JoinHandle<T>),
    Thread(thread::JoinHandle<T>),
}

impl<T: Send + 'static> Actor<T> {
    /// Runs `f`: even actors are coroutines, odd ones OS threads.
    pub(crate) fn spawn<F: FnOnce() -> T + Send + 'static>(number: usize, f: F) -> Self {
        match number % 2 {
            0 => Actor::Coroutine(lisle::spawn(f)),
            _ => Actor::Thread(thread::spawn(f)),
        }
    }

    /// Whether it has ended.
    pub(crate) fn is_finished(&self) -> bool {
        match self {
            Actor::Coroutine(handle) => handle.is_finished(),
            Actor::Thread(handle) => handle.is_finished(),
        }
    }

    /// Waits for its end; panics if it panicked.
    pub(crate) fn join(self) -> T {
        match self {
            Actor::Coroutine(handle) => handle.join().unwrap(),
            Actor::Thread(handle) => handle.join().unwrap(),
        }
    }
}

/// Runs `f` on `count` actors, coroutines and OS threads by turns, and returns all results.
pub(crate) fn mixed<T, F>(count: usize, f: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(usize) -> T + Clone + Send + 'static,
{
    let start = |number| {
        let f = f.clone();
        Actor::spawn(number, move || f(number))
    };
    let actors: Vec<_> = (0..count).map(start).collect();
    actors.into_iter().map(Actor::join).collect()
}
