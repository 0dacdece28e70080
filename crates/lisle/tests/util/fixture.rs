//! Code in C and C++, built by the system's compiler and loaded as a shared object: its calls of
//! the C library come to the hooks as those of any library do.

use std::ffi::{CStr, CString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set, to anything, where there is no C++ compiler on purpose. Its absence is a failure otherwise.
const NO_CXX: &str = "LISLE_NO_CXX";

/// Whether code in C++ is to be tested. Says so if it is not.
pub(crate) fn has_cxx() -> bool {
    let absent = std::env::var_os(NO_CXX).is_some();
    if absent {
        eprintln!("not tested: {NO_CXX} says that there is no C++ compiler");
    }
    !absent
}

/// A library that was loaded.
pub(crate) struct Library(*mut libc::c_void);

// SAFETY: a handle, which the loader takes from any thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// Loads one.
    pub(crate) fn open(path: &Path) -> Self {
        let path = super::c_path(path);
        // SAFETY: a C string; what its constructors do is the fixture's affair.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{}", error());
        Library(handle)
    }

    /// The address of something in it, as a function or a reference of the given type.
    ///
    /// # Safety
    /// `T` is the type of a function pointer or of a reference to what the name stands for.
    pub(crate) unsafe fn get<T: Copy>(&self, name: &str) -> T {
        assert_eq!(size_of::<T>(), size_of::<*mut libc::c_void>());
        let name = CString::new(name).unwrap();
        // SAFETY: a library that is loaded, a C string.
        let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!address.is_null(), "{}", error());
        // SAFETY: the caller's obligation; it has the size of an address.
        unsafe { std::mem::transmute_copy(&address) }
    }

    /// Unloads it.
    ///
    /// # Safety
    /// Nothing of it is used any more.
    pub(crate) unsafe fn close(self) {
        // SAFETY: loaded by `open`, and not used again.
        assert_eq!(unsafe { libc::dlclose(self.0) }, 0, "{}", error());
    }
}

/// What the loader says was wrong.
fn error() -> String {
    // SAFETY: null, or a C string of the calling thread's.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            return "no error".to_owned();
        }
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// Builds `tests/fixtures/<name>` and loads it.
pub(crate) fn load(name: &str, flags: &[&str]) -> Library {
    Library::open(&build(name, flags))
}

/// Builds `tests/fixtures/<name>` as a shared object with `flags`, unless that was done before, and
/// returns its path.
pub(crate) fn build(name: &str, flags: &[&str]) -> PathBuf {
    compile(name, &[&["-shared", "-fPIC"], flags].concat(), "so")
}

/// Builds `tests/fixtures/<name>` as a program of its own, which has nothing of Lisle's; `PROGRAM`
/// is defined.
pub(crate) fn program(name: &str) -> PathBuf {
    compile(name, &["-DPROGRAM"], "program")
}

fn compile(name: &str, flags: &[&str], ending: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let text = std::fs::read(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
    // The header that some include; there is one.
    let header = std::fs::read(source.with_file_name("job.h")).unwrap();
    let (compiler, standard) =
        if name.ends_with(".cpp") { ("c++", "-std=c++17") } else { ("cc", "-std=gnu11") };
    let usual = [standard, "-O2", "-g", "-Wall", "-pthread", "-lm"];
    let mut hasher = DefaultHasher::new();
    (text, header, flags, usual).hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join(format!("{name}-{:016x}.{ending}", hasher.finish()));
    if library.exists() {
        return library;
    }
    // Several processes may do this at once: each makes its own, and the last one stays.
    let (process, thread) = (std::process::id(), std::thread::current().id());
    let own = folder.join(format!("{name}-{process}-{thread:?}.{ending}"));
    let mut command = Command::new(compiler);
    command.arg(&source).arg("-o").arg(&own).args(usual).args(flags);
    let output = command.output().unwrap_or_else(|error| {
        panic!("{compiler}, which builds tests/fixtures/{name}, cannot be run: {error}")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} {name}: {said}");
    // Warnings: other compilers have other ones, so that they are no failure.
    eprint!("{said}");
    std::fs::rename(&own, &library).unwrap();
    library
}
