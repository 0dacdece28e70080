//! The arms of a choice: what each kind of them tries, and where it waits.

use std::cell::UnsafeCell;
use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::time::Instant;

use lisle_rt::{Stop, Token};

use crate::cancel::CancelToken;
use crate::channel::chan::{Failed, Registered, Slot};
use crate::channel::{Receiver, RecvError, SendError, Sender};
use crate::select::ending::Ended;
use crate::waiters::{Record, Wait};

/// What may be chosen. For each wait the choice registers all arms, in any order, and unregisters
/// all of them again; in between it calls nothing else, and no arm moves.
pub(crate) trait Arm {
    /// Does at once what is to be done, if that is possible; keeps the outcome.
    fn attempt(&mut self) -> bool;

    /// When an attempt will succeed although nobody ends the wait.
    fn moment(&self) -> Option<Instant> {
        None
    }

    /// The descriptor that is waited for, if it is one, and for which events.
    #[cfg(unix)]
    fn descriptor(&self) -> Option<(BorrowedFd<'_>, i16)> {
        None
    }

    /// What is cancelled when an attempt will succeed, if it is waited for that: the wait is under
    /// it.
    fn token(&self) -> Option<&Token> {
        None
    }

    /// Keeps as the outcome that the wait failed. False if the arm has no error to say so.
    fn fail(&mut self, _: &io::Error) -> bool {
        false
    }

    /// Puts the wait into the queue of what is waited for, unless an attempt would succeed.
    ///
    /// # Safety
    /// The arm and the wait stay where they are until it was unregistered.
    unsafe fn register(&self, wait: &Wait, case: usize) -> Registered;

    /// Takes it out again, registered or not, ended or not.
    fn unregister(&self);

    /// A partner has ended the wait for this arm, which is unregistered: keeps the outcome.
    fn claimed(&mut self);

    /// Keeps as the outcome that the caller is to stop. False if the arm has no error to say so.
    fn stop(&mut self, stop: Stop) -> bool;

    /// Drops the outcome if it was not taken. Whether the arm may take part in another choice.
    fn renew(&mut self) -> bool;
}

/// Receives.
pub struct RecvArm<'a, T> {
    receiver: &'a Receiver<T>,
    record: Record,
    slot: Slot<T>,
    outcome: Option<Result<T, RecvError>>,
}

impl<'a, T> RecvArm<'a, T> {
    /// From a receiver.
    pub fn new(receiver: &'a Receiver<T>) -> Self {
        let slot = UnsafeCell::new(None);
        RecvArm { receiver, record: Record::new(), slot, outcome: None }
    }

    /// What came of it, if it was chosen.
    pub fn outcome(&mut self) -> Option<Result<T, RecvError>> {
        self.outcome.take()
    }

    pub(super) fn receiver(&self) -> &'a Receiver<T> {
        self.receiver
    }

    fn give_back(&mut self) {
        if let Some(Ok(value)) = self.outcome.take()
            && let Some(chan) = self.receiver.chan()
        {
            chan.give_back(value);
        }
    }
}

impl<T> Arm for RecvArm<'_, T> {
    fn attempt(&mut self) -> bool {
        self.outcome = match self.receiver.attempt() {
            Ok(value) => Some(Ok(value)),
            Err(Failed::Disconnected) => Some(Err(RecvError::Disconnected)),
            Err(_) => None,
        };
        self.outcome.is_some()
    }

    fn moment(&self) -> Option<Instant> {
        self.receiver.next_moment()
    }

    unsafe fn register(&self, wait: &Wait, case: usize) -> Registered {
        match self.receiver.chan() {
            // SAFETY: the caller's obligation; the slot is empty between waits.
            Some(chan) => unsafe { chan.register_recv(&self.record, wait, case, &self.slot) },
            // Time ends the wait.
            None => Registered::Waits,
        }
    }

    fn unregister(&self) {
        if let Some(chan) = self.receiver.chan() {
            // SAFETY: it is in this channel's queue of receivers, or in none.
            unsafe { chan.unregister_recv(&self.record) };
        }
    }

    fn claimed(&mut self) {
        self.outcome = Some(self.slot.get_mut().take().ok_or(RecvError::Disconnected));
    }

    fn stop(&mut self, stop: Stop) -> bool {
        self.outcome = Some(Err(RecvError::Stopped(stop)));
        true
    }

    fn renew(&mut self) -> bool {
        self.give_back();
        true
    }
}

impl<T> Drop for RecvArm<'_, T> {
    /// What was received and not taken is not lost.
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Sends.
pub struct SendArm<'a, T> {
    sender: &'a Sender<T>,
    record: Record,
    slot: Slot<T>,
    outcome: Option<Result<(), SendError<T>>>,
}

impl<'a, T> SendArm<'a, T> {
    /// From a sender, and what is to be sent.
    pub fn new(sender: &'a Sender<T>, value: T) -> Self {
        let slot = UnsafeCell::new(Some(value));
        SendArm { sender, record: Record::new(), slot, outcome: None }
    }

    /// What came of it, if it was chosen.
    pub fn outcome(&mut self) -> Option<Result<(), SendError<T>>> {
        self.outcome.take()
    }

