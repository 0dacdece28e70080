//! The functions that executables and libraries export.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, Sym};

/// The libraries that the C library consists of, apart from that of mathematics, which computes,
/// and the loader. Since glibc 2.34 most are empty, for old programs.
const OTHER_PARTS: [&str; 5] =
    ["libpthread.so.0", "libresolv.so.2", "librt.so.1", "libanl.so.1", "libdl.so.2"];

/// The version of symbols that only the C library's own parts may use.
const PRIVATE: &[u8] = b"GLIBC_PRIVATE";

/// Functions by name, and whether programs that are linked today may refer to them.
type Functions = BTreeMap<String, bool>;

/// The functions that `path` defines for others, in any version but the private one.
pub(crate) fn exported_functions(path: &Path) -> BTreeSet<String> {
    functions(path).into_keys().collect()
}

fn functions(path: &Path) -> Functions {
    let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    read(&file).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(file: &[u8]) -> object::read::Result<Functions> {
    let header = FileHeader64::<Endianness>::parse(file)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, file)?;
    let symbols = sections.symbols(endian, file, object::elf::SHT_DYNSYM)?;
    let versions = sections.versions(endian, file)?;
    let mut names = Functions::new();
    for (index, symbol) in symbols.enumerate() {
        let is_function =
            matches!(symbol.st_type(), object::elf::STT_FUNC | object::elf::STT_GNU_IFUNC);
        if !is_function || symbol.is_undefined(endian) || symbol.is_local() {
            continue;
        }
        let (version, current) = match &versions {
            Some(versions) => {
                let index = versions.version_index(endian, index);
                (versions.version(index)?, !index.is_hidden())
            }
            None => (None, true),
        };
        if version.is_none_or(|version| version.name() != PRIVATE) {
            let name = String::from_utf8_lossy(symbol.name(endian, symbols.strings())?);
            *names.entry(name.into_owned()).or_default() |= current;
        }
    }
    Ok(names)
}

/// What the installed C library exports, all of its parts together.
pub(crate) fn c_library() -> BTreeSet<String> {
    let main = c_library_path();
    let mut names = exported_functions(&main);
    assert!(names.len() > 1000, "{}: only {} functions", main.display(), names.len());
    for part in OTHER_PARTS {
        let path = main.with_file_name(part);
        if path.exists() {
            names.append(&mut exported_functions(&path));
        } else {
            println!("{} is not there, so it exports nothing", path.display());
        }
    }
    names
}

/// The file of the C library that runs here.
fn c_library_path() -> PathBuf {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // A function that is not hooked, so that its address lies in the C library.
    let inside = libc::gnu_get_libc_version as *const libc::c_void;
    // SAFETY: the address of a function, and a live place.
    let known = unsafe { libc::dladdr(inside, &raw mut info) };
    assert!(known != 0, "no object has the C library's functions");
    // SAFETY: set by the call above to the object's name, which stays.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    std::fs::canonicalize(name.to_str().unwrap()).unwrap()
}

/// Those of the C library's functions that this executable defines for itself and for all its
/// libraries: the hooks.
pub(crate) fn hooks(c_library: &BTreeSet<String>) -> BTreeSet<String> {
    let own = exported_functions(&std::env::current_exe().unwrap());
    own.intersection(c_library).cloned().collect()
}

/// What the C library keeps for programs that were linked long ago. An executable that is linked
/// today has no use for hooks of these, so that the linker leaves them out; a library that is
/// loaded before the program has them.
pub(crate) fn old() -> BTreeSet<String> {
    let all = functions(&c_library_path());
    all.into_iter().filter(|(_, current)| !current).map(|(name, _)| name).collect()
}
