//! Cancelling what others do: a tree of tokens, and who is under each.
//!
//! ```text
//!   node ---- flag                 looked at by whoever is under the token (`extent`)
//!    |
//!   members   coroutine, thread    on its stack, while it runs under the token
//!             watch                a wait for the cancellation itself
//!             child                another node
//! ```
//!
//! Cancelling sets the flag under the node's lock, then takes the members out and has each look, a
//! few at a time, without the lock: coroutines all wait at most until then (`suspension`), OS
//! threads likewise (`waiting`). Who becomes a member later finds the flag set. So a member need be
//! told once, and the lock is held for a few instructions however many there are.
//!
//! A member that is taken out may be told after it has left: headers of coroutines, and seats of
//! threads, are never freed, and looking in vain does no harm.
//!
//! Children are cancelled after their parent, without recursion. A child keeps its parent alive,
//! not the other way round.
//!
//! # Rejected
//!
//! 1. *Looking at the flags of all ancestors.* Whoever waits must be found from there anyway.
//! 2. *Telling members with the lock held.* Ten thousand take milliseconds, in which nobody could
//!    enter or leave the token, nor be preempted.
//! 3. *A list of weak references to what waits.* It allocates for each call under the token.

use std::error::Error;
use std::fmt;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Weak};

use crate::extent;
use crate::platform::{Sleeper, interrupt};
use crate::short::ShortLock;
use crate::stop::{Ended, Stop};
use crate::waiting::{Seat, Seated, Waiting, Waker};

/// Why a token was cancelled, as its canceller tells.
pub type Reason = Arc<dyn Error + Send + Sync>;

/// Cancels what runs under it.
#[derive(Clone)]
pub struct Token(Arc<Node>);

struct Node {
    /// | value | meaning | left by |
    /// |---|---|---|
    /// | false | not cancelled | the first `cancel` of it or of an ancestor, under the lock |
    /// | true | cancelled | never |
    ///
    /// Release and Acquire: what was done before the cancellation is visible to whoever notices
    /// it. That nobody waits without noticing it is argued in the module.
    cancelled: AtomicBool,
    state: ShortLock<State>,
    /// The parent, and this node as its member.
    parent: Option<(Arc<Node>, Owned)>,
}

struct State {
    reason: Option<Reason>,
    /// The first of a doubly linked list, the one that came last, or null.
    members: *mut Member,
}

// SAFETY: the list is touched under the node's lock alone, and members stay in place while they are
// in it.
unsafe impl Send for State {}

/// Who is to be told. Its fields are touched under the lock of the node that it is a member of.
struct Member {
    who: Who,
    linked: bool,
    next: *mut Member,
    prev: *mut Member,
}

/// A member in memory of its own, by a pointer, since others have pointers to it too. Whoever drops
/// it has had it leave.
struct Owned(*mut Member);

// SAFETY: the member is touched under its node's lock, and what it refers to may be told from any
// thread.
unsafe impl Send for Owned {}
// SAFETY: as above.
unsafe impl Sync for Owned {}

