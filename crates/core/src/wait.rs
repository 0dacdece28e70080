//! Who ends a wait: one word per coroutine, and one winner.
//!
//! A waiting coroutine is registered with several event sources at once (a channel and a timer, a
//! descriptor and a cancellation). All of them may fire together, and any may fire before the
//! coroutine's stack has been left. The word decides who made it runnable, and it decides once.
//!
//! ```text
//!             arm                       commit (stack left)
//!   RUNNING ---------> ARMED --------------------------> PARKED
//!     ^  ^   disarm      |                                 |
//!     |  '---------------'                                 |
//!     |                  | wake -> Early                   | wake -> Owner
//!     |                  v                                 |
//!     |  finish        WOKEN <-----------------------------'
//!     '------------------'
//!          (or disarm)
//! ```
//!
//! # Steps
//!
//! 1. The coroutine arms the word and gets a ticket, gives the ticket to its sources, and leaves
//!    its stack.
//! 2. The carrier that left the stack commits. True: the coroutine is parked, and must not be
//!    touched again. False: somebody won in between; the carrier makes the coroutine runnable
//!    itself.
//! 3. A source calls `wake` with its ticket. Early: the carrier of step 2 will notice, nothing to
//!    do. Owner: the caller, and nobody else, makes the coroutine runnable. Lost: not this wait any
//!    more.
//! 4. The resumed coroutine finishes: it learns the cause and may be armed again.
//!
//! # Why nobody is run twice, or never
//!
//! ARMED is left by exactly one of `commit`, `wake` and `disarm`, for each is a compare-exchange
//! from the same value. If `wake` was first, `commit` returns false and the carrier pushes. If
//! `commit` was first, PARKED is left only by a `wake`, and of several racing wakers one succeeds
//! and pushes. Late wakers find another state, or another epoch. The epoch matters because words
//! are reused: memory of coroutines is type-stable, and a timer may fire for a wait that ended long
//! ago.
//!
//! Rejected: a flag per source (the loser must then be told by each), a lock per coroutine (the
//! waker would spin while the carrier is between steps 1 and 2), a counter of wake-ups as in a
//! semaphore (a stale wake-up would end the next wait).

use std::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release};

use crate::primitive::{AtomicU64, const_unless_loom};

/// Which wait of a coroutine is meant; sources keep it and show it when they fire.
///
/// It outlives its wait harmlessly: a stale ticket always loses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ticket(u64);

impl Ticket {
    /// The low 30 bits of its number, for words that name a wait beside a state of two bits.
    pub const fn low(self) -> u32 {
        self.0 as u32 & (u32::MAX >> 2)
    }

    /// Its number: 56 bits.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// The ticket with a number that [`number`](Self::number) gave.
    pub(crate) const fn from_number(number: u64) -> Self {
        Ticket(number)
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cause(u8);

impl Cause {
    /// No wait has ended yet.
    pub const NONE: Cause = Cause(0);
    /// What was waited for has happened.
    pub const WAKE: Cause = Cause(1);
    /// The deadline passed.
    pub const TIMEOUT: Cause = Cause(2);
    /// What was waited for can no longer happen.
    pub const CLOSED: Cause = Cause(3);
    /// Somebody asked the coroutine to stop waiting.
    pub const CANCEL: Cause = Cause(4);

    /// A cause of the caller's own, such as which arm of a choice fired.
    ///
    /// # Panics
    ///
    /// If `code` does not fit the word's six bits.
    pub const fn new(code: u8) -> Cause {
        assert!((code as u64) < 1 << CAUSE_BITS, "a cause has six bits");
        Cause(code)
    }

    /// The number behind the cause.
    pub const fn code(self) -> u8 {
        self.0
    }
}

/// What [`WaitWord::wake`] came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "an `Owner` has to make the coroutine runnable"]
pub enum Woken {
    /// The ticket's wait has been ended by another, or was given up. The caller does nothing.
    Lost,
    /// The caller ended the wait before the stack was left. The caller does nothing: the coroutine
    /// or its carrier will notice.
    Early,
    /// The caller ended the wait of a parked coroutine, and it alone must make it runnable.
    Owner,
}

const STATE_BITS: u32 = 2;
const CAUSE_BITS: u32 = 6;
const EPOCH_BITS: u32 = 64 - STATE_BITS - CAUSE_BITS;

/// Where a coroutine is between running and waiting; see the picture above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Running = 0,
    Armed = 1,
    Parked = 2,
    Woken = 3,
}

/// The word taken apart, so that shifts stay here: epoch 56 bits, cause 6 bits, state 2 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Packed(u64);

impl Packed {
    fn new(epoch: u64, cause: Cause, state: State) -> Self {
        Self((epoch << CAUSE_BITS | cause.0 as u64) << STATE_BITS | state as u64)
    }

    fn state(self) -> State {
        match self.0 & ((1 << STATE_BITS) - 1) {
            0 => State::Running,
            1 => State::Armed,
            2 => State::Parked,
            _ => State::Woken,
        }
    }

    fn cause(self) -> Cause {
        Cause((self.0 >> STATE_BITS) as u8 & ((1 << CAUSE_BITS) - 1))
    }

    fn epoch(self) -> u64 {
        self.0 >> (STATE_BITS + CAUSE_BITS)
    }

