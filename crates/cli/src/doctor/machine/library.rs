//! The C library: which one, and whether its threads can be imitated.

use std::ffi::CStr;

use lisle::runtime;

use crate::doctor::report::Check;

pub(super) fn checks() -> Vec<Check> {
    // SAFETY: returns a string that stays.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    let version = format!("glibc {}", version.to_string_lossy());
    vec![Check::good("C library", version), self_test()]
}

fn self_test() -> Check {
    let name = "self-test";
    let agrees = match runtime::coroutines_unavailable() {
        // The start has made it, and may have left no memory for another.
        None => Ok(()),
        Some(_) => runtime::self_test(),
    };
    match agrees {
        Ok(()) => Check::good(name, "private symbols found; a thread block behaves as a thread's"),
        Err(reason) => Check::fatal(
            name,
            reason,
            "each coroutine is an OS thread",
            "glibc 2.34 or later, and enough memory and threads; if there are, this release of \
             glibc is not known yet",
        ),
    }
}
