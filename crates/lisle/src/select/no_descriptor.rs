//! No descriptors to wait for: the null twin of `descriptor`, on platforms that have none.

use std::io;
use std::time::Instant;

use super::run::Case;
use crate::waiters::Whom;

/// What a wait for descriptors needs; never needed.
pub(super) enum Bell {}

impl Bell {
    pub(super) fn needed(_: &[Case<'_>]) -> Option<io::Result<Self>> {
        None
    }

    pub(super) fn whom(&self) -> Whom {
        match *self {}
    }

    pub(super) fn entries(&self, _: &[Case<'_>]) -> Vec<()> {
        match *self {}
    }

    pub(super) fn wait(&self, _: &mut [()], _: Option<Instant>) -> io::Result<bool> {
        match *self {}
    }
}
