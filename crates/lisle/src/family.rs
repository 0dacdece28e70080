//! Who belongs to whom: the open scopes, and the coroutines that run in each.
//!
//! ```text
//!   SCOPES ---> data of a scope ---> data of another      from the one opened last
//!                 |        ^
//!              children    | opener: the child that opened it
//!                 v        |
//!               child --- child                           each on the stack of its coroutine
//! ```
//!
//! A scope is one for three purposes, which is why this is a layer of its own below
//! [`scope`](crate::scope()) and [`Group`](crate::Group): its owner waits until all have ended;
//! what the owner is to stop for, they are to stop for; and a dump shows the tree.
//!
//! The tree costs nothing that grows: a scope is linked into a list when it opens and taken out
//! when it closes; a coroutine links a record on its own stack, from the call of its function to
//! the return. So those that have ended are a number, and a scope that starts coroutines for ever
//! does not become larger.
//!
//! Rejected: a list of the handles of all coroutines in the scope, which a server's would fill; and
//! finding the opener by comparing identities, which takes a look at all scopes for each.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lisle_rt::{ShortLock, Stops};

use crate::coroutine::{self, Coroutine};

/// What a scope waits for, tells its coroutines, and is known by.
pub(crate) struct ScopeData {
    /// Coroutines whose packet still exists. The owner alone waits for it to fall to zero; whoever
    /// takes it there wakes the owner. Release on the decrement and Acquire on the owner's load
    /// make everything the coroutines did visible to the owner.
    running: AtomicUsize,
    /// All that were ever started, for dumps.
    started: AtomicUsize,
    /// | value | meaning | set by |
    /// |---|---|---|
    /// | false | no coroutine that nobody joined has panicked | |
    /// | true | one has | `ended`, before its decrement; read after the last one |
    panicked: AtomicBool,
    owner: Coroutine,
    policy: Policy,
    stops: Option<Stops>,
    /// In whose function it was opened, or null. Immutable.
    opener: *const Child,
    children: ShortLock<Children>,
    /// Touched under the lock of [`SCOPES`].
    links: UnsafeCell<Links>,
}

/// What a scope is called in a dump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) name: &'static str,
    /// How many run at a time at most.
    pub(crate) limit: Option<usize>,
}

struct Children {
    /// The one that began last, or null.
    last: *mut Child,
    begun: usize,
    running: usize,
}

/// A coroutine whose function runs, on its stack. `coroutine` and `scope` are immutable; the others
/// are touched under the lock of the scope's children.
pub(crate) struct Child {
    coroutine: Coroutine,
    scope: *const ScopeData,
    is_daemon: bool,
    next: *mut Child,
    prev: *mut Child,
}

struct Links {
    next: *const ScopeData,
    prev: *const ScopeData,
}

/// The scopes that are open: the one that was opened last.
static SCOPES: ShortLock<Scopes> = ShortLock::new(Scopes(ptr::null()));

struct Scopes(*const ScopeData);

// SAFETY: scopes in the list stay in place, and are shared.
unsafe impl Send for Scopes {}
// SAFETY: children in the list stay in place, and are touched under its lock.
unsafe impl Send for Children {}
// SAFETY: the atomics and the lock are shared by their nature, `links` by the lock of the list, and
// the rest is immutable; `opener` is followed only while it is there, see `is_within`.
unsafe impl Send for ScopeData {}
// SAFETY: as above.
unsafe impl Sync for ScopeData {}

thread_local! {
    /// The record of the coroutine, or null outside of scopes. Valid while it is here.
    static OWN: Cell<*mut Child> = const { Cell::new(ptr::null_mut()) };
}

/// Keeps a scope in the list.
pub(crate) struct Open(Arc<ScopeData>);