    pub(super) fn sender(&self) -> &'a Sender<T> {
        self.sender
    }

    fn keep(&mut self, error: impl FnOnce(T) -> SendError<T>) {
        let value = self.slot.get_mut().take().expect("it was not sent");
        self.outcome = Some(Err(error(value)));
    }
}

impl<T> Arm for SendArm<'_, T> {
    fn attempt(&mut self) -> bool {
        match self.sender.chan().try_send(self.slot.get_mut()) {
            Ok(()) => self.outcome = Some(Ok(())),
            Err(Failed::Disconnected) => self.keep(SendError::Disconnected),
            Err(_) => return false,
        }
        true
    }

    unsafe fn register(&self, wait: &Wait, case: usize) -> Registered {
        // SAFETY: the caller's obligation.
        unsafe { self.sender.chan().register_send(&self.record, wait, case, &self.slot) }
    }

    fn unregister(&self) {
        // SAFETY: it is in this channel's queue of senders, or in none.
        unsafe { self.sender.chan().unregister_send(&self.record) };
    }

    fn claimed(&mut self) {
        match self.slot.get_mut() {
            Some(_) => self.keep(SendError::Disconnected),
            None => self.outcome = Some(Ok(())),
        }
    }

    fn stop(&mut self, stop: Stop) -> bool {
        self.keep(|value| SendError::Stopped(value, stop));
        true
    }

    fn renew(&mut self) -> bool {
        // What was to be sent was, or went into the error.
        self.outcome = None;
        false
    }
}

/// Waits for a coroutine to end. Joining it is left to who chose this.
pub struct JoinArm<'a> {
    ending: &'a Ended,
    record: Record,
    outcome: Option<()>,
}

/// A handle that can be joined: [`JoinHandle`](crate::JoinHandle) and
/// [`ScopedJoinHandle`](crate::ScopedJoinHandle).
pub trait Join: sealed::Ending {}

impl<T> Join for crate::JoinHandle<T> {}
impl<T> Join for crate::ScopedJoinHandle<'_, T> {}

mod sealed {
    use crate::select::ending::Ended;

    /// Implemented here alone.
    pub trait Ending {
        #[expect(private_interfaces, reason = "nobody else can name the trait")]
        fn ending(&self) -> &Ended;
    }

    impl<T> Ending for crate::JoinHandle<T> {
        #[expect(private_interfaces, reason = "as above")]
        fn ending(&self) -> &Ended {
            crate::JoinHandle::ending(self)
        }
    }

    impl<T> Ending for crate::ScopedJoinHandle<'_, T> {
        #[expect(private_interfaces, reason = "as above")]
        fn ending(&self) -> &Ended {
            crate::ScopedJoinHandle::ending(self)
        }
    }
}

impl<'a> JoinArm<'a> {
    /// From a handle.
    pub fn new(handle: &'a impl Join) -> Self {
        JoinArm { ending: handle.ending(), record: Record::new(), outcome: None }
    }

    /// Something, if it was chosen.
    pub fn outcome(&mut self) -> Option<()> {
        self.outcome.take()
    }
}

impl Arm for JoinArm<'_> {
    fn attempt(&mut self) -> bool {
        self.outcome = self.ending.has_ended().then_some(());
        self.outcome.is_some()
    }

    unsafe fn register(&self, wait: &Wait, case: usize) -> Registered {
        // SAFETY: the caller's obligation.
        unsafe { self.ending.register(&self.record, wait, case) }
    }

    fn unregister(&self) {
        self.ending.unregister(&self.record);
    }

    fn claimed(&mut self) {
        self.outcome = Some(());
    }

    fn stop(&mut self, _: Stop) -> bool {
        false
    }

    fn renew(&mut self) -> bool {
        self.outcome = None;
        true
    }
}

/// Waits for a cancellation.
pub struct CancelledArm<'a> {
    token: &'a CancelToken,
    outcome: Option<()>,
}

impl<'a> CancelledArm<'a> {
    /// Of a token.
    pub fn new(token: &'a CancelToken) -> Self {
        CancelledArm { token, outcome: None }
    }

    /// Something, if it was chosen.
    pub fn outcome(&mut self) -> Option<()> {
        self.outcome.take()
    }
}

impl Arm for CancelledArm<'_> {
    fn attempt(&mut self) -> bool {
        self.outcome = self.token.is_cancelled().then_some(());
        self.outcome.is_some()
    }

    fn token(&self) -> Option<&Token> {
        Some(self.token.inner())
    }

    unsafe fn register(&self, _: &Wait, _: usize) -> Registered {
        if self.token.is_cancelled() { Registered::Ready } else { Registered::Waits }
    }

    fn unregister(&self) {}

    fn claimed(&mut self) {
        unreachable!("it is in no queue");
    }

    fn stop(&mut self, _: Stop) -> bool {
        false
    }

    fn renew(&mut self) -> bool {
        self.outcome = None;
        true
    }
}

impl fmt::Debug for CancelledArm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("CancelledArm { .. }")
    }
}

impl<T> fmt::Debug for RecvArm<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("RecvArm { .. }")
    }
}

impl<T> fmt::Debug for SendArm<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendArm { .. }")
    }
}

impl fmt::Debug for JoinArm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("JoinArm { .. }")
    }
}
