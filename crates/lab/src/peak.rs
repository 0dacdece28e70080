//! The greatest number of threads that another process had while it was watched.
//!
//! It is looked at from outside, so that it costs every system the same: nothing of its own. What
//! is shorter than the interval can be missed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A process that is being watched, until it is dropped.
pub(crate) struct Peak {
    stop: Arc<AtomicBool>,
    watcher: Option<JoinHandle<usize>>,
}

impl Peak {
    /// Looks at process `id` every `interval`.
    pub(crate) fn watch(id: u32, interval: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watch = move || {
            let mut most = 0;
            while !stopped.load(Ordering::Relaxed) {
                most = most.max(threads(id));
                thread::sleep(interval);
            }
            most
        };
        Peak { stop, watcher: Some(thread::spawn(watch)) }
    }

    /// The most that were seen.
    pub(crate) fn stop(mut self) -> usize {
        self.join()
    }

    fn join(&mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let watcher = self.watcher.take();
        watcher.map_or(0, |watcher| watcher.join().expect("the watcher does not panic"))
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.join();
    }
}

/// The number of threads of process `id`; 0 when it is gone.
fn threads(id: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let count = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_this_process_are_seen() {
        let peak = Peak::watch(std::process::id(), Duration::from_millis(1));
        let nap = || thread::sleep(Duration::from_millis(200));
        let others: Vec<_> = (0..10).map(|_| thread::spawn(nap)).collect();
        others.into_iter().for_each(|other| other.join().unwrap());
        // The ten, the watcher, and the test's own.
        assert!(peak.stop() >= 12);
    }

    #[test]
    fn process_that_is_gone_has_none() {
        assert_eq!(threads(0), 0);
    }
}