impl Owned {
    fn new(who: Who) -> Self {
        Owned(Box::into_raw(Box::new(Member::new(who))))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: made from a box, and in no list.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

enum Who {
    /// A coroutine, or none, and where it or the OS thread has its seat.
    Runs(Option<Sleeper>, Seated),
    /// A wait for the cancellation; none between waits.
    Waits(Option<Waker>),
    Child(Weak<Node>),
}

impl Member {
    fn new(who: Who) -> Self {
        Member { who, linked: false, next: ptr::null_mut(), prev: ptr::null_mut() }
    }
}

impl State {
    /// # Safety
    /// The lock is held; the member is in no list, and stays in place until it is in none again.
    unsafe fn push(&mut self, member: *mut Member) {
        // SAFETY: the caller's obligation; the first one is in the list, so in place.
        unsafe {
            (*member).linked = true;
            (*member).prev = ptr::null_mut();
            (*member).next = self.members;
            if let Some(next) = self.members.as_mut() {
                next.prev = member;
            }
        }
        self.members = member;
    }

    /// Takes it out, unless it is in no list.
    ///
    /// # Safety
    /// The lock is held; the member is in this list if it is in one.
    unsafe fn remove(&mut self, member: *mut Member) {
        // SAFETY: the caller's obligation; neighbours are in the list, so in place.
        unsafe {
            if !mem::take(&mut (*member).linked) {
                return;
            }
            match (*member).prev.as_mut() {
                Some(prev) => prev.next = (*member).next,
                None => self.members = (*member).next,
            }
            if let Some(next) = (*member).next.as_mut() {
                next.prev = (*member).prev;
            }
        }
    }

    /// Takes one out, and tells whom to tell.
    fn pop(&mut self) -> Option<Told> {
        let member = self.members;
        if member.is_null() {
            return None;
        }
        // SAFETY: the lock is held, since this has the state; the member is in this list.
        unsafe {
            self.remove(member);
            Some(match &(*member).who {
                // SAFETY: a member leaves before its thread ends.
                Who::Runs(sleeper, seated) => Told::Running(*sleeper, seated.seat()),
                Who::Waits(waker) => Told::Waiting(*waker),
                Who::Child(child) => Told::Child(child.upgrade()),
            })
        }
    }
}

/// Who was taken out to be told.
enum Told {
    Running(Option<Sleeper>, Option<&'static Seat>),
    Waiting(Option<Waker>),
    Child(Option<Arc<Node>>),
}

/// How many are taken out at a time.
const BATCH: usize = 32;

impl Node {
    fn new(parent: Option<(Arc<Node>, Owned)>) -> Self {
        let state = State { reason: None, members: ptr::null_mut() };
        Node { cancelled: AtomicBool::new(false), state: ShortLock::new(state), parent }
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Sets the flag. Whether it was not set before.
    fn set(&self, mut reason: Option<Reason>) -> bool {
        let mut state = self.state.lock();
        let first = !self.is_cancelled();
        if first {
            mem::swap(&mut state.reason, &mut reason);
            self.cancelled.store(true, Ordering::Release);
        }
        drop(state);
        // A reason that came too late is dropped here, without the lock.
        first
    }

    /// Tells the members, of which children are left to the caller.
    fn tell(&self, children: &mut Vec<Arc<Node>>) {
        // Between the flag and the seats; see `waiting`.
        fence(Ordering::SeqCst);
        loop {
            let mut told = [const { None }; BATCH];
            let mut state = self.state.lock();
            for place in &mut told {
                *place = state.pop();
            }
            drop(state);
            if told[0].is_none() {
                return;
            }
            interrupt(told.iter().flatten().filter_map(|told| match told {
                Told::Running(sleeper, _) => *sleeper,
                _ => None,
            }));
            for told in told.into_iter().flatten() {
                match told {
                    Told::Running(_, seat) => seat.into_iter().for_each(Seat::interrupt),
                    Told::Waiting(waker) => waker.into_iter().for_each(|waker| _ = waker.wake()),
                    Told::Child(child) => children.extend(child),
                }
            }
        }
    }

    /// # Safety
    /// As for [`State::remove`]; the lock is not held.
    unsafe fn leave(&self, member: *mut Member) {
        // SAFETY: the caller's obligation.
        unsafe { self.state.lock().remove(member) };
    }
}

impl Drop for Node {
    /// Leaves the parent, and lets go of it; in a loop, since a chain may be long.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some((parent, member)) = next {
            // SAFETY: its member, in place until it is dropped here.
            unsafe { parent.leave(member.0) };
            next = Arc::into_inner(parent).and_then(|mut parent| parent.parent.take());
        }
    }
}

impl Token {
    /// A token that nobody has cancelled.
    #[allow(clippy::new_without_default, reason = "`lisle::CancelToken` has it")]
    pub fn new() -> Self {
        Token(Arc::new(Node::new(None)))
    }

    /// A token that is cancelled with this one.
    pub fn child(&self) -> Token {
        let parent = Arc::clone(&self.0);
        let child = Arc::new_cyclic(|child| {
            Node::new(Some((parent, Owned::new(Who::Child(Weak::clone(child))))))
        });
        let (parent, member) = child.parent.as_ref().expect("made with one");
        let mut state = parent.state.lock();
        if parent.is_cancelled() {
            let reason = state.reason.clone();
            drop(state);
            child.set(reason);
        } else {
            // SAFETY: the lock is held; it is in place until it has left.
            unsafe { state.push(member.0) };
            drop(state);
        }
        Token(child)
    }

    /// Cancels it and its children. Returns whether it was not cancelled before.
    pub fn cancel(&self, reason: Option<Reason>) -> bool {
        let first = self.0.set(reason.clone());
        let mut children = Vec::new();
        self.0.tell(&mut children);
        while let Some(child) = children.pop() {
            child.set(reason.clone());
            child.tell(&mut children);
        }
        first
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// The reason that was given when it was cancelled.
    pub fn reason(&self) -> Option<Reason> {
        self.0.state.lock().reason.clone()
    }

    /// Runs `f` under it.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Joined<'a>(&'a Node, *mut Member);
        impl Drop for Joined<'_> {
            fn drop(&mut self) {
                // SAFETY: the member of `run`, which is in place.
                unsafe { self.0.leave(self.1) };
            }
        }
        let mut member = Member::new(Who::Runs(Sleeper::own(), Seated::own()));
        let place = &raw mut member;
        // SAFETY: under the lock; it stays in place, untouched otherwise, until it has left.
        unsafe { self.0.state.lock().push(place) };
        let _joined = Joined(&self.0, place);
        // Cancelled before: nobody will be told, and the flag is set.
        extent::flagged(&self.0.cancelled, Arc::as_ptr(&self.0).cast(), f)
    }

    /// Waits until it is cancelled.
    ///
    /// # Errors
    /// The caller is to stop.
    pub fn wait(&self) -> Result<(), Stop> {
        let mut watch = Watch::new(self);
        loop {
            let waiting = Waiting::begin();
            if !watch.arm(waiting.waker()) {
                waiting.forgo();
                return Ok(());
            }
            match waiting.wait(None) {
                Ended::Stopped(stop) if !self.is_cancelled() => return Err(stop),
                _ => {}
            }
        }
    }

    /// The tokens that the caller is under, the innermost first.
    pub(crate) fn of_caller() -> impl Iterator<Item = Token> {
        extent::tokens().map(|node| {
            let node = node.cast::<Node>();
            // SAFETY: `run` has put it there, of an `Arc` that it keeps alive; one more is counted
            // for the token that is made here.
            unsafe {
                Arc::increment_strong_count(node);
                Token(Arc::from_raw(node))
            }
        })
    }

    /// Whether it is cancelled whenever `other` is: the same, or a child of it or of its children.
    pub(crate) fn is_within(&self, other: &Token) -> bool {
        let mut next = Some(&self.0);
        while let Some(node) = next {
            if Arc::ptr_eq(node, &other.0) {
                return true;
            }
            next = node.parent.as_ref().map(|(parent, _)| parent);
        }
        false
    }

    /// Whether both are the same.
    pub fn is(&self, other: &Token) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// Waits for a cancellation, maybe among other things: made before a [`Waiting`] begins, and told
/// its waker then.
pub struct Watch {
    node: Arc<Node>,
    member: Owned,
}

impl Watch {
    /// A watch on this token.
    pub fn new(token: &Token) -> Self {
        Watch { node: Arc::clone(&token.0), member: Owned::new(Who::Waits(None)) }
    }

    /// Has the cancellation use this waker. False if the token is cancelled already. Neither waits
    /// nor allocates.
    pub fn arm(&mut self, waker: Waker) -> bool {
        let mut state = self.node.state.lock();
        if self.node.is_cancelled() {
            return false;
        }
        let member = self.member.0;
        // SAFETY: under the lock; it is in place until it has left.
        unsafe {
            (*member).who = Who::Waits(Some(waker));
            if !(*member).linked {
                state.push(member);
            }
        }
        true
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: its member, which is dropped after this.
        unsafe { self.node.leave(self.member.0) };
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
