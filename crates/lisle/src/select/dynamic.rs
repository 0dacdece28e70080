//! A choice among arms whose number is not known when the program is written.

use std::error::Error;
use std::fmt;
use std::ptr;
use std::time::{Duration, Instant};

use lisle_rt::Stop;

use super::arm::{Arm, CancelledArm, Join, JoinArm, RecvArm, SendArm};
use super::run::{Case, Chosen, Patience, run};
use crate::cancel::CancelToken;
use crate::channel::{Receiver, RecvError, SendError, Sender};

/// A choice among any number of sends, receives, joins and cancellations.
///
/// What is to be sent is said when the arm is added, for it is handed over the moment a receiver
/// takes it. An arm that sent is no arm any more; others remain, and may be chosen again.
///
/// ```
/// use lisle::channel::unbounded;
/// use lisle::select::Select;
///
/// let (senders, receivers): (Vec<_>, Vec<_>) = (0..20).map(|_| unbounded()).unzip();
/// senders[13].send("lucky").unwrap();
///
/// let mut select = Select::new();
/// for receiver in &receivers {
///     select.recv(receiver);
/// }
/// let operation = select.select();
/// assert_eq!(operation.index(), 13);
/// assert_eq!(operation.recv(&receivers[13]), Ok("lucky"));
/// ```
#[derive(Default)]
pub struct Select<'a> {
    /// By their numbers; none where one was removed.
    arms: Vec<Option<Box<dyn Erased + 'a>>>,
}

/// An arm whose type of values was forgotten.
trait Erased: Arm {
    /// Where its channel is, for a sender or a receiver.
    fn end(&self) -> *const ();

    /// Moves the outcome out.
    ///
    /// # Safety
    /// `to` points to a place for an `Option` of what the arm's own `outcome` returns.
    unsafe fn take(&mut self, to: *mut ());
}

impl<T> Erased for RecvArm<'_, T> {
    fn end(&self) -> *const () {
        ptr::from_ref(self.receiver()).cast()
    }

    unsafe fn take(&mut self, to: *mut ()) {
        // SAFETY: the caller's obligation.
        unsafe { *to.cast::<Option<Result<T, RecvError>>>() = self.outcome() };
    }
}

impl<T> Erased for SendArm<'_, T> {
    fn end(&self) -> *const () {
        ptr::from_ref(self.sender()).cast()
    }

    unsafe fn take(&mut self, to: *mut ()) {
        // SAFETY: the caller's obligation.
        unsafe { *to.cast::<Option<Result<(), SendError<T>>>>() = self.outcome() };
    }
}

impl Erased for JoinArm<'_> {
    fn end(&self) -> *const () {
        ptr::null()
    }

    unsafe fn take(&mut self, to: *mut ()) {
        // SAFETY: the caller's obligation.
        unsafe { *to.cast::<Option<()>>() = self.outcome() };
    }
}

impl Erased for CancelledArm<'_> {
    fn end(&self) -> *const () {
        ptr::null()
    }

    unsafe fn take(&mut self, to: *mut ()) {
        // SAFETY: the caller's obligation.
        unsafe { *to.cast::<Option<()>>() = self.outcome() };
    }
}

impl<'a> Select<'a> {
    /// A choice among nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a send of `value`; returns the number of the arm.
    pub fn send<T>(&mut self, sender: &'a Sender<T>, value: T) -> usize
    where
        T: 'a,
    {
        self.add(Box::new(SendArm::new(sender, value)))
    }

    /// Adds a receive; returns the number of the arm.
    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        self.add(Box::new(RecvArm::new(receiver)))
    }

    /// Adds the end of a coroutine; returns the number of the arm. Once it was chosen,
    /// [`join`](crate::JoinHandle::join) does not wait.
    pub fn join(&mut self, handle: &'a impl Join) -> usize {
        self.add(Box::new(JoinArm::new(handle)))
    }

    /// Adds the cancellation of a token; returns the number of the arm.
    ///
    /// ```
    /// use lisle::{CancelToken, channel, select::Select};
    ///
    /// let (token, (_sender, receiver)) = (CancelToken::new(), channel::unbounded::<i32>());
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// let cancelled = select.cancelled(&token);
    /// token.cancel();
    /// assert_eq!(select.select().index(), cancelled);
    /// ```
    pub fn cancelled(&mut self, token: &'a CancelToken) -> usize {
        self.add(Box::new(CancelledArm::new(token)))
    }

    fn add(&mut self, arm: Box<dyn Erased + 'a>) -> usize {
        self.arms.push(Some(arm));
        self.arms.len() - 1
    }

    /// Removes an arm. The numbers of the others remain. What it was to send is dropped.
    ///
    /// # Panics
    /// If there is no arm of this number, or not any more.
    pub fn remove(&mut self, index: usize) {
        let arm = self.arms.get_mut(index).and_then(Option::take);
        assert!(arm.is_some(), "no operation has the index {index}");
    }

