//! Tokens: the tree, causes, what runs under them, and waiting for them.

mod util;

use std::io::Read;
use std::time::{Duration, Instant};

use lisle::{CancelToken, Stop};
use util::everywhere;

#[test]
fn a_read_that_waits_is_cancelled() {
    everywhere(|| {
        if util::threads() {
            return;
        }
        let (mut reader, _writer) = std::io::pipe().unwrap();
        let token = CancelToken::new();
        let theirs = token.clone();
        let reading = util::spawn_running(move || theirs.run(|| reader.read(&mut [0; 16])));
        token.cancel();
        let error = reading.join().unwrap().unwrap_err();
        assert_eq!(Stop::of(&error), Some(Stop::Cancelled));
    });
}

#[test]
fn a_sleep_is_timed_out() {
    everywhere(|| {
        let began = Instant::now();
        lisle::deadline(Duration::from_millis(10), || lisle::sleep(Duration::from_secs(3600)));
        lisle::deadline(Duration::from_millis(10), || {
            loop {
                lisle::park();
                if lisle::stopped().is_some() {
                    break;
                }
            }
        });
        assert!(began.elapsed() < Duration::from_secs(30));
    });
}
