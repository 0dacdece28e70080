//! All that a kernel's io_uring lacks, for those who are to mend it.

use super::map::Map;
use super::{CANCELLING, COOPERATION, FEATURES, SETUP, SETUP_CQSIZE, Uring, setup};
use crate::Errno;

/// What the kernel's io_uring lacks of what rings need here; nothing if [`Uring::new`] works.
///
/// # Errors
/// The kernel's answer to the attempt to make a ring.
pub fn lacking() -> Result<Vec<&'static str>, Errno> {
    const REQUESTS: u32 = 2;
    const ANSWERS: u32 = 4;
    let mut missing = Vec::new();
    let (fd, params) = match setup(REQUESTS, ANSWERS, SETUP) {
        Err(Errno::INVAL) => {
            missing.push(COOPERATION);
            setup(REQUESTS, ANSWERS, SETUP_CQSIZE)?
        }
        made => made?,
    };
    let absent = FEATURES.iter().filter(|(bit, _)| params.features & bit == 0);
    missing.extend(absent.map(|(_, name)| *name));
    let ring = match Map::new(fd, &params) {
        Ok(map) => Uring { fd, map },
        Err(errno) => {
            crate::fd::close(fd);
            return Err(errno);
        }
    };
    missing.extend(ring.unknown_operations());
    if !ring.cancels() {
        missing.push(CANCELLING);
    }
    Ok(missing)
}
