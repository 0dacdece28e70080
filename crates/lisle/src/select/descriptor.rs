//! Arms that wait for descriptors, and the waits of choices that have such arms.
//!
//! They wait in `poll`, which suspends a coroutine and holds an OS thread as it does for everybody.
//! Whoever ends the wait by another arm writes to a pipe that is polled too. That takes a few
//! system calls for each wait, which nobody pays who has no descriptor in a choice.
//!
//! Rejected: a wait that is in the poller's queues and in those of channels at once. It would save
//! the pipe, once for each poller and once for OS threads, in the part of the scheduler that is the
//! most delicate.

use std::fmt;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use lisle_rt::Stop;

use super::arm::Arm;
use super::run::Case;
use crate::channel::chan::Registered;
use crate::waiters::{Wait, Whom};

/// Waits until a descriptor can be read from, or written to.
pub struct DescriptorArm<'a> {
    descriptor: BorrowedFd<'a>,
    events: i16,
    outcome: Option<io::Result<()>>,
}

impl<'a> DescriptorArm<'a> {
    /// Until it can be read from without waiting.
    pub fn readable(descriptor: &'a impl AsFd) -> Self {
        Self::new(descriptor, libc::POLLIN)
    }

    /// Until it can be written to without waiting.
    pub fn writable(descriptor: &'a impl AsFd) -> Self {
        Self::new(descriptor, libc::POLLOUT)
    }

    fn new(descriptor: &'a impl AsFd, events: i16) -> Self {
        DescriptorArm { descriptor: descriptor.as_fd(), events, outcome: None }
    }

    /// What came of it, if it was chosen.
    pub fn outcome(&mut self) -> Option<io::Result<()>> {
        self.outcome.take()
    }

    /// Has it take part.
    pub fn case(&mut self) -> Case<'_> {
        Case(self)
    }
}

impl Arm for DescriptorArm<'_> {
    fn attempt(&mut self) -> bool {
        let mut polled = [entry(self.descriptor, self.events)];
        self.outcome = match poll(&mut polled, Some(Duration::ZERO)) {
            // Ends and errors count: the call that follows will tell.
            Ok(()) if polled[0].revents != 0 => Some(Ok(())),
            Ok(()) => None,
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            Err(error) => Some(Err(error)),
        };
        self.outcome.is_some()
    }

    fn descriptor(&self) -> Option<(BorrowedFd<'_>, i16)> {
        Some((self.descriptor, self.events))
    }

    unsafe fn register(&self, _: &Wait, _: usize) -> Registered {
        // `Bell::wait` waits for it.
        Registered::Waits
    }

    fn unregister(&self) {}

    fn claimed(&mut self) {
        unreachable!("nobody claims a wait for a descriptor");
    }

    fn fail(&mut self, error: &io::Error) -> bool {
        let again = error.raw_os_error().map(io::Error::from_raw_os_error);
        self.outcome = Some(Err(again.unwrap_or_else(|| error.kind().into())));
        true
    }

    fn stop(&mut self, stop: Stop) -> bool {
        self.fail(&match stop {
            Stop::TimedOut => ErrorKind::TimedOut.into(),
            Stop::Cancelled => io::Error::from_raw_os_error(libc::ECANCELED),
        })
    }

    fn renew(&mut self) -> bool {
        self.outcome = None;
        true
    }
}

fn entry(descriptor: BorrowedFd<'_>, events: i16) -> libc::pollfd {
    libc::pollfd { fd: descriptor.as_raw_fd(), events, revents: 0 }
}

/// `poll`, for at most `timeout`.
fn poll(entries: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    // Rounded up: whoever wakes too early looks again, and again.
    let millis = timeout.map_or(-1, |timeout| {
        i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    // SAFETY: the entries are valid for their number.
    let found = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, millis) };
    if found < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What partners ring to end a wait in `poll`.
pub(super) struct Bell(Arc<Ring>);

/// A pipe. Whoever rings late has its reading end too, so that it is never a broken one.
struct Ring {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        // Once for each pipe, so that there is room, and it does not fail.
        let _ = (&self.writer).write(&[0]);
    }
}

impl Bell {
    /// One if it is needed for these arms.
    pub(super) fn needed(arms: &[Case<'_>]) -> Option<io::Result<Self>> {
        arms.iter().any(|arm| arm.0.descriptor().is_some()).then(|| {
            let (reader, writer) = io::pipe()?;
            Ok(Bell(Arc::new(Ring { reader, writer })))
        })
    }

    /// Who rings it.
    pub(super) fn whom(&self) -> Whom {
        Whom::Task(Waker::from(Arc::clone(&self.0)))
    }

    /// What is to be polled for the arms.
    pub(super) fn entries(&self, arms: &[Case<'_>]) -> Vec<libc::pollfd> {
        let descriptors = arms.iter().filter_map(|arm| arm.0.descriptor());
        let bell = (self.0.reader.as_fd(), libc::POLLIN);
        descriptors.chain([bell]).map(|(descriptor, events)| entry(descriptor, events)).collect()
    }

    /// Waits until it is rung, or there is something in the entries, at most until the deadline.
    /// Whether it was so long.
    pub(super) fn wait(
        &self,
        entries: &mut [libc::pollfd],
        until: Option<Instant>,
    ) -> io::Result<bool> {
        poll(entries, until.map(|until| until.saturating_duration_since(Instant::now())))?;
        Ok(entries.iter().all(|entry| entry.revents == 0))
    }
}

impl fmt::Debug for DescriptorArm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DescriptorArm")
            .field("descriptor", &self.descriptor)
            .finish_non_exhaustive()
    }
}
