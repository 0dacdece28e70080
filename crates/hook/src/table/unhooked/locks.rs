//! Not hooked: C's locks and threads.

use crate::table::Unhooked;

pub(super) const LOCKS: &[Unhooked] = &[
    Unhooked {
        what: "changing the ceiling of a mutex",
        symbols: "pthread_mutex_setprioceiling",
        why: "locks the mutex inside of the C library",
        remedy: "change it while nobody has the mutex, or `lisle::blocking`",
    },
    Unhooked {
        what: "yielding under an old name",
        symbols: "pthread_yield",
        why: "an old name of `sched_yield`, to which headers of today lead",
        remedy: "`sched_yield`",
    },
    Unhooked {
        what: "sending to all threads",
        symbols: "setuid setgid setreuid setregid setresuid setresgid seteuid setegid setgroups",
        why: "waits until each OS thread has answered a signal, which is quick unless one is stuck \
              in the kernel. See \\\"Where a coroutine is not a thread\\\"",
        remedy: "none is needed as a rule",
    },
];
