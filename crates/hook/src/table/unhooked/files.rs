//! Not hooked: other calls on files.

use crate::table::Unhooked;

pub(super) const FILES: &[Unhooked] = &[
    Unhooked {
        what: "the working folder",
        symbols: "getcwd __getcwd_chk getwd __getwd_chk",
        why: "the kernel answers out of its memory; only where it cannot, as for very long paths, \
              the C library reads directories",
        remedy: "none is needed as a rule",
    },
    Unhooked {
        what: "paths that are looked up",
        symbols: "openat2 revoke chflags fchflags ustat fattach fdetach bind",
        why: "looks up a path inside of the kernel; `bind` of a Unix socket makes a file",
        remedy: "`openat` for `openat2`; `lisle::blocking`",
    },
    Unhooked {
        what: "names of shared memory, semaphores and queues",
        symbols: "shm_open shm_unlink sem_open sem_unlink mq_unlink",
        why: "opens and removes files that are memory",
        remedy: "none is needed as a rule",
    },
    Unhooked {
        what: "state and positions",
        symbols: "fstat fstat64 __fxstat __fxstat64 rewinddir seekdir telldir",
        why: "waits for the lock of the directory stream, or asks the server of a network file \
              system",
        remedy: "`lisle::blocking` where it matters",
    },
    Unhooked {
        what: "memory that is a file",
        symbols: "mmap mmap64 madvise posix_madvise process_madvise remap_file_pages",
        why: "reads or writes the file behind the pages, or waits for the lock of the memory's \
              layout; so does the first touch of a page",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "namespaces",
        symbols: "setns unshare",
        why: "is about the OS thread that calls; waits for locks of the kernel",
        remedy: "`lisle::pin_to_os_thread`",
    },
    Unhooked {
        what: "the system",
        symbols: "reboot create_module query_module",
        why: "ends the system, or is not in kernels of today",
        remedy: "none is needed",
    },
    Unhooked {
        what: "profiles",
        symbols: "monstartup __monstartup moncontrol _mcleanup mcount _mcount __fentry__ profil \
                  sprofil",
        why: "writes a file at the end of the process",
        remedy: "none is needed",
    },
];
