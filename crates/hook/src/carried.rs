//! Variables that a process takes along into the programs that it becomes, whatever environment it
//! gives them.
//!
//! `lisle run` is for one process, so its library takes its variables out of the environment before
//! the program begins, and its children do not see them. When that very process executes another
//! program, the hooks of the `exec` family put them back.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::OnceLock;

/// An environment, or arguments: C strings, and null at the end.
pub(crate) type Vector = *const *const c_char;

/// What is taken along.
#[derive(Debug)]
struct Carried {
    /// The process that takes it along.
    process: u32,
    /// `NAME=value`, of each.
    variables: Vec<CString>,
}

static CARRIED: OnceLock<Carried> = OnceLock::new();

/// Has this process take these variables along, each `NAME=value`. Of several calls the first
/// counts.
pub fn carry(variables: Vec<CString>) {
    CARRIED.get_or_init(|| Carried { process: std::process::id(), variables });
}

/// The environment with what is taken along, if this is the process that does. Allocates only
/// there, so not in children of forks.
///
/// # Safety
/// `environment` is a vector, or null.
pub(crate) unsafe fn with_carried(environment: Vector) -> Option<Vec<*const c_char>> {
    let carried = CARRIED.get().filter(|carried| carried.process == std::process::id())?;
    let is_replaced = |line: &CStr| {
        carried.variables.iter().any(|variable| line.to_bytes().starts_with(name(variable)))
    };
    let mut all = Vec::new();
    let mut next = environment;
    // SAFETY: the caller's obligation.
    unsafe {
        while !next.is_null() && !(*next).is_null() {
            if !is_replaced(CStr::from_ptr(*next)) {
                all.push(*next);
            }
            next = next.add(1);
        }
    }
    all.extend(carried.variables.iter().map(|line| line.as_ptr()));
    all.push(ptr::null());
    Some(all)
}

/// `NAME=` of a variable.
fn name(variable: &CStr) -> &[u8] {
    let bytes = variable.to_bytes();
    &bytes[..bytes.iter().position(|byte| *byte == b'=').map_or(bytes.len(), |at| at + 1)]
}
