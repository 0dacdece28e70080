//! One value per cache line, so that writers of one do not slow the readers of its neighbour.
//!
//! ```text
//!   | head . . . . . . . . . . . . . | tail . . . . . . . . . . . . . |
//!   0                               128                              256
//! ```
//!
//! Lines are 64 bytes, but current x86 processors fetch them in pairs, hence 128.

/// A value with two cache lines to itself.
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);
