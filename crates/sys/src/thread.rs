//! The calling OS thread.

use std::ffi::CStr;
use std::sync::atomic::{Ordering, fence};

use crate::{Errno, syscall};

/// Lets others run on this core.
pub fn yield_now() {
    // SAFETY: no arguments.
    let _ = unsafe { syscall(libc::SYS_sched_yield, [0; 6]) };
}

/// Asks for timers without the default slack of 50 microseconds, which dominates short sleeps.
pub fn precise_timers() {
    let args = [libc::PR_SET_TIMERSLACK as usize, 1, 0, 0, 0, 0];
    // SAFETY: sets a number of the calling thread. Refusal only costs precision.
    let _ = unsafe { syscall(libc::SYS_prctl, args) };
}

/// Names the calling OS thread; other programs show 15 bytes of it.
pub fn set_name(name: &CStr) {
    let args = [libc::PR_SET_NAME as usize, name.as_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel reads a live string.
    let _ = unsafe { syscall(libc::SYS_prctl, args) };
}

/// The kernel's number of the calling OS thread.
pub fn id() -> i32 {
    // SAFETY: no arguments; it has no errors.
    unsafe { syscall(libc::SYS_gettid, [0; 6]) }.map_or(0, |id| id as i32)
}

/// The process's number, which is that of its main thread.
pub fn process() -> i32 {
    // SAFETY: no arguments; it has no errors.
    unsafe { syscall(libc::SYS_getpid, [0; 6]) }.map_or(0, |id| id as i32)
}

/// The kernel's name of the calling OS thread; ends with NUL.
pub fn name() -> [u8; 16] {
    let mut name = [0; 16];
    let args = [libc::PR_GET_NAME as usize, name.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: a live place for that many bytes.
    let _ = unsafe { syscall(libc::SYS_prctl, args) };
    name
}

/// Lets this process use [`barrier`].
///
/// # Errors
/// `ENOSYS` before Linux 4.14.
pub fn allow_barriers() -> Result<(), Errno> {
    // SAFETY: notes the wish of this process.
    unsafe { syscall(libc::SYS_membarrier, [REGISTER_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0]) }.map(drop)
}

/// A full memory barrier on every processor that runs a thread of this process: what those have
/// written before, the caller sees, and what it has written, they see after.
pub fn barrier() {
    fence(Ordering::SeqCst);
    // SAFETY: no memory is named. Where it is refused, so was `allow_barriers`.
    let _ = unsafe { syscall(libc::SYS_membarrier, [PRIVATE_EXPEDITED, 0, 0, 0, 0, 0]) };
}

const PRIVATE_EXPEDITED: usize = 8;
const REGISTER_PRIVATE_EXPEDITED: usize = 16;

/// The processor time that a thread of this process has had, in nanoseconds; none if it does not
/// exist.
pub fn processor_time(thread: i32) -> Option<u64> {
    /// The clock of a single thread, and that which the scheduler keeps.
    const KIND: i32 = 4 | 2;
    let clock = (!thread << 3) | KIND;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let args = [clock as isize as usize, (&raw mut time) as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes to a live place. The C library's function would not do: it may be
    // the program's own.
    unsafe { syscall(libc::SYS_clock_gettime, args) }.ok()?;
    Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Whether a thread of this process waits in the kernel, as opposed to running or waiting for a
/// processor; none if that is not to be learned (`/proc` is missing, or no descriptor is left).
pub fn is_blocked(thread: i32) -> Option<bool> {
    // Number, name in brackets, state.
    let mut text = [0_u8; 64];
    let text = told(thread, b"/stat", &mut text)?;
    let end = text.iter().rposition(|&byte| byte == b')')?;
    text.get(end + 2).map(|state| matches!(state, b'S' | b'D'))
}

/// The stack pointer and the instruction pointer of a thread of this process that waits in the
/// kernel; none if it does not, or that is not to be learned.
pub fn place_of_call(thread: i32) -> Option<(usize, usize)> {
    // The call's number and arguments, then these two; a single word if the thread runs.
    let mut text = [0_u8; 256];
    let text = std::str::from_utf8(told(thread, b"/syscall", &mut text)?).ok()?;
    let mut words = text.trim_end().rsplit(' ');
    let mut next = || usize::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (instruction, stack) = (next()?, next()?);
    Some((stack, instruction))
}

/// The beginning of what the kernel tells of a thread in this file.
fn told<'a>(thread: i32, file: &[u8], text: &'a mut [u8]) -> Option<&'a [u8]> {
    let path = Path::of(thread, file);
    let fd = crate::fd::open_to_read(&path.0)?;
    let read = crate::fd::read_plain(fd, text);
    crate::fd::close(fd);
    Some(&text[..read?])
}

/// The path of what the kernel tells of a thread, made without an allocator.
struct Path([u8; 40]);

impl Path {
    fn of(thread: i32, file: &[u8]) -> Self {
        let mut path = Path([0; 40]);
        let mut digits = [0_u8; 10];
        let (mut rest, mut first) = (thread.unsigned_abs(), digits.len());
        while first == digits.len() || rest > 0 {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let parts = [&b"/proc/self/task/"[..], &digits[first..], file];
        let bytes = parts.into_iter().flatten();
        path.0.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_is_blocked_and_takes_no_time() {
        let (send, receive) = std::sync::mpsc::channel();
        let waits = std::thread::spawn(move || {
            send.send(id()).unwrap();
            std::thread::park();
        });
        let thread = receive.recv().unwrap();
        while is_blocked(thread) == Some(false) {
            yield_now();
        }
        assert_eq!(is_blocked(thread), Some(true));
        assert_eq!(is_blocked(id()), Some(false));
        assert!(place_of_call(thread).is_none_or(|(stack, _)| stack != 0));
        assert_eq!(place_of_call(1 << 23), None);
        let before = processor_time(id()).unwrap();
        while processor_time(id()).unwrap() == before {}
        let (theirs, begin) = (processor_time(thread), std::time::Instant::now());
        while begin.elapsed() < std::time::Duration::from_millis(5) {}
        assert_eq!(processor_time(thread), theirs);
        waits.thread().unpark();
        waits.join().unwrap();
        // Beyond the kernel's greatest number.
        assert_eq!((is_blocked(1 << 23), processor_time(1 << 23)), (None, None));
    }
}
