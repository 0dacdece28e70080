//! Files for tests, and what the C library says about them.

use std::ffi::{CStr, CString, c_int};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::twin::{Lines, told};

/// A folder of the test's own, gone at its end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str, coroutine: bool) -> Self {
        let own = format!("lisle-files-{}-{name}-{coroutine}", std::process::id());
        let path = std::env::temp_dir().join(own);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path as C wants it.
    pub(crate) fn c(&self, name: &str) -> CString {
        c_path(&self.at(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

/// Bytes that tell their place.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

pub(crate) fn open(path: &CStr, flags: c_int) -> c_int {
    // SAFETY: a C string.
    unsafe { libc::open(path.as_ptr(), flags, 0o640) }
}

/// What opening says, without the number, which depends on what else is open.
pub(crate) fn opening(name: &str, path: &CStr, flags: c_int) -> String {
    let fd = open(path, flags);
    let line = told(name, fd.min(0) as isize);
    if fd >= 0 {
        // SAFETY: opened above.
        unsafe { libc::close(fd) };
    }
    line
}

/// Drops the file's pages from the cache, so that reading has to wait for the disk.
pub(crate) fn evict(file: &File) {
    file.sync_all().unwrap();
    let fd = file.as_raw_fd();
    // SAFETY: plain calls on an open file. Advice: nothing depends on it.
    unsafe {
        libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_DONTNEED);
        // No reading ahead, so that parts of it can be cached.
        libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_RANDOM);
    }
}

pub(crate) fn part(place: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() }
}

/// Reads `len` bytes at `offset` and compares with the pattern.
pub(crate) fn pread(fd: c_int, data: &[u8], len: usize, offset: i64) -> String {
    let mut place = vec![0_u8; len];
    // SAFETY: the place has that length.
    let got = unsafe { libc::pread(fd, place.as_mut_ptr().cast(), len, offset) };
    let line = told("pread", got);
    let whole = usize::try_from(got).map_or(true, |got| {
        let from = (offset as usize).min(data.len());
        place[..got] == data[from..from + got]
    });
    format!("{line} {whole}")
}

/// What a case says natively and on a coroutine, in a process whose limits it may change.
pub(crate) fn twins_of_a_child<F: Fn(bool) -> Lines + Copy + Send + 'static>(case: F) {
    let native = std::thread::spawn(move || case(false)).join().unwrap();
    let coroutine = lisle::spawn(move || case(true)).join().unwrap();
    assert_eq!(native, coroutine, "on a thread and on a coroutine");
}

pub(crate) fn limit(resource: libc::__rlimit_resource_t, value: u64) {
    // SAFETY: live places.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        assert_eq!(libc::getrlimit(resource, &raw mut limit), 0);
        limit.rlim_cur = value;
        assert_eq!(libc::setrlimit(resource, &raw const limit), 0);
    }
}