impl Open {
    /// Opens a scope of the caller.
    pub(crate) fn new(policy: Policy, stops: Option<Stops>) -> Self {
        let data = Arc::new(ScopeData {
            running: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            owner: coroutine::current(),
            policy,
            stops,
            opener: OWN.get(),
            children: ShortLock::new(Children { last: ptr::null_mut(), begun: 0, running: 0 }),
            links: UnsafeCell::new(Links { next: ptr::null(), prev: ptr::null() }),
        });
        let mut scopes = SCOPES.lock();
        // SAFETY: under the lock; whatever is in the list is in place.
        unsafe {
            let next = scopes.0;
            (*data.links.get()).next = next;
            if let Some(next) = next.as_ref() {
                (*next.links.get()).prev = Arc::as_ptr(&data);
            }
        }
        scopes.0 = Arc::as_ptr(&data);
        drop(scopes);
        Open(data)
    }

    pub(crate) fn data(&self) -> &Arc<ScopeData> {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut scopes = SCOPES.lock();
        // SAFETY: under the lock; it is in the list, and so are its neighbours.
        unsafe {
            let Links { next, prev } = *self.0.links.get();
            match prev.as_ref() {
                Some(prev) => (*prev.links.get()).next = next,
                None => scopes.0 = next,
            }
            if let Some(next) = next.as_ref() {
                (*next.links.get()).prev = prev;
            }
        }
    }
}

impl ScopeData {
    pub(crate) fn started(&self) {
        // Cannot overflow: each counted coroutine has an allocation of its own.
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    /// One that is counted was not refused for want of memory.
    pub(crate) fn granted(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, panicked: bool) {
        if panicked {
            self.panicked.store(true, Ordering::Relaxed);
        }
        if self.running.fetch_sub(1, Ordering::Release) == 1 {
            self.owner.unpark();
        }
    }

    /// Has the owner look again at what it waits for.
    pub(crate) fn rouse_owner(&self) {
        self.owner.unpark();
    }

    /// Waits until all have ended, by the owner, whatever that is to stop for: they borrow.
    pub(crate) fn wait_for_all(&self) {
        self.wait_until(|| self.running.load(Ordering::Acquire) == 0);
    }

    /// Waits, by the owner, until `done`. Who makes it so rouses the owner.
    pub(crate) fn wait_until(&self, done: impl Fn() -> bool) {
        lisle_rt::masked(|| {
            while !done() {
                coroutine::park();
            }
        });
    }

    /// Whether one has panicked that nobody joined; for the owner, when all have ended.
    pub(crate) fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed)
    }

    /// Runs the function of one of its coroutines, on that.
    pub(crate) fn run_child<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Leave<'a>(&'a ScopeData, *mut Child);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                OWN.set(ptr::null_mut());
                // SAFETY: the record of `run_child`, in place and in the list.
                unsafe { self.0.children.lock().remove(self.1) };
            }
        }
        let mut child = Child {
            coroutine: coroutine::current(),
            scope: self,
            is_daemon: false,
            next: ptr::null_mut(),
            prev: ptr::null_mut(),
        };
        let place = &raw mut child;
        // SAFETY: it stays in place, and is reached by this pointer alone, until it has left.
        unsafe { self.children.lock().push(place) };
        OWN.set(place);
        let _leave = Leave(self, place);
        match &self.stops {
            None => f(),
            Some(stops) => stops.run(f),
        }
    }

    /// Whether the caller is a coroutine of the scope, or of one that was opened by such a
    /// coroutine, and so on. Then the scope cannot end before the caller does.
    pub(crate) fn is_around_caller(&self) -> bool {
        let mut next: *const Child = OWN.get();
        while !next.is_null() {
            // SAFETY: the caller's record, or that of one whose function runs because it waits for
            // a scope that the caller is in. The same goes for the scopes, and these fields are
            // immutable.
            let scope = unsafe { (*next).scope };
            if ptr::eq(scope, self) {
                return true;
            }
            // SAFETY: as above.
            next = unsafe { (*scope).opener };
        }
        false
    }
}

/// Notes that the calling coroutine of a scope is a daemon, for dumps.
pub(crate) fn become_daemon() {
    let child = OWN.get();
    // SAFETY: null, or its own record, whose scope is open.
    unsafe {
        if let Some(scope) = (!child.is_null()).then(|| &*(*child).scope) {
            let children = scope.children.lock();
            (*child).is_daemon = true;
            drop(children);
        }
    }
}