    /// The same wait in another state, with no cause.
    fn with(self, state: State) -> Self {
        Self::new(self.epoch(), Cause::NONE, state)
    }
}

/// The word that arbitrates the waits of one coroutine.
///
/// # Memory order
///
/// - `wake` succeeds with Release, and `finish` (which a failing `disarm` ends in) reads with
///   Acquire: what the winner wrote before (a received value, say) is seen by the coroutine. A
///   `commit` that fails need not acquire, as the coroutine it makes runnable still comes to
///   `finish`.
/// - `commit` succeeds with Release, and the `wake` that leaves PARKED is also Acquire: the winner,
///   and through its run queue whoever resumes the coroutine, sees the whole saved stack.
/// - `arm` and `finish` are Relaxed stores. The owner is the only writer in RUNNING and the only
///   one besides a `wake` in WOKEN, which no `wake` leaves. A waker has its ticket through whatever
///   published the registration, so it cannot read a word older than that `arm`; whoever holds an
///   old ticket sees that epoch or a later one, and loses either way.
/// - A `wake` that loses synchronises with nothing. Losing is final, so a Relaxed look is enough.
/// - Compare-exchange and not swap: a loser must leave the word as it was.
pub struct WaitWord {
    /// | state   | meaning                                | left by                            |
    /// |---------|----------------------------------------|------------------------------------|
    /// | RUNNING | not waiting; cause is NONE             | `arm` (epoch + 1)                  |
    /// | ARMED   | sources know, still on its stack       | `commit`, `wake`, `disarm`         |
    /// | PARKED  | stack left                             | `wake`                             |
    /// | WOKEN   | somebody won; cause says why           | `finish`, `disarm`                 |
    word: AtomicU64,
}

impl WaitWord {
    const_unless_loom! {
        /// The word of a coroutine that has never waited.
        pub fn new() -> Self {
            // Epoch 0, no cause, RUNNING.
            Self { word: AtomicU64::new(0) }
        }
    }

    /// Begins a wait. Called by the running coroutine, before it registers anywhere.
    #[inline]
    pub fn arm(&self) -> Ticket {
        let now = self.load();
        debug_assert_eq!(now.state(), State::Running);
        let epoch = (now.epoch() + 1) & ((1 << EPOCH_BITS) - 1);
        self.word.store(Packed::new(epoch, Cause::NONE, State::Armed).0, Relaxed);
        Ticket(epoch)
    }

    /// Declares the stack left; called by the carrier that left it. False if the wait is already
    /// over, and then the caller makes the coroutine runnable.
    ///
    /// After true the coroutine may be running elsewhere, or be gone.
    #[inline]
    #[must_use = "after false the caller has to make the coroutine runnable"]
    pub fn commit(&self) -> bool {
        debug_assert!(matches!(self.load().state(), State::Armed | State::Woken));
        self.leave_armed(State::Parked, Release)
    }

    /// Ends the wait `ticket` stands for, unless somebody has.
    #[inline]
    pub fn wake(&self, ticket: Ticket, cause: Cause) -> Woken {
        let mut now = self.load();
        loop {
            let won = match now.state() {
                _ if now.epoch() != ticket.0 => return Woken::Lost,
                State::Running | State::Woken => return Woken::Lost,
                State::Armed => Woken::Early,
                State::Parked => Woken::Owner,
            };
            let over = Packed::new(ticket.0, cause, State::Woken);
            match self.word.compare_exchange(now.0, over.0, AcqRel, Relaxed) {
                Ok(_) => return won,
                Err(word) => now = Packed(word),
            }
        }
    }

    /// Whether the wait is already over: asked by the coroutine before it bothers to leave its
    /// stack.
    #[inline]
    pub fn is_woken(&self) -> bool {
        // Relaxed: `disarm`, `finish` or `commit` follows and has the Acquire.
        self.load().state() == State::Woken
    }

    /// Takes a wait back, by the coroutine, still on its stack. The error is the cause if somebody
    /// has already ended it. Either way the coroutine is RUNNING afterwards, and all sources lose.
    #[inline]
    pub fn disarm(&self) -> Result<(), Cause> {
        if self.leave_armed(State::Running, Relaxed) { Ok(()) } else { Err(self.finish()) }
    }

    /// Ends the wait, by the coroutine, once it has been resumed: tells why it was.
    #[inline]
    pub fn finish(&self) -> Cause {
        let now = Packed(self.word.load(Acquire));
        debug_assert_eq!(now.state(), State::Woken);
        self.word.store(now.with(State::Running).0, Relaxed);
        now.cause()
    }

    /// The ticket of the latest wait, over or not, for those who end whatever is being waited for.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.load().epoch())
    }

    #[inline]
    fn load(&self) -> Packed {
        Packed(self.word.load(Relaxed))
    }

    /// The waiter's side of the race for ARMED: true if it got there before any waker.
    #[inline]
    fn leave_armed(&self, to: State, success: Ordering) -> bool {
        let now = self.load();
        now.state() == State::Armed
            && self.word.compare_exchange(now.0, now.with(to).0, success, Relaxed).is_ok()
    }
}

impl Default for WaitWord {
    fn default() -> Self {
        Self::new()
    }
}
