//! Choosing one of several arms.
//!
//! ```text
//!   1. attempt   each arm, in random order       one succeeds: that is it
//!   2. register  the wait with each arm          one is ready: give up, go to 1
//!   3. wait                                      or not at all, for a default
//!   4. give up   unless the wait was claimed     then for which arm
//!   5. unregister all                            claimed: that is it; else to 1, or over
//! ```
//!
//! The order is random so that of several arms that are ready each has the same chance, whatever
//! the others are doing. They are registered in the order in which they were tried: two arms on one
//! channel have the same chance there, too.
//!
//! A default is chosen only if at one moment no arm was ready. Attempts one after another do not
//! show that: what was missing at the first may be there, and what was there at the second be gone,
//! when the second is looked at. Registered arms do: between the last registration and step 4
//! nobody could have made one ready without claiming the wait. With a single arm step 1 is enough.
//!
//! Two choices that meet in step 2 may see each other's records, and both give up and try again. It
//! takes the same timing on two processors each time for that to go on.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lisle_rt::{Ended, Stop, Token, Waiting};

use super::arm::{Arm, CancelledArm, JoinArm, RecvArm, SendArm};
use super::descriptor::Bell;
use crate::channel::chan::Registered;
use crate::waiters::{Wait, Whom};

/// An arm that takes part in a choice.
pub struct Case<'a>(pub(super) &'a mut dyn Arm);

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Case { .. }")
    }
}

impl<T> RecvArm<'_, T> {
    /// Has it take part.
    pub fn case(&mut self) -> Case<'_> {
        Case(self)
    }
}

impl<T> SendArm<'_, T> {
    /// Has it take part.
    pub fn case(&mut self) -> Case<'_> {
        Case(self)
    }
}

impl JoinArm<'_> {
    /// Has it take part.
    pub fn case(&mut self) -> Case<'_> {
        Case(self)
    }
}

impl CancelledArm<'_> {
    /// Has it take part.
    pub fn case(&mut self) -> Case<'_> {
        Case(self)
    }
}

/// How long a choice is waited for.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// Not at all.
    None,
    /// As long as it takes.
    Endless,
    /// Until then.
    Until(Instant),
}

impl Patience {
    /// For so long.
    pub fn of(timeout: Duration) -> Self {
        // A deadline beyond the clock's range is none.
        Instant::now().checked_add(timeout).map_or(Patience::Endless, Patience::Until)
    }

