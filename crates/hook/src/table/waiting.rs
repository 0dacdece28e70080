//! Hooks of calls that wait for time, threads, children, servers.

use super::{Family, Row};

pub(super) const TIME: Family = Family {
    title: "Time",
    rows: &[
        Row {
            symbols: "sleep usleep nanosleep clock_nanosleep thrd_sleep",
            how: "a timer. Clocks other than monotonic, real time and boot time: a hop",
            differs: "no `EINTR`; `sleep` returns 0. Until an absolute time of a clock that is set \
                      meanwhile: up to a second late. Relative sleeps do not count suspension of \
                      the machine",
        },
        Row {
            symbols: "sched_yield thrd_yield",
            how: "another coroutine first",
            differs: "returns at once if none is ready here",
        },
    ],
};

pub(super) const THREADS: Family = Family {
    title: "Threads",
    rows: &[
        Row {
            symbols: "pthread_join pthread_timedjoin_np pthread_clockjoin_np thrd_join",
            how: "tried, then a hop",
            differs: "joining a coroutine's `pthread_self` never ends",
        },
        Row {
            symbols: "syscall",
            how: "`SYS_futex`, private words: wait and wake, with and without bitset, in the lot \
                  and in the kernel both. Requeue, wake-op: coroutines are woken instead of moved. \
                  Words shared between processes, priority inheritance: a hop. `SYS_close`, \
                  `SYS_sched_yield`: as `close`, `sched_yield`. All other numbers: plain",
            differs: "no `EINTR`. A real-time deadline is converted when the wait begins",
        },
    ],
};

pub(super) const CHILDREN: Family = Family {
    title: "Children",
    rows: &[
        Row {
            symbols: "waitpid wait4 waitid",
            how: "one child: its pidfd is waited for, then the plain call. Any child, a group, \
                  stops and continuations: a hop. `WNOHANG`: plain",
            differs: "stops of a traced process are not seen. `P_PIDFD` with a pidfd set not to \
                      block: waits",
        },
        Row { symbols: "wait", how: "a hop", differs: "" },
        Row {
            symbols: "vfork",
            how: "`fork`: the child would run the hooks on the parent's memory",
            differs: "the child has a copy",
        },
    ],
};

pub(super) const NAMES: Family = Family {
    title: "Names of hosts",
    rows: &[Row { symbols: "getaddrinfo getnameinfo gethostbyname", how: "a hop", differs: "" }],
};