impl Children {
    /// # Safety
    /// The lock is held; the child stays in place until it is removed.
    unsafe fn push(&mut self, child: *mut Child) {
        // SAFETY: the caller's obligation; the last one is in the list, so in place.
        unsafe {
            (*child).next = self.last;
            if !self.last.is_null() {
                (*self.last).prev = child;
            }
        }
        self.last = child;
        self.begun += 1;
        self.running += 1;
    }

    /// # Safety
    /// The lock is held; the child is in the list.
    unsafe fn remove(&mut self, child: *mut Child) {
        // SAFETY: the caller's obligation; neighbours are in the list, so in place.
        unsafe {
            let (next, prev) = ((*child).next, (*child).prev);
            match prev.is_null() {
                true => self.last = next,
                false => (*prev).next = next,
            }
            if !next.is_null() {
                (*next).prev = prev;
            }
        }
        self.running -= 1;
    }
}

impl fmt::Debug for ScopeData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeData").field("running", &self.running).finish_non_exhaustive()
    }
}

/// A scope, as it was at a moment.
#[derive(Clone, Debug)]
pub(crate) struct SeenScope {
    /// Where its opener was, or zero.
    pub(crate) opener: usize,
    pub(crate) owner: Coroutine,
    pub(crate) policy: Policy,
    pub(crate) started: usize,
    pub(crate) begun: usize,
    pub(crate) running: usize,
}

/// A coroutine of a scope, as it was at a moment.
#[derive(Clone, Debug)]
pub(crate) struct SeenChild {
    /// Where it was.
    pub(crate) place: usize,
    pub(crate) coroutine: Coroutine,
    pub(crate) is_daemon: bool,
}

/// All scopes and their coroutines at one moment: those that were opened or began last first; to
/// each scope belong as many of the coroutines as it says, in the same order.
pub(crate) fn look() -> (Vec<SeenScope>, Vec<SeenChild>) {
    let (mut scopes, mut children) = (Vec::new(), Vec::new());
    // Nothing may be allocated under the locks, so there may have to be more room at the next try.
    let (mut more_scopes, mut more_children) = (16, 64);
    loop {
        scopes.clear();
        children.clear();
        scopes.reserve(more_scopes);
        children.reserve(more_children);
        (more_scopes, more_children) = (0, 0);
        let first = SCOPES.lock();
        let mut next = first.0;
        // SAFETY: under the lock; whatever is in the list is in place.
        while let Some(scope) = unsafe { next.as_ref() } {
            let (missing, fits) = look_at(scope, &mut children);
            more_children += missing;
            if scopes.len() < scopes.capacity() {
                scopes.push(fits);
            }
            more_scopes += 1;
            // SAFETY: as above.
            next = unsafe { (*scope.links.get()).next };
        }
        drop(first);
        if more_scopes == scopes.len() && more_children == children.len() {
            return (scopes, children);
        }
        // Others go on meanwhile.
        (more_scopes, more_children) = (more_scopes * 2, more_children * 2);
    }
}

/// A scope as it is now; appends its coroutines as far as there is room for them, and returns how
/// many they are.
fn look_at(scope: &ScopeData, found: &mut Vec<SeenChild>) -> (usize, SeenScope) {
    let started = scope.started.load(Ordering::Relaxed);
    let children = scope.children.lock();
    let mut next = children.last;
    while !next.is_null() && found.len() < found.capacity() {
        // SAFETY: under the lock; whatever is in the list is in place. The fields are read one by
        // one, by a pointer, as others hold it too.
        unsafe {
            found.push(SeenChild {
                place: next.addr(),
                coroutine: (*next).coroutine.clone(),
                is_daemon: (*next).is_daemon,
            });
            next = (*next).next;
        }
    }
    let seen = SeenScope {
        opener: scope.opener.addr(),
        owner: scope.owner.clone(),
        policy: scope.policy,
        // One may have been started and have begun since it was looked at.
        started: started.max(children.begun),
        begun: children.begun,
        running: children.running,
    };
    (children.running, seen)
}
