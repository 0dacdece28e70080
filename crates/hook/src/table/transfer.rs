//! Hooks of calls on descriptors.

use super::{Family, Row};

pub(super) const BYTES: Family = Family {
    title: "Reading and writing",
    rows: &[
        Row {
            symbols: "read readv __read __read_chk",
            how: "sockets, pipes and the like: tried without blocking, then done by io_uring or \
                  waited for. Regular files and block devices: as `pread`. Directories and devices \
                  that are always ready: plain. `__read_chk`: after its check",
            differs: "terminals, inotify, signalfds: see \"Readiness first\". With io_uring a \
                      background process that reads its terminal gets `EIO` instead of `SIGTTIN`",
        },
        Row {
            symbols: "write writev __write",
            how: "sockets, pipes and the like: as `read`, until all is written. Regular files and \
                  block devices: as `pwrite`",
            differs: "as `read`",
        },
        Row {
            symbols: "pread pread64 __pread64 __pread_chk __pread64_chk preadv preadv64 preadv2 \
                      preadv64v2",
            how: "what is in the page cache at once (`RWF_NOWAIT`), the rest by io_uring or a hop. \
                  A hop at once: more than 256 KiB, `O_DIRECT`, file systems that do not know the \
                  flag. Files of `/proc`, `/sys`, tmpfs: in place while that is quick. Flags given \
                  to `preadv2`: a hop, or plain with `RWF_NOWAIT`. On other kinds of files: plain. \
                  Names with `_chk`: after their check",
            differs: "a read of which a part is cached consists of two: another reader at the same \
                      position, or a writer, may come in between. `O_DIRECT` is remembered until a \
                      hooked call changes flags",
        },
        Row {
            symbols: "pwrite pwrite64 __pwrite64 pwritev pwritev64 pwritev2 pwritev64v2",
            how: "in place while that is quick, see \"Quick calls\", else a hop; always as one \
                  call. A hop at once: more than 256 KiB, `O_DIRECT`, `O_SYNC`, `O_DSYNC`, flags \
                  given to `pwritev2` other than `RWF_NOWAIT`",
            differs: "`SIGXFSZ` may be raised on a spare carrier",
        },
        Row { symbols: "eventfd_read eventfd_write", how: "as `read`, `write`", differs: "" },
        Row {
            symbols: "splice",
            how: "plain with `SPLICE_F_NONBLOCK` if neither end can wait (pipes, and what is set \
                  not to block); else a hop",
            differs: "",
        },
        Row {
            symbols: "tee vmsplice",
            how: "plain with `SPLICE_F_NONBLOCK`; else a hop",
            differs: "",
        },
        Row {
            symbols: "sendfile sendfile64",
            how: "up to 256 KiB from a file to a socket that is set not to block: in place while \
                  that is quick; else a hop",
            differs: "",
        },
    ],
};

pub(super) const MESSAGES: Family = Family {
    title: "Sockets",
    rows: &[
        Row {
            symbols: "recv recvfrom recvmsg __recv_chk __recvfrom_chk",
            how: "tried with `MSG_DONTWAIT` unless the last one emptied the connection, then done \
                  by io_uring or waited for. `MSG_WAITALL`: repeated on streams; a hop for \
                  `recvmsg` and with `MSG_PEEK`. `MSG_DONTWAIT`, `MSG_ERRQUEUE`, `MSG_OOB`: plain. \
                  Names with `_chk`: after their check",
            differs: "`SO_RCVLOWAT`: may return with less",
        },
        Row {
            symbols: "recvmmsg",
            how: "tried with `MSG_DONTWAIT` as a batch, waited for in between. With a timeout or \
                  `MSG_WAITALL`: a hop. `MSG_DONTWAIT`, `MSG_ERRQUEUE`, `MSG_OOB`: plain",
            differs: "",
        },
        Row {
            symbols: "send sendto sendmsg __send",
            how: "tried with `MSG_DONTWAIT`, then done by io_uring or waited for, until all is \
                  sent on streams. Up to 16 KiB with `MSG_NOSIGNAL` on streams: done by io_uring \
                  at once, so that it suspends. Control data goes with the first part. \
                  `MSG_DONTWAIT`: plain. `MSG_FASTOPEN`, and Unix sockets of messages whose \
                  receiver is full: a hop",
            differs: "",
        },
        Row {
            symbols: "sendmmsg",
            how: "datagrams as a batch, tried with `MSG_DONTWAIT` and waited for; on streams, and \
                  on Unix sockets of messages, one by one as `sendmsg`. `MSG_DONTWAIT`: plain",
            differs: "",
        },
        Row {
            symbols: "accept accept4",
            how: "done by io_uring. With epoll: `poll`, then the call, by one coroutine at a time \
                  per listener, duplicates included. While OS threads accept from the same \
                  listener: a hop",
            differs: "with epoll, a listener that other *processes* accept on as well: the \
                      connection may be gone between the two, and the worker blocks until the next \
                      comes; others that accept from it then hop",
        },
        Row {
            symbols: "connect __connect",
            how: "done by io_uring for TCP; else a hop, unless `O_NONBLOCK` is set or nothing is \
                  waited for",
            differs: "hops: at most 512 at a time",
        },
        Row { symbols: "socket", how: "plain; what it makes is noted", differs: "" },
        Row {
            symbols: "setsockopt",
            how: "plain; what was known of settings is void",
            differs: "",
        },
    ],
};

