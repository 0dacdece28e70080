//! Where a call on a stream runs.

use std::ffi::{c_char, c_int};

use libc::{FILE, size_t};
use lisle_rt::descriptor::Descriptor;
use lisle_sys::fd as sys;

use crate::facts::{self, Kind};
use crate::gate::{Gate, Trial};
use crate::turnstile;

/// Bytes that a pipe has room for if it is ready.
pub(super) const AT_ONCE: usize = libc::PIPE_BUF;
/// Bytes that are copied in place at most.
const LARGE: usize = 256 << 10;
/// The most bytes of a wide character.
pub(super) const WIDEST: usize = 16;

/// Flags of a stream.
pub(super) const UNBUFFERED: c_int = 0x2;
const NO_READS: c_int = 0x4;
const NO_WRITES: c_int = 0x8;
const EOF_SEEN: c_int = 0x10;
pub(super) const LINE_BUFFERED: c_int = 0x200;
pub(super) const PUTTING: c_int = 0x800;
const OF_FILE: c_int = 0x2000;
const LOCKED_BY_CALLER: c_int = 0x8000;

/// Output to files.
static WRITES: Gate = Gate::new();
/// Input from files, and seeking, which may read.
static READS: Gate = Gate::new();

/// The public part of a stream.
#[repr(C)]
struct Layout {
    flags: c_int,
    read_ptr: *mut u8,
    read_end: *mut u8,
    read_base: *mut u8,
    write_base: *mut u8,
    write_ptr: *mut u8,
    write_end: *mut u8,
    buf_base: *mut u8,
    buf_end: *mut u8,
    save_base: *mut u8,
    backup_base: *mut u8,
    save_end: *mut u8,
    markers: *mut u8,
    chain: *mut FILE,
    fileno: c_int,
    flags2: c_int,
    old_offset: libc::off_t,
    column: u16,
    vtable_offset: i8,
    short_buffer: [c_char; 1],
    lock: *mut u8,
    offset: i64,
    codecvt: *mut u8,
    wide_data: *mut u8,
    freeres_list: *mut FILE,
    freeres_buf: *mut u8,
    pad: size_t,
    /// Negative: of bytes. Positive: of wide characters. Else not yet decided.
    mode: c_int,
}

unsafe extern "C-unwind" {
    fn ftrylockfile(stream: *mut FILE) -> c_int;
    fn funlockfile(stream: *mut FILE);
    fn __fpending(stream: *mut FILE) -> size_t;
    fn __fbufsize(stream: *mut FILE) -> size_t;
}

/// An open stream whose lock is held, or whose caller sees to that.
#[derive(Clone, Copy)]
pub(super) struct Stream(*mut FILE);

impl Stream {
    fn get(self) -> *const Layout {
        self.0.cast()
    }

    pub(super) fn has(self, flags: c_int) -> bool {
        // SAFETY: an open stream, in all of these.
        unsafe { (*self.get()).flags & flags != 0 }
    }

    fn mode(self) -> c_int {
        // SAFETY: as above.
        unsafe { (*self.get()).mode }
    }

    pub(super) fn is_wide(self) -> bool {
        self.mode() > 0
    }

    pub(super) fn is_of_bytes(self) -> bool {
        self.mode() < 0
    }

    /// What was read and not yet taken.
    pub(super) fn available(&self) -> &[u8] {
        // SAFETY: as above. The two pointers delimit a part of the buffer, or both are null.
        unsafe {
            let (from, end) = ((*self.get()).read_ptr, (*self.get()).read_end);
            if from.is_null() || end <= from {
                return &[];
            }
            std::slice::from_raw_parts(from, end.offset_from_unsigned(from))
        }
    }

    /// Whether a call that reads finds the end, which it does not look for twice.
    pub(super) fn is_at_end(self) -> bool {
        self.has(EOF_SEEN)
    }

    /// Bytes that fit the buffer of a stream that is being written to, and is not flushed before
    /// that is full.
    pub(super) fn room(self) -> usize {
        if self.is_wide() || !self.has(PUTTING) || self.has(UNBUFFERED | LINE_BUFFERED) {
            return 0;
        }
        // SAFETY: as above.
        unsafe {
            ((*self.get()).write_end as usize).saturating_sub((*self.get()).write_ptr as usize)
        }
    }

    /// Bytes that fit the buffer of a stream that is being written to and is flushed at the end of
    /// a line, if they have none.
    pub(super) fn room_in_line(self) -> usize {
        if self.is_wide() || !self.has(PUTTING) || !self.has(LINE_BUFFERED) {
            return 0;
        }
        // SAFETY: as above.
        unsafe { ((*self.get()).buf_end as usize).saturating_sub((*self.get()).write_ptr as usize) }
    }

