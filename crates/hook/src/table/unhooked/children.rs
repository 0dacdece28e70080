//! Not hooked: running programs.

use crate::table::Unhooked;

pub(super) const CHILDREN: &[Unhooked] = &[
    Unhooked {
        what: "running programs",
        symbols: "system popen pclose posix_spawn posix_spawnp pidfd_spawn pidfd_spawnp wordexp \
                  _IO_popen _IO_proc_open _IO_proc_close",
        why: "waits inside of the C library: for the child's end, or until it executes its program",
        remedy: "`std::process::Command`, whose waits are hooked; or `lisle::blocking`",
    },
    Unhooked {
        what: "waiting under other names",
        symbols: "wait3 __wait __waitpid",
        why: "waits inside of the C library",
        remedy: "`wait4`, `wait`, `waitpid`",
    },
    Unhooked {
        what: "becoming another program",
        symbols: "execv execve execvp execvpe execl execle execlp execveat fexecve daemon",
        why: "reads the program from disk while it replaces this one",
        remedy: "none is needed: no coroutine survives it",
    },
];
