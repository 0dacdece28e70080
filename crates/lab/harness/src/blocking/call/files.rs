//! Calls on files that are in the page cache, and on C's streams with room in their buffers.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Seek};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::{self, NonNull};

use libc::{FILE, off_t};

use super::way::{Loop, Way, function, repeat};
use crate::Outcome;

type Pread = unsafe extern "C" fn(c_int, *mut c_void, usize, off_t) -> isize;
type Write = unsafe extern "C" fn(c_int, *const c_void, usize) -> isize;
type Stat = unsafe extern "C" fn(*const c_char, *mut libc::stat) -> c_int;
type Fputc = unsafe extern "C" fn(c_int, *mut FILE) -> c_int;
type Fwrite = unsafe extern "C" fn(*const c_void, usize, usize, *mut FILE) -> usize;

/// The size of what is read at once.
const BLOCK: usize = 4096;
/// A file in memory is written from its start again after so many calls.
const WRITES: u32 = 4096;
/// The size of a stream's buffer: much more often than not there is room.
const BUFFER: usize = 1 << 16;
/// A path that nobody is without.
const PATH: &CStr = c"/etc/passwd";

/// The start of this program's file is read.
pub(super) fn read_cached(way: Way) -> Outcome<Loop> {
    let pread = function!(way, libc::pread: Pread);
    let file = File::open("/proc/self/exe").map_err(|error| error.to_string())?;
    let mut block = vec![0_u8; BLOCK];
    repeat(move || {
        // SAFETY: the block is as long as that.
        unsafe { pread(file.as_raw_fd(), block.as_mut_ptr().cast(), BLOCK, 0) == BLOCK as isize }
    })
}

/// 64 bytes are written to a file in memory.
pub(super) fn write(way: Way) -> Outcome<Loop> {
    const LINE: [u8; 64] = [b'x'; 64];
    let write = function!(way, libc::write: Write);
    // SAFETY: the name ends with NUL.
    let fd = unsafe { libc::memfd_create(c"lisle-lab".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(format!("memfd_create: {}", io::Error::last_os_error()));
    }
    // SAFETY: just made, and nobody else's.
    let mut file = unsafe { File::from_raw_fd(fd) };
    let mut left = WRITES;
    repeat(move || {
        left -= 1;
        if left == 0 {
            left = WRITES;
            if file.rewind().is_err() {
                return false;
            }
        }
        // SAFETY: a live line.
        unsafe { write(file.as_raw_fd(), LINE.as_ptr().cast(), LINE.len()) == 64 }
    })
}

/// A file of a known path is asked about.
pub(super) fn stat(way: Way) -> Outcome<Loop> {
    let stat = function!(way, libc::stat: Stat);
    repeat(move || {
        let mut facts = MaybeUninit::uninit();
        // SAFETY: the path ends with NUL, and the place is live.
        unsafe { stat(PATH.as_ptr(), facts.as_mut_ptr()) == 0 }
    })
}

/// A stream that leads nowhere, with a large buffer.
struct Stream(NonNull<FILE>);

// SAFETY: streams lock themselves.
unsafe impl Send for Stream {}

impl Stream {
    fn new() -> Outcome<Self> {
        // SAFETY: both texts end with NUL.
        let stream = unsafe { libc::fopen(c"/dev/null".as_ptr(), c"w".as_ptr()) };
        let stream = Stream(NonNull::new(stream).ok_or("/dev/null cannot be opened")?);
        // SAFETY: a new stream; the buffer is its own.
        match unsafe { libc::setvbuf(stream.as_ptr(), ptr::null_mut(), libc::_IOFBF, BUFFER) } {
            0 => Ok(stream),
            _ => Err("setvbuf fails".to_owned()),
        }
    }

    fn as_ptr(&self) -> *mut FILE {
        self.0.as_ptr()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: opened, and not used any more.
        unsafe { libc::fclose(self.as_ptr()) };
    }
}

/// A byte is put into a stream.
pub(super) fn put_byte(way: Way) -> Outcome<Loop> {
    let fputc = function!(way, libc::fputc: Fputc);
    let stream = Stream::new()?;
    // SAFETY: an open stream.
    repeat(move || unsafe { fputc(c_int::from(b'x'), stream.as_ptr()) == c_int::from(b'x') })
}

/// 16 bytes are put into a stream.
pub(super) fn put_bytes(way: Way) -> Outcome<Loop> {
    const BYTES: [u8; 16] = [b'x'; 16];
    let fwrite = function!(way, libc::fwrite: Fwrite);
    let stream = Stream::new()?;
    repeat(move || {
        // SAFETY: live bytes and an open stream.
        unsafe { fwrite(BYTES.as_ptr().cast(), 1, BYTES.len(), stream.as_ptr()) == BYTES.len() }
    })
}
