//! Stopping what others do: [`CancelToken`].

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use lisle_rt::{Stop, Token};

/// Cancels whatever runs under it, from anywhere. Clones are the same token.
///
/// What runs under a cancelled token is not ended: its waits are, and fail as those do whose
/// [`deadline`](crate::deadline()) has passed, with the error number `ECANCELED` (see
/// [`Stop::of`]). There stands what that means for each kind of call.
///
/// ```
/// use std::io::Read;
/// use lisle::{CancelToken, Stop};
///
/// let (mut reader, _writer) = std::io::pipe()?;
/// let token = CancelToken::new();
/// let reading = lisle::spawn({
///     let token = token.clone();
///     move || token.run(|| reader.read(&mut [0; 16]))
/// });
/// # if lisle::runtime::mode() == lisle::runtime::Mode::Threads { return Ok(()); }
/// token.cancel();
/// let error = reading.join().unwrap().unwrap_err();
/// assert_eq!(Stop::of(&error), Some(Stop::Cancelled));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct CancelToken(Token);

impl CancelToken {
    /// A token that nobody has cancelled.
    pub fn new() -> Self {
        CancelToken(Token::new())
    }

    /// A token that is cancelled with this one, for the same cause; cancelling it does nothing to
    /// this one. The child of a cancelled token is cancelled.
    ///
    /// ```
    /// let parent = lisle::CancelToken::new();
    /// let (one, other) = (parent.child(), parent.child());
    /// one.cancel();
    /// assert!(one.is_cancelled() && !other.is_cancelled() && !parent.is_cancelled());
    /// parent.cancel();
    /// assert!(other.is_cancelled());
    /// ```
    #[must_use]
    pub fn child(&self) -> Self {
        CancelToken(self.0.child())
    }

    /// Cancels it and all its children, and theirs. Returns whether this was the first time.
    ///
    /// Everything done before is visible to those who notice. Not to be called by signal handlers.
    pub fn cancel(&self) -> bool {
        self.0.cancel(None)
    }

    /// As [`cancel`](Self::cancel), and tells why.
    ///
    /// ```
    /// let token = lisle::CancelToken::new();
    /// assert!(token.cancel_because("the client has gone"));
    /// assert!(!token.cancel_because("too late"));
    /// assert_eq!(token.cause().unwrap().to_string(), "the client has gone");
    /// ```
    pub fn cancel_because(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> bool {
        self.0.cancel(Some(Arc::from(cause.into())))
    }

    pub(crate) fn inner(&self) -> &Token {
        &self.0
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// The cause that it was cancelled with, if it was told: the first one.
    pub fn cause(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        self.0.reason()
    }

    /// Runs `f`, and what it calls, under the token: its waits end once the token is cancelled, at
    /// once if it is already.
    ///
    /// Tokens and [deadlines](crate::deadline()) nest, and any of them may end a wait. Coroutines
    /// of a [`scope`](crate::scope()) that is opened in `f` are under it too; to what is spawned
    /// otherwise, give a clone or a [`child`](Self::child).
    ///
    /// ```
    /// let token = lisle::CancelToken::new();
    /// token.cancel();
    /// token.run(|| {
    ///     lisle::sleep(std::time::Duration::from_secs(3600));
    ///     assert_eq!(lisle::stopped(), Some(lisle::Stop::Cancelled));
    /// });
    /// ```
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        self.0.run(f)
    }

    /// Waits until the token is cancelled.
    ///
    /// # Errors
    /// The caller is itself to stop, by a deadline or another token.
    ///
    /// ```
    /// use std::time::Duration;
    /// let token = lisle::CancelToken::new();
    /// let waited = lisle::deadline(Duration::from_millis(1), || token.wait());
    /// assert_eq!(waited, Err(lisle::Stop::TimedOut));
    /// token.cancel();
    /// assert_eq!(token.wait(), Ok(()));
    /// ```
    pub fn wait(&self) -> Result<(), Stop> {
        self.0.wait()
    }

    /// The runtime's own form.
    #[allow(dead_code, reason = "for this crate's waits among which a cancellation is one")]
    pub(crate) fn token(&self) -> &Token {
        &self.0
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        CancelToken::new()
    }
}

/// Whether both are clones of one.
impl PartialEq for CancelToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(&other.0)
    }
}

impl Eq for CancelToken {}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("cancelled", &self.is_cancelled())
            .field("cause", &self.cause().map(|cause| cause.to_string()))
            .finish()
    }
}
