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
        what: "sleeping and yielding under other names",
        symbols: "__nanosleep pthread_yield __sched_yield",
        why: "aliases of hooked functions",
        remedy: "call the function of the usual name",
    },
    Unhooked {
        what: "sending to all threads",
        symbols: "setuid setgid setreuid setregid setresuid setresgid seteuid setegid setgroups",
        why: "waits until each OS thread has answered a signal, which is quick unless one is stuck \
              in the kernel. See \"Where a coroutine is not a thread\"",
        remedy: "none is needed as a rule",
    },
];
