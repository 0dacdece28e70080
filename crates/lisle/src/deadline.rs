//! Time limits for whatever is called: [`deadline`], [`masked`], [`stopped`].
//!
//! No function of std has to know of them, and no argument is passed on: what the calling code is
//! under is known to the runtime, and every wait asks. See [`deadline`] for what a stop does to
//! each kind of call; that of a [`CancelToken`](crate::CancelToken) does the same by another error.

use std::time::{Duration, Instant};

use lisle_rt::Stop;

/// Runs `f`, in which waits end once `time` has passed.
///
/// `f` is not ended, and nothing is thrown: the call that waits, and each that would wait after
/// it, fails promptly with an error of the kind [`TimedOut`](std::io::ErrorKind::TimedOut). So
/// `f` returns as it does on any other error, by its own code.
///
/// ```
/// use std::io::{ErrorKind, Read};
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut silent = TcpStream::connect(listener.local_addr()?)?;
/// let asked = lisle::spawn(move || {
///     lisle::deadline(Duration::from_millis(10), || {
///         let mut text = String::new();
///         silent.read_to_string(&mut text).map(|_| text)
///     })
/// });
/// # if lisle::runtime::mode() == lisle::runtime::Mode::Threads { return Ok(()); }
/// assert_eq!(asked.join().unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Deadlines, tokens and masks nest: the nearest deadline rules. Coroutines of a
/// [`scope`](crate::scope()) or [`Group`](crate::Group) that is opened in `f` are under it, others
/// that are spawned in `f` are not.
///
/// # What it does to a call
///
/// On a coroutine:
///
/// | call | once a stop is due |
/// |---|---|
/// | reads, writes, `accept`, `connect`, `poll` and their kin | fail, also if they need not wait |
/// | those that have moved bytes already | return how many |
/// | reads and writes of regular files, `flush`, `open`, locks of files | fail, as above |
/// | waiting for a child, resolving names | fail, unless the answer is there |
/// | [`sleep`](crate::sleep), [`std::thread::sleep`] | return, as if the time had passed |
/// | [`park`](crate::park) | returns, as it may for no reason |
/// | [`JoinHandle::join`](crate::JoinHandle::join) | fails with a [`Stop`] as its payload |
/// | locks, `Barrier`, `mpsc` of std, joining its threads, [`std::thread::park`] | go on |
/// | `close`, removing and renaming files, other calls by path | are made |
/// | writes to the standard output and error | are made, since `println!` panics on errors |
/// | descriptors that the program set not to block | are left alone |
///
/// Results that the kernel has come to in time are returned, however late the coroutine runs. A
/// read that was stopped has taken nothing away: what comes later is there for the next one.
///
/// On OS threads outside of coroutines and in 1:1 mode, this crate's own waits are stopped
/// (`sleep`, `park`, `join` and the like), and calls of std are not.
pub fn deadline<T>(time: Duration, f: impl FnOnce() -> T) -> T {
    lisle_rt::deadline(time, f)
}

/// As [`deadline`], until a moment.
///
/// ```
/// use std::time::{Duration, Instant};
/// let soon = Instant::now() + Duration::from_millis(1);
/// let late = lisle::deadline_at(soon, || {
///     lisle::sleep(Duration::from_secs(3600));
///     lisle::stopped()
/// });
/// assert_eq!(late, Some(lisle::Stop::TimedOut));
/// ```
pub fn deadline_at<T>(moment: Instant, f: impl FnOnce() -> T) -> T {
    lisle_rt::deadline_at(moment, f)
}

/// Runs `f` shielded from the deadlines and tokens around it; those begun in `f` count.
///
/// For what must be done in any case, such as a word of farewell to the other end:
///
/// ```
/// use std::time::Duration;
/// lisle::deadline(Duration::ZERO, || {
///     assert!(lisle::stopped().is_some());
///     lisle::masked(|| {
///         assert!(lisle::stopped().is_none());
///         lisle::deadline(Duration::from_secs(5), || lisle::sleep(Duration::from_millis(1)));
///     });
/// });
/// ```
pub fn masked<T>(f: impl FnOnce() -> T) -> T {
    lisle_rt::masked(f)
}

/// Whether the caller is to stop what it does, and why: for loops that do not wait.
///
/// ```
/// use std::time::Duration;
/// let rounds = lisle::deadline(Duration::from_millis(2), || {
///     (0_u64..).take_while(|_| lisle::stopped().is_none()).count()
/// });
/// assert!(rounds > 0);
/// ```
pub fn stopped() -> Option<Stop> {
    lisle_rt::stopped()
}
