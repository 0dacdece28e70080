//! Not hooked: other calls on descriptors.

use crate::table::Unhooked;

pub(super) const DESCRIPTORS: &[Unhooked] = &[
    Unhooked {
        what: "messages in batches",
        symbols: "sendmmsg recvmmsg",
        why: "waits for a socket in the kernel",
        remedy: "`sendmsg`, `recvmsg`, or `MSG_DONTWAIT` after `poll`",
    },
    Unhooked {
        what: "events with nanoseconds",
        symbols: "epoll_pwait2",
        why: "waits in the kernel",
        remedy: "`epoll_wait`",
    },
    Unhooked {
        what: "pipes",
        symbols: "tee vmsplice",
        why: "waits for a pipe in the kernel",
        remedy: "`poll` first, or `lisle::blocking`",
    },
    Unhooked {
        what: "counters",
        symbols: "eventfd_read eventfd_write",
        why: "reads and writes inside of the C library",
        remedy: "`read`, `write`",
    },
    Unhooked {
        what: "other names of hooked calls",
        symbols: "__read __write __pread64 __pwrite64 __open __open64 __close __connect __send \
                  __poll __select __fcntl __dup2 __statfs __vfork __xmknod __xmknodat __fxstat \
                  __fxstat64 getdirentries getdirentries64 futimesat",
        why: "aliases of hooked functions, for libraries of the C library's own family and for old \
              programs",
        remedy: "call the function of the usual name",
    },
    Unhooked {
        what: "fortified forms",
        symbols: "__read_chk __pread_chk __pread64_chk __readlink_chk __readlinkat_chk __recv_chk \
                  __recvfrom_chk __poll_chk __ppoll_chk",
        why: "checks the size of the buffer, then calls the kernel without passing through the \
              hook. C compiled with `_FORTIFY_SOURCE` calls these",
        remedy: "`lisle::blocking`, or compile without",
    },
    Unhooked {
        what: "locks on parts of files",
        symbols: "lockf lockf64",
        why: "waits in the kernel",
        remedy: "`fcntl` with `F_SETLKW`, or `lisle::blocking`",
    },
    Unhooked {
        what: "terminals",
        symbols: "tcdrain tcsendbreak tcsetattr tcflow vhangup",
        why: "waits until the terminal has sent what was written",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "closing many",
        symbols: "closefrom",
        why: "closes behind the back of coroutines that wait, see \"Descriptors closed unseen\", \
              and may wait as `close` does",
        remedy: "`close_range`",
    },
    Unhooked {
        what: "message queues",
        symbols: "mq_open __mq_open_2 mq_send mq_timedsend mq_receive mq_timedreceive msgsnd \
                  msgrcv",
        why: "waits in the kernel",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "semaphores of System V",
        symbols: "semop semtimedop",
        why: "waits in the kernel",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "asynchronous I/O of POSIX",
        symbols: "aio_suspend aio_suspend64 aio_cancel aio_cancel64 aio_fsync aio_fsync64 aio_read \
                  aio_read64 aio_write aio_write64 aio_error aio_error64 lio_listio lio_listio64 \
                  aio_init",
        why: "`aio_suspend` and `lio_listio` wait in a futex inside of the C library; the others \
              take its lock",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "signals",
        symbols: "sigwait sigwaitinfo sigtimedwait sigsuspend __sigsuspend sigpause __sigpause \
                  __xpg_sigpause pause",
        why: "waits in the kernel for a signal to the OS thread",
        remedy: "`lisle::pin_to_os_thread`",
    },
    Unhooked {
        what: "random numbers",
        symbols: "getrandom getentropy arc4random arc4random_buf arc4random_uniform",
        why: "waits while the kernel gathers its first entropy, soon after the machine has started",
        remedy: "none is needed later",
    },
    Unhooked {
        what: "the kernel's log",
        symbols: "klogctl",
        why: "waits for a message, if asked to read one",
        remedy: "`poll` and `read` of `/dev/kmsg`",
    },
];
