//! Callers whose threads must stay OS threads: runtimes with a scheduler, signals and stacks of
//! their own.
//!
//! Each object that makes threads is judged once, by its name and by what is written in it, and one
//! line tells of those that are not fit. Programs that are such a runtime from the start are not
//! given the library in the first place: see `lisle run`.

use std::ffi::{CStr, c_int, c_void};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Shared objects, by the beginning of their names, and what they are.
const RUNTIMES: [(&str, &str); 6] = [
    ("libjvm.so", "a Java virtual machine"),
    ("libjli.so", "the starter of a Java virtual machine"),
    ("libcoreclr", "the .NET runtime"),
    ("libmonosgen", "the Mono runtime"),
    ("libgo.so", "the runtime of gccgo"),
    ("libasan.so", "a sanitizer"),
];

/// An object that was judged.
struct Judged {
    object: Range<usize>,
    is_fit: bool,
}

static JUDGED: Mutex<Vec<Judged>> = Mutex::new(Vec::new());

/// Whether threads that are made by code at this address may be coroutines.
pub(crate) fn is_fit(caller: usize) -> bool {
    let mut judged = JUDGED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = judged.iter().find(|known| known.object.contains(&caller)) {
        return known.is_fit;
    }
    // Code that belongs to no object was made at run time.
    let Some(object) = object_at(caller) else { return true };
    let is_fit = object.runtime.is_none();
    if let Some(what) = object.runtime {
        eprintln!("lisle: threads of {} stay OS threads: it is {what}", object.name);
    }
    judged.push(Judged { object: object.range, is_fit });
    is_fit
}

/// What is found about an object.
struct Object {
    name: String,
    range: Range<usize>,
    runtime: Option<&'static str>,
}

struct Search {
    address: usize,
    found: Option<Object>,
}

fn object_at(address: usize) -> Option<Object> {
    let mut search = Search { address, found: None };
    // SAFETY: the callback reads what the loader passes, and the search.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    search.found
}

unsafe extern "C" fn look(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    search: *mut c_void,
) -> c_int {
    // SAFETY: `object_at` passes this; the info is valid during the call.
    let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
    // SAFETY: the loader gives the address and the number of program headers.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let base = info.dlpi_addr as usize;
    let loads = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let (start, end) = loads.fold((usize::MAX, 0), |(first, end), header| {
        let start = base + header.p_vaddr as usize;
        (first.min(start), end.max(start + header.p_memsz as usize))
    });
    let range = start..end;
    if !range.contains(&search.address) {
        return 0;
    }
    // SAFETY: a C string of the loader's.
    let path = unsafe { CStr::from_ptr(info.dlpi_name) }.to_string_lossy().into_owned();
    let name = path.rsplit('/').next().unwrap_or_default();
    let known = RUNTIMES.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, what)| *what);
    // SAFETY: notes are parts of the object, which is loaded.
    let runtime = known.or_else(|| unsafe { is_go(headers, base) }.then_some("made by Go"));
    let name = if name.is_empty() { "the program".to_owned() } else { name.to_owned() };
    search.found = Some(Object { name, range, runtime });
    1
}

/// Whether one of its notes says that Go's linker made it.
///
/// # Safety
/// The headers are those of an object that is loaded at `base`.
unsafe fn is_go(headers: &[libc::Elf64_Phdr], base: usize) -> bool {
    let notes = headers.iter().filter(|header| header.p_type == libc::PT_NOTE);
    notes.into_iter().any(|header| {
        let start = (base + header.p_vaddr as usize) as *const u8;
        // SAFETY: the caller's obligation.
        let notes = unsafe { std::slice::from_raw_parts(start, header.p_memsz as usize) };
        has_go(notes)
    })
}

/// Whether one of these notes is that of Go's linker. A note is the length of a name, that of the
/// content, and a type; then name and content, each filled up to words.
fn has_go(mut notes: &[u8]) -> bool {
    let word = |notes: &[u8], at: usize| -> Option<usize> {
        let bytes = notes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_ne_bytes(bytes) as usize)
    };
    while let (Some(name), Some(content)) = (word(notes, 0), word(notes, 4)) {
        if notes.get(12..16) == Some(b"Go\0\0") {
            return true;
        }
        let len = 12 + name.next_multiple_of(4) + content.next_multiple_of(4);
        notes = notes.get(len..).unwrap_or_default();
    }
    false
}
