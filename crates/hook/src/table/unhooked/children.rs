//! Not hooked: becoming another program.

use crate::table::Unhooked;

pub(super) const CHILDREN: &[Unhooked] = &[Unhooked {
    what: "becoming another program",
    symbols: "execv execve execvp execvpe execl execle execlp execveat fexecve daemon",
    why: "reads the program from disk while it replaces this one",
    remedy: "none is needed: no coroutine survives it",
}];
