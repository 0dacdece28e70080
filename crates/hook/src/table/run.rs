//! What the library of `lisle run` defines besides the hooks. Programs that are linked with Lisle
//! have the C library's.

use super::{Family, Row};

/// The symbols that `crates/preload` defines.
pub const RUN: Family = Family {
    title: "Under `lisle run` alone",
    rows: &[
        Row {
            symbols: "pthread_create thrd_create",
            how: "a coroutine. An OS thread for callers in objects that are known as runtimes of \
                  their own, and before the library's constructor has run",
            differs: "priorities, policies and processors are noted, and have no effect; stacks \
                      are not executable",
        },
        Row {
            symbols: "execv execve execvp execvpe execveat fexecve",
            how: "plain; in the process that was started the program gets the environment with \
                  what `lisle run` has put there, so that it has the library, too",
            differs: "",
        },
        Row {
            symbols: "execl execlp",
            how: "as `execv`; the variables are put into the process's own environment",
            differs: "if it fails they stay there. `execle` is the C library's: the program that \
                      it executes does without the library",
        },
    ],
};
