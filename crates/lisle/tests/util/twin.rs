//! The same scenario on an OS thread and on a coroutine.

use std::ffi::c_int;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use super::{LIMIT, child, is_child, test_name, threads, within, yield_until};

/// What a scenario saw.
pub(crate) type Lines = Vec<String>;

/// Starts the partner of a case: a coroutine beside a coroutine, a thread beside a thread.
pub(crate) fn aside<T: Send + 'static>(
    coroutine: bool,
    f: impl FnOnce() -> T + Send + 'static,
) -> Box<dyn FnOnce() -> T> {
    if coroutine {
        let handle = lisle::spawn(f);
        Box::new(|| handle.join().unwrap())
    } else {
        let handle = thread::spawn(f);
        Box::new(|| handle.join().unwrap())
    }
}

/// Runs a case on both and compares, in this process and in a child process with one worker.
pub(crate) fn twins<F: Fn(bool) -> Lines + Copy + Send + 'static>(case: F) {
    compare(case);
    if !is_child() {
        child(&test_name::<F>(), &[("LISLE_WORKERS", "1")]).expect_success();
    }
}

/// As [`twins`], but only in a child process with one worker: nobody else is there, and a coroutine
/// that sees what another did before a call knows that the call waits.
pub(crate) fn twins_alone<F: Fn(bool) -> Lines + Copy + Send + 'static>(case: F) {
    if is_child() {
        compare(case);
    } else {
        child(&test_name::<F>(), &[("LISLE_WORKERS", "1")]).expect_success();
    }
}

fn compare<F: Fn(bool) -> Lines + Copy + Send + 'static>(case: F) {
    within(&test_name::<F>(), LIMIT, || {
        let native = thread::spawn(move || case(false)).join().unwrap();
        let coroutine = lisle::spawn(move || case(true)).join().unwrap();
        assert_eq!(native, coroutine, "on a thread and on a coroutine");
    });
}

/// A call that waits, and the partner that does something meanwhile.
#[derive(Default)]
pub(crate) struct Call {
    /// The OS thread that is about to make it, if it does.
    thread: AtomicI32,
    returned: AtomicBool,
}

impl Call {
    /// Makes the call.
    pub(crate) fn make<R>(&self, call: impl FnOnce() -> R) -> R {
        // SAFETY: a plain call.
        self.thread.store(unsafe { libc::gettid() }, Ordering::Release);
        let result = call();
        self.returned.store(true, Ordering::Release);
        result
    }

    /// Waits until the call does. With [`twins_alone`].
    pub(crate) fn until_it_waits(&self, coroutine: bool) {
        yield_until(|| self.thread.load(Ordering::Acquire) != 0);
        if coroutine && !threads() {
            // It has suspended, or this one would not run. The kernel learns of its request before
            // a later one ends.
            let (ours, _theirs) = UnixStream::pair().unwrap();
            ours.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            assert!((&ours).read(&mut [0; 1]).is_err());
            return;
        }
        let number = self.thread.load(Ordering::Acquire);
        let path = format!("/proc/self/task/{number}/syscall");
        yield_until(|| {
            // A thread that runs has no number there.
            let text = std::fs::read_to_string(&path).unwrap();
            let call = text.split(' ').next().and_then(|word| word.parse().ok());
            call.is_some_and(|call| WAITING.contains(&call))
        });
    }

    /// Waits until the call has returned.
    pub(crate) fn until_it_returned(&self) {
        yield_until(|| self.returned.load(Ordering::Acquire));
    }
}

/// The calls that wait for a descriptor.
const WAITING: [libc::c_long; 8] = [
    libc::SYS_read,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_accept,
    libc::SYS_accept4,
];

/// What a call returned, with `errno` if it failed.
pub(crate) fn told(name: &str, result: isize) -> String {
    match result {
        -1 => format!("{name}: -1, {}", std::io::Error::last_os_error()),
        value => format!("{name}: {value}"),
    }
}

/// Gives the partner time to do what comes first. Nothing depends on it but that the interesting
/// case is the one that is met.
pub(crate) fn a_moment() {
    thread::sleep(Duration::from_millis(100));
}

pub(crate) fn recv(fd: c_int, len: usize, flags: c_int) -> (isize, Vec<u8>) {
    let mut buffer = vec![0_u8; len];
    // SAFETY: the buffer has that length.
    let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), len, flags) };
    buffer.truncate(usize::try_from(got).unwrap_or(0));
    (got, buffer)
}
