//! Which functions the running stack is in.
//!
//! The unwinder that panics use finds it out, from the unwind information that compilers write for
//! every instruction. Here it is asked from within a signal's frame (see `arch/interrupt.rs`), as
//! profilers do.

use std::ffi::{c_int, c_void};

/// What a [`walk`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// A function that was looked for.
    Found,
    /// None of these, up to the first function of the stack.
    NotFound,
    /// None of these, up to code without unwind information.
    Lost,
}

struct Search<'a> {
    is_it: &'a dyn Fn(usize) -> bool,
    found: bool,
    /// Whether the first of the stack was reached.
    ended: bool,
}

/// Looks for a function that `is_it` recognizes by an address in it, among those that the running
/// stack of a coroutine is in.
pub fn walk(is_it: &dyn Fn(usize) -> bool) -> Walk {
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            each: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
            search: *mut c_void,
        ) -> c_int;
    }
    let mut search = Search { is_it, found: false, ended: false };
    // SAFETY: the callback gets the search during the call.
    unsafe { _Unwind_Backtrace(one, (&raw mut search).cast()) };
    match search {
        Search { found: true, .. } => Walk::Found,
        Search { ended: true, .. } => Walk::NotFound,
        _ => Walk::Lost,
    }
}

unsafe extern "C" fn one(context: *mut c_void, search: *mut c_void) -> c_int {
    const CONTINUE: c_int = 0;
    const STOP: c_int = 4;
    unsafe extern "C" {
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
    }
    // SAFETY: `walk` passes the search; the context is valid during the call.
    let (search, address) = unsafe { (&mut *search.cast::<Search<'_>>(), _Unwind_GetIP(context)) };
    search.found = (search.is_it)(address);
    search.ended |= crate::arch::is_first(address);
    if search.found { STOP } else { CONTINUE }
}
