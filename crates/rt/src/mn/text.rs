//! Code in which a coroutine is not preempted, by where it lies.
//!
//! The C library, the loader, the kernel's page of code and the unwinder hold locks of their own,
//! which no hook of ours sees: whoever else wants such a lock would block its worker, and if the
//! holder waits for that worker, for ever. The same holds for an object that defines `malloc`
//! instead of the C library, which the C library calls with its locks held; unless it is the
//! executable: where code is held up, its callers are looked at in any case (`preempt`).
//!
//! Other objects, and code that is in no object (a compiler's at run time), may be held up
//! anywhere. The ranges are learned when the runtime starts, and again when an object is loaded
//! into a name space of its own, which gets a C library of its own. They are never forgotten: at
//! worst a coroutine is not preempted in a library that has taken the place of one that has gone.

use std::ffi::{CStr, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether the object that this is part of has no code of the program's; see
/// [`is_all_of_its_object`].
static ALONE: AtomicBool = AtomicBool::new(false);

/// Ranges at most; what is beyond is told by [`learn`].
const MOST: usize = 32;

/// A range of addresses; empty while both are 0. The end is written last, with Release, and is
/// never changed.
struct Range {
    start: AtomicUsize,
    end: AtomicUsize,
}

impl Range {
    const fn empty() -> Self {
        Range { start: AtomicUsize::new(0), end: AtomicUsize::new(0) }
    }

    /// Makes an empty one this range.
    fn set(&self, range: std::ops::Range<usize>) {
        self.start.store(range.start, Ordering::Relaxed);
        self.end.store(range.end, Ordering::Release);
    }

    /// Whether the address is in it; none if it is empty.
    fn contains(&self, address: usize) -> Option<bool> {
        let end = self.end.load(Ordering::Acquire);
        (end != 0).then(|| (self.start.load(Ordering::Relaxed)..end).contains(&address))
    }
}

static RANGES: [Range; MOST] = [const { Range::empty() }; MOST];

/// The code of this object, if it is alone. Code that it calls may be held up: where the runtime
/// must not be, a section is open.
static OWN: Range = Range::empty();

/// Files whose code is not to be held up, whatever it is loaded for.
const NAMES: [&[u8]; 4] = [b"libc.so", b"ld-linux", b"libgcc_s.so", b"linux-vdso"];

/// Functions by whose addresses objects are recognized. Looked up once: looking up has effects on
/// what `dlerror` tells.
const FUNCTIONS: [&CStr; 4] = [c"malloc", c"clock_gettime", c"_Unwind_RaiseException", c"dlopen"];

/// To be called before the start where the runtime and the hooks are a library of their own: none
/// of its code is held up.
pub fn is_all_of_its_object() {
    ALONE.store(true, Ordering::Relaxed);
}

/// Learns of the objects that are loaded now: to be called after one was loaded into a name space
/// of its own, too. False if there are more than can be noted.
pub fn learn() -> bool {
    static KNOWN: OnceLock<[usize; FUNCTIONS.len()]> = OnceLock::new();
    let find = |name: &CStr| {
        // SAFETY: the name ends with NUL; the address is compared alone.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) as usize }
    };
    let known = *KNOWN.get_or_init(|| FUNCTIONS.map(find));
    let mut learning = Learning { known, complete: true };
    // SAFETY: the callback gets the pointer it is declared for, during the call.
    unsafe { libc::dl_iterate_phdr(Some(one), (&raw mut learning).cast()) };
    learning.complete
}

/// Whether the address is in such code. Allowed in handlers.
pub(crate) fn is_unsafe(address: usize) -> bool {
    keeps_callers(address) || OWN.contains(address) == Some(true)
}

/// Whether the address is in code that must not be held up while it calls other code, either.
pub(crate) fn keeps_callers(address: usize) -> bool {
    lisle_fiber::is_own_text(address) || is_others(address)
}

/// Whether it is in such code of other objects than this.
pub(crate) fn is_others(address: usize) -> bool {
    RANGES.iter().map_while(|range| range.contains(address)).any(|is_it| is_it)
}

struct Learning {
    known: [usize; FUNCTIONS.len()],
    complete: bool,
}

unsafe extern "C" fn one(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    learning: *mut c_void,
) -> c_int {
    // SAFETY: `learn` passes this; the info is valid during the call.
    let (info, learning) = unsafe { (&*info, &mut *learning.cast::<Learning>()) };
    // SAFETY: the loader gives the address and the number of program headers.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum as usize) };
    let code = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0)
        .map(|header| {
            let start = info.dlpi_addr as usize + header.p_vaddr as usize;
            start..start + header.p_memsz as usize
        });
    let has = |address: usize| code.clone().any(|range| range.contains(&address));
    // SAFETY: null or a C string.
    let name = (!info.dlpi_name.is_null()).then(|| unsafe { CStr::from_ptr(info.dlpi_name) });
    let name = name.map_or(&[][..], |name| name.to_bytes());
    let file = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
    if has(one as *const () as usize) {
        if ALONE.load(Ordering::Relaxed) {
            code.for_each(|range| OWN.set(range));
        }
        return 0;
    }
    let is_unsafe = NAMES.iter().any(|known| file.starts_with(known))
        || !name.is_empty() && learning.known.iter().any(|address| has(*address));
    if is_unsafe {
        learning.complete &= code.map(add).fold(true, |all, added| all & added);
    }
    0
}

/// Notes a range; false if there is no place. Called under the loader's lock.
fn add(range: std::ops::Range<usize>) -> bool {
    for place in &RANGES {
        match place.end.load(Ordering::Relaxed) {
            0 => {
                place.set(range);
                return true;
            }
            end if end == range.end && place.start.load(Ordering::Relaxed) == range.start => {
                return true;
            }
            _ => {}
        }
    }
    false
}