    /// Chooses an arm that is ready; waits until one is.
    ///
    /// # Panics
    /// If there are no arms, or if the caller is to stop and no arm has an error to say so.
    pub fn select(&mut self) -> SelectedOperation<'_, 'a> {
        assert!(self.arms.iter().any(Option::is_some), "no operations have been added to `Select`");
        let chosen = self.choose(Patience::Endless);
        chosen.unwrap_or_else(|stop| {
            panic!("a choice among joins and tokens alone is to stop: {stop:?}")
        })
    }

    /// Chooses an arm that is ready.
    ///
    /// # Errors
    /// If none is.
    ///
    /// ```
    /// use lisle::{channel, select::Select};
    ///
    /// let (sender, _receiver) = channel::bounded(1);
    /// let mut select = Select::new();
    /// let arm = select.send(&sender, 1);
    /// assert_eq!(select.try_select().unwrap().send(&sender), Ok(()));
    /// let arm = select.send(&sender, 2);
    /// assert!(select.try_select().is_err());
    /// ```
    pub fn try_select(&mut self) -> Result<SelectedOperation<'_, 'a>, TrySelectError> {
        self.choose(Patience::None).map_err(|_| TrySelectError(()))
    }

    /// Chooses an arm that is ready; waits for at most `timeout` until one is.
    ///
    /// # Errors
    /// If none is.
    pub fn select_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<SelectedOperation<'_, 'a>, SelectTimeoutError> {
        self.choose(Patience::of(timeout)).map_err(|_| SelectTimeoutError(()))
    }

    /// Chooses an arm that is ready; waits until `deadline` at most.
    ///
    /// # Errors
    /// If none is.
    pub fn select_deadline(
        &mut self,
        deadline: Instant,
    ) -> Result<SelectedOperation<'_, 'a>, SelectTimeoutError> {
        self.choose(Patience::Until(deadline)).map_err(|_| SelectTimeoutError(()))
    }

    /// The error is what the caller is to stop for, if it is that.
    fn choose(&mut self, patience: Patience) -> Result<SelectedOperation<'_, 'a>, Option<Stop>> {
        let numbered = self.arms.iter_mut().enumerate();
        let present = numbered.filter_map(|(number, arm)| Some((number, arm.as_mut()?)));
        let (numbers, mut cases): (Vec<_>, Vec<_>) =
            present.map(|(number, arm)| (number, Case(&mut **arm))).unzip();
        let mut order = Vec::from_iter(0..cases.len() as u32);
        match run(&mut cases, &mut order, patience, false) {
            Chosen::Arm(arm) => Ok(SelectedOperation { index: numbers[arm], select: self }),
            Chosen::Default => Err(None),
            Chosen::Stopped(stop) => Err(Some(stop)),
        }
    }
}

/// An arm that was chosen, and done.
///
/// What it came to is to be taken with [`recv`](Self::recv) or [`send`](Self::send). A value that
/// was received and is not taken is the next one that the channel gives.
#[must_use = "what was received is in it"]
pub struct SelectedOperation<'s, 'a> {
    index: usize,
    select: &'s mut Select<'a>,
}

impl SelectedOperation<'_, '_> {
    /// The number of the arm.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What was received.
    ///
    /// # Errors
    /// As [`Receiver::recv`].
    ///
    /// # Panics
    /// If the arm does not receive with this receiver.
    pub fn recv<T>(self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        let mut outcome = None;
        let end = ptr::from_ref(receiver).cast();
        // SAFETY: an arm that has this receiver, and there is but one type of a receiver in one
        // place: receivers are not without size, and what they receive cannot be converted.
        unsafe { self.take(end, "receiver", ptr::from_mut(&mut outcome).cast()) };
        outcome.expect("an arm that was chosen has an outcome")
    }

    /// What sending came to.
    ///
    /// # Errors
    /// As [`Sender::send`].
    ///
    /// # Panics
    /// If the arm does not send with this sender.
    pub fn send<T>(self, sender: &Sender<T>) -> Result<(), SendError<T>> {
        let mut outcome = None;
        let end = ptr::from_ref(sender).cast();
        // SAFETY: as in `recv`.
        unsafe { self.take(end, "sender", ptr::from_mut(&mut outcome).cast()) };
        outcome.expect("an arm that was chosen has an outcome")
    }

    /// # Safety
    /// As for [`Erased::take`], of an arm with this end.
    unsafe fn take(self, end: *const (), what: &str, to: *mut ()) {
        let arm = self.select.arms[self.index].as_mut().expect("an arm that was chosen");
        assert!(arm.end() == end, "passed a {what} that is not that of the selected operation");
        // SAFETY: the caller's obligation.
        unsafe { arm.take(to) };
    }
}

impl Drop for SelectedOperation<'_, '_> {
    fn drop(&mut self) {
        let arm = &mut self.select.arms[self.index];
        if let Some(chosen) = arm
            && !chosen.renew()
        {
            *arm = None;
        }
    }
}

/// No arm was ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrySelectError(());

/// No arm became ready in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SelectTimeoutError(());

impl fmt::Display for TrySelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all operations in select would block")
    }
}

impl fmt::Display for SelectTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out waiting on select")
    }
}

impl Error for TrySelectError {}
impl Error for SelectTimeoutError {}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("arms", &self.arms.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for SelectedOperation<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectedOperation").field("index", &self.index).finish_non_exhaustive()
    }
}
