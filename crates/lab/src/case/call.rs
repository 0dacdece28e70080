//! Calls that do not have to wait: what Lisle's hooks add to the C library's functions.
//!
//! A variant is a family of calls. Its harness program has the C library's own function as a
//! figure of its own, so there is nothing to compare other systems by.

use super::{Case, Scale, Variant};

pub(super) const CASE: Case =
    Case { name: "call", about: "calls that do not wait, hooked and plain", variants };

/// The families, by the harness program's names.
const FAMILIES: [(&str, &str); 24] = [
    ("call-pipe", "write and read of a byte in a pipe"),
    ("call-tcp", "send with MSG_NOSIGNAL and recv of a byte, TCP"),
    ("call-tcp-noflag", "send without a flag and recv of a byte, TCP"),
    ("call-udp", "recvfrom of a datagram that is there"),
    ("call-poll-0", "poll of a ready descriptor, timeout 0"),
    ("call-poll", "poll of a ready descriptor, no timeout"),
    ("call-epoll", "epoll_wait with one ready, no timeout"),
    ("call-fcntl", "fcntl(F_GETFL)"),
    ("call-dup", "dup and close"),
    ("call-pread", "pread of 4 KiB from the page cache"),
    ("call-write", "write of 64 bytes to a file in memory"),
    ("call-stat", "stat of a cached path"),
    ("call-fputc", "fputc into a buffer with room"),
    ("call-fwrite", "fwrite of 16 bytes into a buffer with room"),
    ("call-mutex", "lock and unlock of a free mutex"),
    ("call-recursive", "lock and unlock of a free recursive mutex"),
    ("call-rwlock", "rdlock and unlock of a free read-write lock"),
    ("call-sem", "sem_post and sem_wait"),
    ("call-signal", "pthread_cond_signal, nobody waits"),
    ("call-once", "pthread_once of what was done"),
    ("call-futex", "syscall(SYS_futex), a wake, nobody waits"),
    ("call-yield", "sched_yield, nobody else is ready"),
    ("call-sleep-0", "clock_nanosleep of no time"),
    ("call-resolve", "getaddrinfo and freeaddrinfo of an address in numbers"),
];

fn variants(scale: Scale) -> Vec<Variant> {
    let new =
        |(harness, title)| Variant::inside(scale, harness, harness, title, 1).only(&["lisle"]);
    FAMILIES.map(new).into()
}