    /// Wide characters that fit the buffer, as [`room`](Self::room).
    pub(super) fn room_wide(self) -> usize {
        if !self.is_wide() || !self.has(PUTTING) || self.has(UNBUFFERED | LINE_BUFFERED) {
            return 0;
        }
        // SAFETY: as above.
        unsafe { __fbufsize(self.0).saturating_sub(__fpending(self.0)) }
    }

    /// Bytes at most that wait in the buffer to be written.
    pub(super) fn pending(self) -> usize {
        if !self.has(PUTTING) {
            return 0;
        }
        // SAFETY: as above.
        unsafe {
            let (base, end) = ((*self.get()).write_base, (*self.get()).write_ptr);
            let bytes = (end as usize).saturating_sub(base as usize);
            if self.is_wide() { bytes + __fpending(self.0) * WIDEST } else { bytes }
        }
    }

    /// The descriptor. None of a stream in memory or of a cookie.
    pub(super) fn number(self) -> Option<c_int> {
        // SAFETY: as above.
        let fd = unsafe { (*self.get()).fileno };
        (self.has(OF_FILE) && fd >= 0).then_some(fd)
    }
}

/// What a call may have to wait for.
pub(super) enum Need {
    /// Nothing: it works on the buffer, or fails.
    Nothing,
    /// Up to so many bytes to be read.
    Read(usize),
    /// What is in the buffer to be written, and up to so many bytes more.
    Write(usize),
    /// The same, and nobody knows how many more.
    WriteSome,
    /// The end of the file, or a part of it.
    Seek,
}

/// Who holds the stream's lock during a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// The call takes it.
    Taken,
    /// The call leaves that to its caller.
    Left,
}

/// The lock, if the call takes it.
struct Held(Option<*mut FILE>);

impl Held {
    /// None if somebody else has it.
    #[inline]
    fn take(stream: *mut FILE, lock: Lock) -> Option<Self> {
        if lock == Lock::Left || Stream(stream).has(LOCKED_BY_CALLER) {
            return Some(Held(None));
        }
        // SAFETY: an open stream, by the caller's obligation.
        (unsafe { ftrylockfile(stream) } == 0).then(|| Held(Some(stream)))
    }
}

