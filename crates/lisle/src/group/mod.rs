//! Scopes with a purpose: [`Group`].
//!
//! A [`scope`](crate::scope()) waits until all have ended, whatever they come to. Most often more
//! is meant: all results, the first one, none of them if one fails. Each of these is a call that
//! returns what is wanted, after all members have ended; a member that is not needed any more is
//! cancelled, by a token of the group that it runs under.
//!
//! # What was taken from where
//!
//! - *Trio's nurseries*: nothing outlives the group, and a failure cancels the others before it
//!   goes on to whoever opened the group. The body is under the token as well.
//! - *Java's `StructuredTaskScope` and its joiners*: the policy is chosen once, by who opens the
//!   group, and is seen in its first line. There are five of them, not an interface to write more:
//!   what they leave out is written with a scope, a channel and a token.
//! - *Go's errgroup*: the first error is the group's, the others follow from it and are dropped; a
//!   limit makes `spawn` wait, which is what keeps a loop over a million files from starting a
//!   million coroutines. (Unlike there, a member may spawn a member however narrow the limit is.)
//! - *Eio's `Fiber.first` and `any`*: [`race`](Group::race). Its losers are waited for, too, so
//!   that what they borrow is there and what they hold is given back.
//! - *Trio's and Eio's daemons*: members that the group does not wait for but cancels once the
//!   others have ended.
//! - *tokio's `JoinSet`*: members are all of one type, and there are no handles that could be
//!   forgotten. Rejected: its `join_next`. A loop over it writes each policy anew.
//!
//! Rejected further: options on [`scope`](crate::scope()). It returns what its body returns, and so
//! has no place for what the members come to, nor for their error.

mod members;

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use lisle_rt::Stops;

pub use members::Members;

use crate::family::{Open, Policy};
use members::Common;

/// Coroutines that borrow and have a purpose in common: all their results, the first one, or none
/// if one fails.
///
/// The body starts members with [`Members::spawn`]. When the call returns, or unwinds, the body has
/// returned and all members have ended, as in a [`scope`](crate::scope()). Members inherit the
/// [`Scoped`](crate::Scoped) values of who starts them, and are under the deadlines and tokens that
/// the caller is under.
///
/// Once the outcome is known, the members that still run, and the body, are *cancelled*: their
/// waits fail as described at [`deadline`](crate::deadline()), and they are waited for. Members
/// that were not started by then never are.
///
/// ```
/// use lisle::Group;
/// use std::num::ParseIntError;
///
/// let words = ["1", "2", "3"];
/// let numbers: Result<Vec<u32>, ParseIntError> = Group::new().limit(2).try_all(|g| {
///     for word in &words {
///         g.spawn(|| word.parse());
///     }
/// });
/// assert_eq!(numbers, Ok(vec![1, 2, 3]));
/// ```
///
/// # Panics
/// All of its calls: a panic of the body or of a member decides the group, cancels the others, and
/// is raised again when they have ended; that of the body rather than that of a member, and the
/// first of several. Also one that comes after the group was decided: a panic is never a result.
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a group starts nothing until one of its calls is made"]
pub struct Group {
    limit: Option<usize>,
}

/// What a result means to the group.
enum Verdict {
    Kept,
    Dropped,
    Decisive,
}

impl Group {
    /// A group of any number of members at a time.
    pub const fn new() -> Self {
        Group { limit: None }
    }

    /// Lets at most so many members run at a time: [`Members::spawn`] waits its turn, first come,
    /// first served.
    ///
    /// A member that starts another does not wait, or all might wait for each other: the new one
    /// begins when there is room for it. Daemons do not count.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let running = AtomicUsize::new(0);
    /// lisle::Group::new().limit(3).all(|g| {
    ///     for _ in 0..100 {
    ///         g.spawn(|| {
    ///             assert!(running.fetch_add(1, Ordering::Relaxed) < 3);
    ///             lisle::yield_now();
    ///             running.fetch_sub(1, Ordering::Relaxed);
    ///         });
    ///     }
    /// });
    /// ```
    ///
    /// # Panics
    /// If it is zero.
    pub const fn limit(self, members: usize) -> Self {
        assert!(members > 0, "a group has room for one member at least");
        Group { limit: Some(members) }
    }

