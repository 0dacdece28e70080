//! The file that the case `files` reads: made once per run, in the target directory, of real data.
//!
//! Not in `/tmp`, which may be memory, and not sparse: holes are read without a disk. A run that
//! ends removes it; one that was killed leaves it to the next.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{rivals, sys};

/// The size of the file.
pub(crate) const BYTES: u64 = 1 << 30;

/// What is read or written at once.
const CHUNK: usize = 1 << 20;

/// How the file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// From the page cache.
    Cached,
    /// Past it.
    Direct,
}

/// A block, aligned as `O_DIRECT` needs it.
#[repr(align(4096))]
struct Block([u8; 4096]);

impl Access {
    /// The flags of open(2) besides those for reading.
    pub(crate) fn flags(self) -> i32 {
        match self {
            Access::Cached => 0,
            Access::Direct => libc::O_DIRECT,
        }
    }

    /// Whether the file at `path` can be read this way.
    pub(crate) fn try_out(self, path: &Path) -> Result<(), String> {
        let mut block = Box::new(Block([0; 4096]));
        let file = OpenOptions::new().read(true).custom_flags(self.flags()).open(path);
        let read = file.and_then(|file| file.read_exact_at(&mut block.0, 4096));
        read.map_err(|error| format!("{self:?} reads of {} are refused: {error}", path.display()))
    }
}

/// Where the file is.
pub(crate) fn path() -> PathBuf {
    rivals::target_directory().join("lab-data")
}

/// Makes the file of `bytes`, unless it is there and whole.
pub(crate) fn ready(bytes: u64) -> Result<(), String> {
    let path = path();
    if is_whole(&path, bytes) {
        return Ok(());
    }
    let partial = path.with_extension("partial");
    let made = enough_space(&path, bytes)
        .and_then(|()| write(&partial, bytes))
        .and_then(|()| fs::rename(&partial, &path));
    if made.is_err() {
        // The reason is what counts; there may be nothing to remove.
        let _ = fs::remove_file(&partial);
    }
    made.map_err(|error| format!("{} of {bytes} bytes: {error}", path.display()))
}

/// Brings the file into the page cache.
pub(crate) fn warm() -> Result<(), String> {
    let path = path();
    let mut buffer = vec![0; CHUNK];
    let mut read = || {
        let mut file = File::open(&path)?;
        while file.read(&mut buffer)? > 0 {}
        Ok(())
    };
    read().map_err(|error: io::Error| format!("{}: {error}", path.display()))
}

/// Removes the file, if there is one.
pub(crate) fn remove() -> Result<(), String> {
    match fs::remove_file(path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {error}", path().display()))
        }
        _ => Ok(()),
    }
}

/// Whether all of the file is there, and on the disk.
fn is_whole(path: &Path, bytes: u64) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() == bytes && file.blocks() * 512 >= bytes)
}

fn enough_space(path: &Path, bytes: u64) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    match sys::free_space(folder)? {
        free if free < bytes => {
            Err(io::Error::new(io::ErrorKind::StorageFull, format!("only {free} are free there")))
        }
        _ => Ok(()),
    }
}

/// Writes numbers that do not repeat, so that no file system stores them as less.
fn write(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut chunk = vec![0; CHUNK];
    let (mut left, mut number) = (bytes, 1_u64);
    while left > 0 {
        for word in chunk.chunks_exact_mut(8) {
            // Xorshift.
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            word.copy_from_slice(&number.to_ne_bytes());
        }
        let length = left.min(CHUNK as u64);
        file.write_all(&chunk[..length as usize])?;
        left -= length;
    }
    // Or it would be written while others are measured.
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_written_whole() {
        let path = rivals::target_directory().join(format!("lab-data-{}", std::process::id()));
        let bytes = (1 << 20) + 4096;
        assert!(!is_whole(&path, bytes));
        write(&path, bytes).unwrap();
        assert!(is_whole(&path, bytes) && !is_whole(&path, bytes + 1));
        assert_eq!(Access::Cached.try_out(&path), Ok(()));
        fs::remove_file(&path).unwrap();
        assert!(Access::Cached.try_out(&path).is_err());
    }

    #[test]
    fn too_little_space_is_an_error() {
        let error = enough_space(&path(), u64::MAX).unwrap_err();
        assert!(error.to_string().contains("are free there"), "{error}");
    }
}