pub(super) const READINESS: Family = Family {
    title: "Readiness",
    rows: &[
        Row {
            symbols: "poll ppoll __poll __poll_chk __ppoll_chk",
            how: "all descriptors waited for. With a signal mask, or where a descriptor cannot be \
                  waited for: a hop. Names with `_chk`: after their check",
            differs: "with epoll, a descriptor that is closed meanwhile ends the wait with \
                      `POLLNVAL`; on a thread it goes on",
        },
        Row {
            symbols: "epoll_wait epoll_pwait epoll_pwait2",
            how: "the instance is waited for as a descriptor. With a signal mask: a hop",
            differs: "if the instance is closed meanwhile: `EBADF`",
        },
        Row {
            symbols: "select pselect __select",
            how: "the kernel is asked with a timeout of zero, on copies of the sets; in between \
                  the descriptors are waited for. `select` writes back what is left of the \
                  timeout. With a signal mask, a set of exceptions that is not empty, a count \
                  above 1024, or a descriptor that cannot be waited for: a hop",
            differs: "",
        },
    ],
};

pub(super) const DESCRIPTORS: Family = Family {
    title: "Descriptors",
    rows: &[
        Row {
            symbols: "close close_range closedir dup dup2 dup3 __close __dup2",
            how: "coroutines that wait for the old file get a duplicate; then plain. `close` of a \
                  socket with `SO_LINGER`: a hop",
            differs: "the old file stays open, under a number above, until they are done; one that \
                      was woken already and has not run gets `EBADF`. `close_range`, `dup2` and \
                      `dup3` (`SO_LINGER`) may block the worker",
        },
        Row {
            symbols: "closefrom",
            how: "noted for each number that can be open, as `close` does; then plain",
            differs: "as `close`; sockets with `SO_LINGER` may block the worker",
        },
        Row {
            symbols: "fcntl fcntl64 __fcntl",
            how: "`F_SETLKW`, `F_OFD_SETLKW`: a hop. `F_SETFL`: plain; what was known of settings \
                  is void. `F_DUPFD`, `F_DUPFD_CLOEXEC`: plain, and noted. All others: plain",
            differs: "",
        },
        Row {
            symbols: "ioctl",
            how: "`TCSBRK`, `TCSBRKP`, `TCSETSW`, `TCSETSF`, `TIOCMIWAIT`, `FICLONE`, \
                  `FICLONERANGE`, `FIDEDUPERANGE`: a hop. All others: plain; after `FIONBIO` what \
                  was known of settings is void",
            differs: "requests of other drivers that wait block the worker",
        },
        Row {
            symbols: "tcdrain tcsendbreak tcsetattr tcflow",
            how: "a hop. Plain: `tcsetattr` with `TCSANOW`, `tcflow` with `TCOOFF` or `TCOON`",
            differs: "",
        },
        Row {
            symbols: "flock lockf lockf64",
            how: "a hop. Plain: `flock` with `LOCK_NB`, `lockf` other than `F_LOCK`",
            differs: "",
        },
    ],
};