    /// All results, in the order in which the members were started.
    ///
    /// ```
    /// let squares = lisle::Group::new().all(|g| {
    ///     for i in 0..4 {
    ///         g.spawn(move || i * i);
    ///     }
    /// });
    /// assert_eq!(squares, [0, 1, 4, 9]);
    /// ```
    pub fn all<'env, T, F>(self, body: F) -> Vec<T>
    where
        F: for<'scope> FnOnce(&'scope Members<'scope, 'env, T>),
        T: Send,
    {
        self.run("all", |_| Verdict::Kept, body).in_order().collect()
    }

    /// All results, or the first error: that cancels the other members.
    ///
    /// # Errors
    /// The first error. Those that follow from the cancellation are dropped.
    ///
    /// ```
    /// let failed: Result<Vec<()>, &str> = lisle::Group::new().try_all(|g| {
    ///     // It would take an hour, but is cancelled.
    ///     g.spawn(|| Ok(lisle::sleep(std::time::Duration::from_secs(3600))));
    ///     g.spawn(|| Err("no such host"));
    /// });
    /// assert_eq!(failed, Err("no such host"));
    /// ```
    pub fn try_all<'env, T, E, F>(self, body: F) -> Result<Vec<T>, E>
    where
        F: for<'scope> FnOnce(&'scope Members<'scope, 'env, Result<T, E>>),
        T: Send,
        E: Send,
    {
        let judge = |result: &Result<T, E>| match result {
            Ok(_) => Verdict::Kept,
            Err(_) => Verdict::Decisive,
        };
        let mut outcome = self.run("try_all", judge, body);
        match outcome.decisive.take() {
            Some(result) => result.map(|_| Vec::new()),
            None => outcome.in_order().collect(),
        }
    }

    /// As [`try_all`](Self::try_all), and keeps no results: for members that are started for as
    /// long as the program runs.
    ///
    /// # Errors
    /// The first error.
    ///
    /// ```
    /// use std::io::{self, Error, Read};
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// fn serve(listener: &TcpListener) -> io::Result<()> {
    ///     lisle::Group::new().limit(10_000).try_each(|g| {
    ///         // Ends when a member fails: the group's token cancels `accept`, too.
    ///         while let Ok((mut stream, _)) = listener.accept() {
    ///             g.spawn(move || stream.read(&mut [0]).and(Err(Error::other("enough"))));
    ///         }
    ///     })
    /// }
    /// # if lisle::runtime::mode() == lisle::runtime::Mode::Threads { return Ok(()); }
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let server = lisle::spawn(move || serve(&listener).unwrap_err().to_string());
    /// drop(TcpStream::connect(address)?);
    /// assert_eq!(server.join().unwrap(), "enough");
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn try_each<'env, E, F>(self, body: F) -> Result<(), E>
    where
        F: for<'scope> FnOnce(&'scope Members<'scope, 'env, Result<(), E>>),
        E: Send,
    {
        let judge = |result: &Result<(), E>| match result {
            Ok(()) => Verdict::Dropped,
            Err(_) => Verdict::Decisive,
        };
        self.run("try_each", judge, body).decisive.unwrap_or(Ok(()))
    }

    /// The result of the member that ends first, whatever it is; the others are cancelled. None if
    /// there were no members.
    ///
    /// ```
    /// use std::time::Duration;
    /// let first = lisle::Group::new().race(|g| {
    ///     g.spawn(|| {
    ///         lisle::sleep(Duration::from_secs(3600));
    ///         "slow"
    ///     });
    ///     g.spawn(|| "quick");
    /// });
    /// assert_eq!(first, Some("quick"));
    /// ```
    pub fn race<'env, T, F>(self, body: F) -> Option<T>
    where
        F: for<'scope> FnOnce(&'scope Members<'scope, 'env, T>),
        T: Send,
    {
        self.run("race", |_| Verdict::Decisive, body).decisive
    }

    /// The first success; the others are cancelled then. Errors are passed over as long as another
    /// member may succeed.
    ///
    /// # Errors
    /// No member has succeeded: the errors of all, in the order in which they were started.
    ///
    /// ```
    /// let mirrors = ["down", "up", "slow"];
    /// let page = lisle::Group::new().first_ok(|g| {
    ///     for mirror in mirrors {
    ///         g.spawn(move || match mirror {
    ///             "up" => Ok("a page"),
    ///             _ => Err(mirror),
    ///         });
    ///     }
    /// });
    /// assert_eq!(page, Ok("a page"));
    /// ```
    pub fn first_ok<'env, T, E, F>(self, body: F) -> Result<T, Vec<E>>
    where
        F: for<'scope> FnOnce(&'scope Members<'scope, 'env, Result<T, E>>),
        T: Send,
        E: Send,
    {
        let judge = |result: &Result<T, E>| match result {
            Ok(_) => Verdict::Decisive,
            Err(_) => Verdict::Kept,
        };
        let mut outcome = self.run("first_ok", judge, body);
        match outcome.decisive.take() {
            Some(result) => result.map_err(|error| vec![error]),
            None => Err(outcome.in_order().filter_map(Result::err).collect()),
        }
    }

    /// What the calls have in common.
    fn run<'env, R, F>(self, name: &'static str, judge: fn(&R) -> Verdict, body: F) -> Outcome<R>
    where
        F: for<'scope> FnOnce(&'scope Members<'scope, 'env, R>),
    {
        let (stops, token) = Stops::with_token();
        let open = Open::new(Policy { name, limit: self.limit }, Some(stops));
        let members = Members::new(&open, Common::new(self.limit, judge, token));
        let common = &members.common;
        let ended = panic::catch_unwind(AssertUnwindSafe(|| common.token.run(|| body(&members))));
        if ended.is_err() {
            common.body_panicked();
        }
        common.wait_for_members(open.data());
        open.data().wait_for_all();
        let mut outcome = common.take_outcome();
        match ended.err().or(outcome.panic.take()) {
            Some(payload) => panic::resume_unwind(payload),
            None if open.data().has_panicked() => panic!("a member's result panicked on drop"),
            None => outcome,
        }
    }
}

/// What a group has come to.
struct Outcome<R> {
    /// Results that were kept, with the numbers of their members.
    kept: Vec<(usize, R)>,
    /// The result that decided it.
    decisive: Option<R>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<R> Default for Outcome<R> {
    fn default() -> Self {
        Outcome { kept: Vec::new(), decisive: None, panic: None }
    }
}

impl<R> Outcome<R> {
    fn in_order(mut self) -> impl Iterator<Item = R> {
        self.kept.sort_unstable_by_key(|(number, _)| *number);
        self.kept.into_iter().map(|(_, result)| result)
    }
}
