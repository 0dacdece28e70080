//! The beginning of a coroutine's name, for others to read.
//!
//! A name is the coroutine's own: only it may look there, since it may be gone at any moment. What
//! the monitor is to tell of a coroutine that runs elsewhere is copied to words in its header,
//! which is never freed. Who reads them while the next life begins reads a part of each name;
//! whoever minds compares the identity before and after.

use std::sync::atomic::{AtomicU64, Ordering};

const WORDS: usize = 3;
const BYTES: usize = WORDS * 8;

/// See the module. Zeroes follow the text, unless it fills all; a name may not contain any.
pub(crate) struct Label([AtomicU64; WORDS]);

impl Label {
    pub(crate) const fn new() -> Self {
        Label([const { AtomicU64::new(0) }; WORDS])
    }

    /// Called by the owner of the coroutine at the beginning of a life.
    #[inline]
    pub(crate) fn set(&self, name: Option<&str>) {
        match name {
            None => self.0[0].store(0, Ordering::Relaxed),
            Some(name) => self.copy(name),
        }
    }

    fn copy(&self, name: &str) {
        let mut bytes = [0_u8; BYTES];
        let len = (0..=name.len().min(BYTES)).rev().find(|&at| name.is_char_boundary(at));
        let len = len.unwrap_or(0);
        bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
        for (word, bytes) in self.0.iter().zip(bytes.chunks_exact(8)) {
            let value = bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
            word.store(value, Ordering::Relaxed);
        }
    }

    /// The text, given to `read`; none for a coroutine without a name.
    pub(crate) fn with<R>(&self, read: impl FnOnce(Option<&str>) -> R) -> R {
        let mut bytes = [0_u8; BYTES];
        for (word, bytes) in self.0.iter().zip(bytes.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(BYTES);
        let name = std::str::from_utf8(&bytes[..len]).unwrap_or("?");
        read((len > 0).then_some(name))
    }
}
