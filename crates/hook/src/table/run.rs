//! What the library of `lisle run` defines besides the hooks. Programs that are linked with Lisle
//! have the C library's.

use super::{Family, Row};

/// The symbols that `crates/preload` defines.
pub const RUN: Family = Family {
    title: "Under `lisle run` alone",
    rows: &[Row {
        symbols: "pthread_create thrd_create",
        how: "a coroutine. An OS thread for callers in objects that are known as runtimes of \
              their own",
        differs: "priorities, policies and processors are noted, and have no effect; stacks are \
                  not executable",
    }],
};
