//! Not hooked: other calls on descriptors.

use crate::table::Unhooked;

pub(super) const DESCRIPTORS: &[Unhooked] = &[
    Unhooked {
        what: "terminals",
        symbols: "vhangup",
        why: "waits for whoever uses the terminal",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "asynchronous I/O of POSIX",
        symbols: "aio_cancel aio_cancel64 aio_fsync aio_fsync64 aio_read aio_read64 aio_write \
                  aio_write64 aio_error aio_error64 aio_init",
        why: "queues, asks or cancels, under a lock of the C library that is held briefly; threads \
              of the C library do the rest",
        remedy: "none is needed",
    },
    Unhooked {
        what: "random numbers",
        symbols: "getrandom getentropy arc4random arc4random_buf arc4random_uniform",
        why: "waits while the kernel gathers its first entropy, soon after the machine has started",
        remedy: "none is needed later",
    },
];
