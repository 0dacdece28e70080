//! That others run while a call waits, and how long it waited: [`waits`] and [`waits_for`].
//!
//! Beside the call runs a witness of the same kind that counts steps, each after a short sleep. On
//! a single worker, which is how every test of this kind runs once, a call that holds its worker
//! stops the witness.
//!
//! Of times only what cannot depend on the machine is asked: what is to last long enough did, and
//! what ends ended before somebody would look at a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::aside;

/// No wait of these tests is longer, on whatever machine.
const AT_MOST: Duration = Duration::from_secs(20);
/// How long it is tried again to see others run during calls that end by their own time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Counts its steps until it is told to stop.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<(AtomicU32, AtomicBool)>);

impl Witness {
    /// Starts one; it has begun when this returns. The function stops it and waits for its end.
    pub(crate) fn start(coroutine: bool) -> (Self, impl FnOnce()) {
        let witness = Witness::default();
        let theirs = witness.clone();
        let end = aside(coroutine, move || {
            while !theirs.0.1.load(Ordering::Acquire) {
                theirs.0.0.fetch_add(1, Ordering::AcqRel);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        super::yield_until(|| witness.steps() > 0);
        let stop = witness.clone();
        (witness, move || {
            stop.0.1.store(true, Ordering::Release);
            end();
        })
    }

    /// The number of its steps.
    pub(crate) fn steps(&self) -> u32 {
        self.0.0.load(Ordering::Acquire)
    }

    /// Waits until it has made a few more, which is to say that whoever waits meanwhile holds
    /// nobody up.
    pub(crate) fn until_it_moved(&self) {
        let before = self.steps();
        while self.steps() < before + 3 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Makes a call that waits until `partner`, which runs beside it, does what ends the wait: not
/// before the call has been under way for `least`, and others were seen to run in that time.
/// Returns what both returned.
pub(crate) fn waits<R, P: Send + 'static>(
    coroutine: bool,
    least: Duration,
    partner: impl FnOnce() -> P + Send + 'static,
    call: impl FnOnce() -> R,
) -> (R, P) {
    let (witness, stop) = Witness::start(coroutine);
    let theirs = witness.clone();
    // Before the partner: on a single worker nobody runs from here on until the call waits.
    let (steps, began) = (witness.steps(), Instant::now());
    let partner = aside(coroutine, move || {
        theirs.until_it_moved();
        while began.elapsed() < least {
            std::thread::sleep(Duration::from_millis(1));
        }
        partner()
    });
    let result = call();
    let (steps, took) = (witness.steps() - steps, began.elapsed());
    stop();
    assert!(steps > 0, "nobody ran while the call waited");
    assert!(took >= least, "it waited for {took:?}, not {least:?}");
    assert!(took < AT_MOST, "it waited for {took:?}");
    (result, partner())
}

/// Makes a call that ends by its own time, after `least`. Others are seen to run meanwhile: at the
/// first attempt if the witness gets to run at all within that time, which a busy machine may
/// prevent, and never if the call holds its worker.
pub(crate) fn waits_for<R>(coroutine: bool, least: Duration, mut call: impl FnMut() -> R) -> R {
    let (witness, stop) = Witness::start(coroutine);
    let first = Instant::now();
    let result = loop {
        let (steps, began) = (witness.steps(), Instant::now());
        let result = call();
        let moved = witness.steps() > steps;
        let took = began.elapsed();
        assert!(took >= least, "it waited for {took:?}, not {least:?}");
        assert!(took < AT_MOST, "it waited for {took:?}");
        if moved {
            break result;
        }
        assert!(first.elapsed() < PATIENCE, "nobody ran while the call waited");
    };
    stop();
    result
}
