//! Hooks of calls that wait for time, threads, children, servers.

use super::{Family, Row};

pub(super) const TIME: Family = Family {
    title: "Time",
    rows: &[
        Row {
            symbols: "sleep usleep nanosleep clock_nanosleep thrd_sleep __nanosleep",
            how: "a timer. Clocks other than monotonic, real time and boot time: a hop",
            differs: "until an absolute time of a clock that is set \
                      meanwhile: up to a second late. Relative sleeps do not count suspension of \
                      the machine",
        },
        Row {
            symbols: "sched_yield thrd_yield __sched_yield",
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
            how: "a coroutine made by `pthread_create` (under `lisle run`): waited for in the lot, \
                  by OS threads as well. An OS thread: tried, then a hop",
            differs: "joining the `pthread_self` of a coroutine made otherwise never ends",
        },
        Row {
            symbols: "pthread_tryjoin_np pthread_detach thrd_detach pthread_exit thrd_exit \
                      pthread_getattr_np pthread_setname_np pthread_getname_np",
            how: "of coroutines made by `pthread_create`: in place; of others plain",
            differs: "the stack's size is rounded up to a power of two, the guard is one page; a \
                      stack given by the program has no guard of ours. A name shows in the program \
                      alone",
        },
        Row {
            symbols: "gettid tgkill prctl",
            how: "on coroutines made by `pthread_create`: an id of the coroutine's own, signals to \
                  such ids, and the coroutine's name; else plain",
            differs: "the kernel does not know the id: it is not in `/proc/self/task`",
        },
        Row {
            symbols: "pthread_setschedparam pthread_setschedprio pthread_getschedparam \
                      pthread_setaffinity_np pthread_getaffinity_np sched_setscheduler \
                      sched_getscheduler sched_setparam sched_getparam sched_setaffinity \
                      sched_getaffinity",
            how: "of coroutines made by `pthread_create`: noted, and told when asked; else plain",
            differs: "advice: nothing comes of it, and no right is needed",
        },
        Row {
            symbols: "pthread_getcpuclockid",
            how: "of coroutines made by `pthread_create`: `ENOENT`; else plain",
            differs: "coroutines have no clock of their CPU time; `CLOCK_THREAD_CPUTIME_ID` is \
                      that of the OS thread below",
        },
        Row {
            symbols: "pthread_cancel pthread_setcancelstate",
            how: "of a coroutine: noted, and its wait is ended, if it does not refuse",
            differs: "always deferred; calls that wait on a spare carrier end first",
        },
        Row {
            symbols: "syscall",
            how: "`SYS_futex`, private words: wait and wake, with and without bitset, in the lot \
                  and in the kernel both. Requeue, wake-op: coroutines are woken instead of moved. \
                  Words shared between processes, priority inheritance, `SYS_futex_waitv`: a hop. \
                  Numbers of calls whose function does no more than the bare call: as the \
                  function. Numbers of calls that always hop, `SYS_openat2`, and calls that differ \
                  from their function (`SYS_ppoll` and `SYS_pselect6` with a timeout or a mask, \
                  `SYS_epoll_pwait` and `SYS_epoll_pwait2` with a mask, `SYS_waitid` with a place \
                  for usage): a hop. `SYS_fcntl`: as `fcntl` for its commands named above. All \
                  other numbers: plain",
            differs: "a real-time deadline is converted when the wait \
                      begins",
        },
    ],
};

pub(super) const CHILDREN: Family = Family {
    title: "Children",
    rows: &[
        Row {
            symbols: "waitpid wait4 waitid __waitpid",
            how: "one child: its pidfd is waited for, then the plain call. Any child, a group, \
                  stops and continuations: a hop. `WNOHANG`: plain",
            differs: "stops of a traced process are not seen. `P_PIDFD` with a pidfd set not to \
                      block: waits",
        },
        Row {
            symbols: "wait __wait wait3",
            how: "a hop; `wait3` with `WNOHANG`: plain",
            differs: "",
        },
        Row {
            symbols: "execv execve execvp execvpe execl execle execlp execveat fexecve",
            how: "the plain call, while nobody is preempted: a signal on its way would end the new \
                  program. Under `lisle run` the new program is, too",
            differs: "",
        },
        Row {
            symbols: "vfork __vfork",
            how: "`fork`: the child would run the hooks on the parent's memory",
            differs: "the child has a copy",
        },
    ],
};
