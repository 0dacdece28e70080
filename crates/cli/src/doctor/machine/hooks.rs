//! Whether calls into the C library meet the hooks.

use std::ffi::{CString, c_void};

use lisle_hook::table;

use crate::doctor::report::Check;

pub(super) fn checks() -> Vec<Check> {
    let name = "hooks";
    let own = object_of(checks as *const c_void);
    let symbols = || table::rows().flat_map(|row| row.symbols.split_whitespace());
    // What this C library lacks no program calls.
    let missed: Vec<&str> = symbols()
        .filter(|symbol| address(symbol).is_some_and(|address| object_of(address) != own))
        .collect();
    if missed.is_empty() {
        let count = symbols().count();
        return vec![Check::good(name, format!("{count} functions of the C library are ours"))];
    }
    vec![Check::less(
        name,
        format!("not in this process: {}", missed.join(" ")),
        "these calls block their worker",
        "link dynamically, with the feature `hooks`, and without a linker script or a library \
         that hides the executable's symbols",
    )]
}

/// What a library of this process that calls `symbol` would call.
fn address(symbol: &str) -> Option<*const c_void> {
    let symbol = CString::new(symbol).ok()?;
    // SAFETY: the name ends with NUL.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, symbol.as_ptr()) };
    (!address.is_null()).then_some(address.cast_const())
}

/// The start of the object that holds the address.
fn object_of(address: *const c_void) -> usize {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: a live place; any address may be asked for. Should it fail, zero remains.
    unsafe { libc::dladdr(address, &raw mut info) };
    info.dli_fbase as usize
}