impl Held {
    /// Whether the caller had the lock before, so that the call waits for nobody who has it.
    fn was_had(&self) -> bool {
        /// The C library's lock of streams: the word, how often its owner has it, the owner.
        const DEPTH: usize = 4;
        self.0.is_none_or(|stream| {
            // SAFETY: an open stream, whose lock is held.
            unsafe { *(*Stream(stream).get()).lock.add(DEPTH).cast::<c_int>() > 1 }
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(stream) = self.0 {
            // SAFETY: locked by `take`.
            unsafe { funlockfile(stream) };
        }
    }
}

/// Where a call runs.
pub(super) enum Way {
    Here(#[allow(dead_code, reason = "ends when it is dropped")] Option<Trial<'static>>),
    Elsewhere,
}

/// Runs `call`, whose need is told by the stream's state.
///
/// # Safety
/// An open stream, or null; if the lock is left to the caller, nobody else uses it.
#[inline]
pub(super) unsafe fn run<R>(
    stream: *mut FILE,
    lock: Lock,
    need: impl FnOnce(Stream) -> Need,
    call: impl FnOnce() -> R,
) -> R {
    // SAFETY: the caller's obligation.
    unsafe {
        run_by(
            stream,
            lock,
            |stream| match need(stream) {
                Need::Nothing => Way::Here(None),
                need => way(stream, &need),
            },
            call,
        )
    }
}

/// As [`run`], with a function that decides.
///
/// # Safety
/// As for [`run`].
#[inline]
pub(super) unsafe fn run_by<R>(
    stream: *mut FILE,
    lock: Lock,
    decide: impl FnOnce(Stream) -> Way,
    call: impl FnOnce() -> R,
) -> R {
    if !lisle_rt::can_suspend() || stream.is_null() {
        return call();
    }
    if let Some(held) = Held::take(stream, lock) {
        if let Way::Here(_trial) = decide(Stream(stream)) {
            return call();
        }
        if held.was_had() {
            return lisle_rt::blocking(call);
        }
    }
    turnstile::one_at_a_time(stream as usize, call)
}

/// Decides for a call that ends the stream, which cannot be unlocked afterwards.
pub(super) fn way_to_end(stream: *mut FILE) -> Way {
    let Some(_held) = Held::take(stream, Lock::Taken) else { return Way::Elsewhere };
    let stream = Stream(stream);
    let Some(fd) = stream.number() else { return Way::Here(None) };
    let is_file = Descriptor::new(fd).is_some_and(|d| facts::kind(fd, &d) == Kind::File);
    match stream.pending() {
        _ if !is_file => Way::Elsewhere,
        0 => Way::Here(None),
        _ => way(stream, &Need::Write(0)),
    }
}

#[cold]
fn way(stream: Stream, need: &Need) -> Way {
    let Some(fd) = stream.number() else { return Way::Here(None) };
    match *need {
        Need::Nothing => Way::Here(None),
        // It fails at once.
        Need::Read(_) if stream.has(NO_READS) => Way::Here(None),
        Need::Write(_) | Need::WriteSome if stream.has(NO_WRITES) => Way::Here(None),
        // It flushes the standard output first, whatever that is.
        Need::Read(_) if stream.has(UNBUFFERED | LINE_BUFFERED) => Way::Elsewhere,
        Need::Read(bytes) => of_descriptor(fd, &READS, bytes, None),
        Need::Seek if stream.pending() == 0 => of_descriptor(fd, &READS, 0, Some(0)),
        Need::Seek => of_descriptor(fd, &WRITES, 0, Some(stream.pending())),
        Need::WriteSome => of_descriptor(fd, &WRITES, 0, None),
        Need::Write(bytes) => {
            let due = stream.pending().saturating_add(bytes);
            of_descriptor(fd, &WRITES, due, Some(due))
        }
    }
}

/// Decides for output of so many bytes on a descriptor.
pub(super) fn way_of_output(fd: c_int, due: usize) -> Way {
    of_descriptor(fd, &WRITES, due, Some(due))
}

/// Whether the descriptor is a file's, and what its gate says of output.
pub(super) fn way_of_file_output(fd: c_int) -> Option<Way> {
    let descriptor = Descriptor::new(fd)?;
    matches!(facts::kind(fd, &descriptor), Kind::File | Kind::Plain)
        .then(|| of_descriptor(fd, &WRITES, 0, Some(0)))
}

/// `bytes` are copied; `due` are written at most, if they are written and not read.
fn of_descriptor(fd: c_int, gate: &'static Gate, bytes: usize, due: Option<usize>) -> Way {
    let Some(descriptor) = Descriptor::new(fd) else { return Way::Elsewhere };
    let way = |here| if here { Way::Here(None) } else { Way::Elsewhere };
    match facts::kind(fd, &descriptor) {
        Kind::Plain => Way::Here(None),
        Kind::File if bytes > LARGE || facts::writes_through(fd, &descriptor) => Way::Elsewhere,
        Kind::File => match gate.begin() {
            Some(trial) => Way::Here(Some(trial)),
            None => Way::Elsewhere,
        },
        _ if due == Some(0) || facts::is_nonblocking(fd, &descriptor) => Way::Here(None),
        _ if is_memory_device(fd) => {
            facts::set_kind(&descriptor, Kind::Plain);
            Way::Here(None)
        }
        _ => way(due.is_some_and(|due| {
            due <= AT_ONCE && sys::ready_now(fd, libc::POLLOUT) & libc::POLLOUT != 0
        })),
    }
}

/// Whether it is `/dev/null` or its like, which takes and gives everything at once.
fn is_memory_device(fd: c_int) -> bool {
    const MEMORY_DEVICES: u32 = 1;
    sys::status(fd).is_ok_and(|stat| {
        stat.st_mode & libc::S_IFMT == libc::S_IFCHR && libc::major(stat.st_rdev) == MEMORY_DEVICES
    })
}

/// Restores `errno` at its end.
pub(super) struct KeepErrno(c_int);

impl KeepErrno {
    pub(super) fn new() -> Self {
        // SAFETY: every thread has one, and so has every coroutine.
        KeepErrno(unsafe { *libc::__errno_location() })
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

/// The standard streams, whichever they are now.
pub(super) mod standard {
    use libc::FILE;

    unsafe extern "C" {
        #[link_name = "stdin"]
        static mut STDIN: *mut FILE;
        #[link_name = "stdout"]
        static mut STDOUT: *mut FILE;
        #[link_name = "stderr"]
        static mut STDERR: *mut FILE;
    }

    pub(in super::super) fn input() -> *mut FILE {
        // SAFETY: a word that programs may change, as they do for the original.
        unsafe { STDIN }
    }

    pub(in super::super) fn output() -> *mut FILE {
        // SAFETY: as above.
        unsafe { STDOUT }
    }

    pub(in super::super) fn errors() -> *mut FILE {
        // SAFETY: as above.
        unsafe { STDERR }
    }
}