    /// The moment at which one of the arms is to be tried again, or it is over.
    fn until(self, arms: &[Case<'_>]) -> Option<Instant> {
        let limit = if let Patience::Until(deadline) = self { Some(deadline) } else { None };
        arms.iter().filter_map(|arm| arm.0.moment()).chain(limit).min()
    }

    fn is_over(self) -> bool {
        match self {
            Patience::None => true,
            Patience::Endless => false,
            Patience::Until(deadline) => deadline <= Instant::now(),
        }
    }
}

/// What was chosen.
#[derive(Clone, Copy, Debug)]
pub enum Chosen {
    /// The arm of this number, which has an outcome.
    Arm(usize),
    /// None in time.
    Default,
    /// None, for the caller is to stop; no arm was told.
    Stopped(Stop),
}

/// Chooses among the arms of a macro. If it `tells`, a stop is left to the caller.
#[inline]
pub fn choose<const N: usize>(mut arms: [Case<'_>; N], patience: Patience, tells: bool) -> Chosen {
    run(&mut arms, &mut std::array::from_fn::<u32, N, _>(|arm| arm as u32), patience, tells)
}

/// Chooses; `order` is any order of the numbers of the arms.
pub(super) fn run(
    arms: &mut [Case<'_>],
    order: &mut [u32],
    patience: Patience,
    tells: bool,
) -> Chosen {
    if let Some(arm) = attempt(arms, order) {
        return Chosen::Arm(arm);
    }
    if matches!(patience, Patience::None) && arms.len() < 2 {
        return Chosen::Default;
    }
    let wait = Wait::several();
    loop {
        let turn = match Bell::needed(arms) {
            None => wait_once(arms, order, &wait, patience),
            Some(Ok(bell)) => poll_once(arms, order, &wait, patience, &bell),
            Some(Err(error)) => Turn::Failed(error),
        };
        let over = match turn {
            Turn::Claimed(arm) => {
                arms[arm].0.claimed();
                return Chosen::Arm(arm);
            }
            Turn::Nothing => return Chosen::Default,
            Turn::Again => false,
            Turn::Stopped(stop) if tells => return Chosen::Stopped(stop),
            Turn::Stopped(stop) => match tell(arms, order, stop) {
                Some(arm) => return Chosen::Arm(arm),
                None => return Chosen::Stopped(stop),
            },
            Turn::Failed(error) => {
                let failed = shuffled(order, |arm| arms[arm].0.fail(&error));
                return Chosen::Arm(failed.expect("what failed is an arm"));
            }
            // Only now: what comes at the deadline comes in time.
            Turn::TimedOut => patience.is_over(),
        };
        if let Some(arm) = attempt(arms, order) {
            return Chosen::Arm(arm);
        }
        if over {
            return Chosen::Default;
        }
    }
}

/// How steps 2 to 5 ended.
enum Turn {
    Claimed(usize),
    /// At one moment no arm was ready.
    Nothing,
    Again,
    TimedOut,
    Stopped(Stop),
    /// Waiting for descriptors.
    Failed(io::Error),
}

/// The order is random, as the attempts left it.
fn wait_once(arms: &mut [Case<'_>], order: &[u32], wait: &Wait, patience: Patience) -> Turn {
    let until = patience.until(arms);
    let waiting = Waiting::begin();
    // SAFETY: it is in no queue: new, or unregistered everywhere by `settle`.
    unsafe { wait.again(Whom::Waiting(waiting.waker())) };
    let (registered, is_ready) = register(arms, order, wait);
    let ended = if is_ready || matches!(patience, Patience::None) {
        waiting.forgo();
        None
    } else {
        Some(under_tokens(arms, move || waiting.wait(until)))
    };
    match (settle(arms, registered, wait), ended) {
        (Some(arm), _) => Turn::Claimed(arm),
        (None, None) if is_ready => Turn::Again,
        (None, None) => Turn::Nothing,
        (None, Some(Ended::TimedOut)) => Turn::TimedOut,
        (None, Some(Ended::Stopped(_))) if is_cancelled(arms) => Turn::Again,
        (None, Some(Ended::Stopped(stop))) => Turn::Stopped(stop),
        (None, Some(Ended::Woken | Ended::Interrupted)) => Turn::Again,
    }
}

/// [`wait_once`] for arms of which some wait for descriptors.
#[cold]
fn poll_once(
    arms: &mut [Case<'_>],
    order: &[u32],
    wait: &Wait,
    patience: Patience,
    bell: &Bell,
) -> Turn {
    let until = patience.until(arms);
    let mut entries = bell.entries(arms);
    // SAFETY: as in `wait_once`.
    unsafe { wait.again(bell.whom()) };
    let (registered, is_ready) = register(arms, order, wait);
    let ended = if is_ready {
        Ok(false)
    } else {
        // The descriptors are looked at once more for a default, all at one moment.
        let now = matches!(patience, Patience::None).then(Instant::now);
        under_tokens(arms, || bell.wait(&mut entries, now.or(until)))
    };
    match (settle(arms, registered, wait), ended) {
        (Some(arm), _) => Turn::Claimed(arm),
        (None, Ok(true)) if matches!(patience, Patience::None) => Turn::Nothing,
        (None, Ok(true)) => Turn::TimedOut,
        (None, Ok(false)) => Turn::Again,
        (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => Turn::Again,
        (None, Err(_)) if is_cancelled(arms) => Turn::Again,
        (None, Err(error)) => Turn::Failed(error),
    }
}

/// Step 3, under the tokens whose cancellation is waited for: that of any ends the wait.
fn under_tokens<R>(arms: &[Case<'_>], wait: impl FnOnce() -> R) -> R {
    fn nest(arms: &[Case<'_>], wait: &mut dyn FnMut()) {
        let mut rest = arms.iter();
        match rest.find_map(|arm| arm.0.token()) {
            Some(token) => token.run(|| nest(rest.as_slice(), wait)),
            None => wait(),
        }
    }
    if arms.iter().all(|arm| arm.0.token().is_none()) {
        return wait();
    }
    let (mut wait, mut result) = (Some(wait), None);
    nest(arms, &mut || result = wait.take().map(|wait| wait()));
    result.expect("it has waited once")
}

/// Whether a stop is what one of the arms waits for.
fn is_cancelled(arms: &[Case<'_>]) -> bool {
    arms.iter().any(|arm| arm.0.token().is_some_and(Token::is_cancelled))
}

/// Step 2: those that were registered, and whether that was not all since one is ready.
fn register<'o>(arms: &[Case<'_>], order: &'o [u32], wait: &Wait) -> (&'o [u32], bool) {
    for (registered, &arm) in order.iter().enumerate() {
        let arm = arm as usize;
        // SAFETY: `settle` unregisters all, and they stay where they are until then.
        if unsafe { arms[arm].0.register(wait, arm) } == Registered::Ready {
            return (&order[..registered], true);
        }
    }
    (order, false)
}

/// Steps 4 and 5: the arm that the wait was claimed for.
fn settle(arms: &[Case<'_>], registered: &[u32], wait: &Wait) -> Option<usize> {
    let claimed = wait.abort().err();
    for arm in registered {
        arms[*arm as usize].0.unregister();
    }
    claimed
}

/// Step 1.
#[inline]
fn attempt(arms: &mut [Case<'_>], order: &mut [u32]) -> Option<usize> {
    shuffled(order, |arm| arms[arm].0.attempt())
}

/// Has a random arm say that the caller is to stop.
#[cold]
fn tell(arms: &mut [Case<'_>], order: &mut [u32], stop: Stop) -> Option<usize> {
    shuffled(order, |arm| arms[arm].0.stop(stop))
}

/// The first arm in random order of which `test` is true.
#[inline]
fn shuffled(order: &mut [u32], mut test: impl FnMut(usize) -> bool) -> Option<usize> {
    for at in 0..order.len() {
        let left = order.len() - at;
        if left > 1 {
            order.swap(at, at + below(left));
        }
        let arm = order[at] as usize;
        if test(arm) {
            return Some(arm);
        }
    }
    None
}

/// A random number below `bound`, which is small: xorshift, for each coroutine and thread its own.
#[inline]
fn below(bound: usize) -> usize {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    let next = |state: &Cell<u64>| {
        let mut x = state.get();
        if x == 0 {
            x = seed();
        }
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        x
    };
    // Where there are no thread-locals any more, a seed is as good.
    let random = STATE.try_with(next).unwrap_or_else(|_| seed());
    (((random >> 32) * bound as u64) >> 32) as usize
}

/// Another one each time, and never zero: the steps of a Weyl sequence, mixed as by splitmix64.
#[cold]
fn seed() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    // Relaxed: a number, which tells of nothing else.
    let mut x = LAST.fetch_add(STEP, Ordering::Relaxed);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) | 1
}
