//! What is settled before the program begins.
//!
//! The command passes its wishes in the environment, which programs hand on to their children. What
//! it asks for is for one process, whatever programs that executes in turn (a script's interpreter,
//! `env`), and not for its children. So the variables are taken out of the environment here, and
//! the hooks put them back when that process executes another program. With `--children` they are
//! left where they are, and go wherever the program's environment goes.
//!
//! | `LISLE_RUN` | meaning |
//! |---|---|
//! | unset | somebody preloaded the library without the command; children get it, too |
//! | `children` | as with `--children` |
//! | a number | the process's; in others the library is asleep |
//!
//! After the number or the word may follow `,stats`.

use std::ffi::{CStr, CString, OsStr, OsString, c_char};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::statistics;

/// The variable by which the command tells what is asked for.
pub const VARIABLE: &str = "LISLE_RUN";
/// Its value for "children as well".
pub const STAY: &str = "children";

const PRELOAD: &str = "LD_PRELOAD";

/// Whether threads are made coroutines here.
///
/// | value | meaning |
/// |---|---|
/// | [`UNSETTLED`] | the constructor has not run: other libraries' run before it |
/// | [`ASLEEP`] | no: linked into a program, or preloaded into a child by mistake |
/// | [`AWAKE`] | yes |
///
/// Relaxed: it is settled before there is a second thread.
static STATE: AtomicU8 = AtomicU8::new(UNSETTLED);
const UNSETTLED: u8 = 0;
const ASLEEP: u8 = 1;
const AWAKE: u8 = 2;

/// Whether threads are made coroutines here.
pub(crate) fn is_awake() -> bool {
    match STATE.load(Ordering::Relaxed) {
        UNSETTLED => settle(),
        state => state == AWAKE,
    }
}

/// The address range of this object in memory.
pub(crate) fn own_object() -> std::ops::Range<usize> {
    unsafe extern "C" {
        // The linker's names for the ends of this object.
        static __ehdr_start: u8;
        static _end: u8;
    }
    (&raw const __ehdr_start) as usize..(&raw const _end) as usize
}

/// Whether this object is the program itself.
fn is_linked_in() -> bool {
    // SAFETY: reads the vector that the kernel passed.
    let headers = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    own_object().contains(&headers)
}

fn settle() -> bool {
    let awake = !is_linked_in() && look_at_environment();
    STATE.store(if awake { AWAKE } else { ASLEEP }, Ordering::Relaxed);
    awake
}

/// Whether the library is wanted here; takes the command's variables out of the environment.
fn look_at_environment() -> bool {
    let Some(wish) = std::env::var_os(VARIABLE) else { return true };
    let wish = wish.to_string_lossy().into_owned();
    let (whom, options) = wish.split_once(',').unwrap_or((&wish, ""));
    let process = std::process::id();
    let (all, own) = (whom == STAY, whom.parse() == Ok(process));
    if options == "stats" && (all || own) {
        statistics::print_at_end();
    }
    if all {
        return true;
    }
    if own {
        lisle_hook::carry([PRELOAD, VARIABLE].into_iter().filter_map(variable).collect());
    }
    // SAFETY: before the program has begun, there is one thread.
    unsafe {
        std::env::remove_var(VARIABLE);
        match without_us() {
            Some(rest) if !rest.is_empty() => std::env::set_var(PRELOAD, rest),
            _ => std::env::remove_var(PRELOAD),
        }
    }
    own
}

/// `NAME=value`, if it is set.
fn variable(name: &str) -> Option<CString> {
    let mut line = OsString::from(name);
    line.push("=");
    line.push(std::env::var_os(name)?);
    CString::new(line.into_vec()).ok()
}

/// What else is to be preloaded.
fn without_us() -> Option<OsString> {
    let all = std::env::var_os(PRELOAD)?;
    // SAFETY: all-zero is a valid value to fill in; an address of this object's.
    let own = unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(own_object().start as *const _, &raw mut info) == 0 {
            return Some(all);
        }
        CStr::from_ptr::<'_>(info.dli_fname as *const c_char)
    };
    let own = OsStr::from_bytes(own.to_bytes());
    // The loader takes both for separators.
    let parts = all.as_bytes().split(|byte| matches!(byte, b':' | b' '));
    let rest: Vec<&[u8]> =
        parts.filter(|part| !part.is_empty() && OsStr::from_bytes(part) != own).collect();
    Some(OsString::from_vec(rest.join(&b':')))
}

extern "C" fn at_start() {
    if is_awake() {
        lisle_rt::is_all_of_its_object();
    }
}

// SAFETY: the loader calls the functions in this section, with arguments that this one ignores.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static AT_START: extern "C" fn() = at_start;
