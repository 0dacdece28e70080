//! C code for tests, built with the system's compiler: calls as C programs make them.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part of it")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = include_str!("forms.c");

/// Builds a shared object from `source`, with `options`, and returns its path.
pub(crate) fn build(folder: &Path, name: &str, source: &str, options: &[&str]) -> PathBuf {
    let (text, object) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&text, source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-o"]).arg(&object).arg(&text);
    compiler.args(options);
    let built = compiler.output().expect("a C compiler, cc");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "cc {name}: {said}");
    object
}

/// The function of `forms.c` with this name.
pub(crate) fn function(name: &CStr) -> *mut c_void {
    static OBJECT: OnceLock<usize> = OnceLock::new();
    let object = *OBJECT.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("lisle-forms-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let options = ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"];
        let path = CString::new(
            build(&folder, "forms", SOURCE, &options).into_os_string().into_encoded_bytes(),
        );
        // SAFETY: a C string; the object has no constructors.
        let object = unsafe { libc::dlopen(path.unwrap().as_ptr(), libc::RTLD_NOW) };
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(!object.is_null(), "forms.so cannot be loaded");
        object as usize
    });
    // SAFETY: an object that stays open.
    let address = unsafe { libc::dlsym(object as *mut c_void, name.as_ptr()) };
    assert!(!address.is_null(), "no {name:?}");
    address
}

/// Calls a function of `forms.c`: its name, arguments and types. The expansion is unsafe.
macro_rules! c {
    ($name:ident($($argument:expr => $kind:ty),*) -> $result:ty) => {{
        const NAME: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
            concat!(stringify!($name), "\0").as_bytes(),
        ) {
            Ok(name) => name,
            Err(_) => panic!("a NUL in a name"),
        };
        let function: unsafe extern "C" fn($($kind),*) -> $result =
            std::mem::transmute($crate::forms::function(NAME));
        function($($argument),*)
    }};
}
pub(crate) use c;

/// A pipe: the descriptors to read from and to write to.
pub(crate) fn pipe() -> (c_int, c_int) {
    let mut ends = [0; 2];
    // SAFETY: a place for two.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    (ends[0], ends[1])
}

/// A stream on a descriptor. The pointer may be sent to other threads, as in C.
pub(crate) fn stream(fd: c_int, mode: &CStr) -> Stream {
    // SAFETY: a descriptor of the test's own.
    let stream = unsafe { libc::fdopen(fd, mode.as_ptr()) };
    assert!(!stream.is_null());
    Stream(stream)
}

/// An open stream of C.
#[derive(Clone, Copy)]
pub(crate) struct Stream(pub(crate) *mut libc::FILE);

// SAFETY: streams have locks.
unsafe impl Send for Stream {}

impl Stream {
    /// The pointer.
    pub(crate) fn get(self) -> *mut libc::FILE {
        self.0
    }

    /// Closes it; what `fclose` returned.
    pub(crate) fn close(self) -> c_int {
        // SAFETY: used by nobody afterwards.
        unsafe { libc::fclose(self.0) }
    }
}

/// Writes all of it to a descriptor.
pub(crate) fn write(fd: c_int, text: &[u8]) {
    // SAFETY: the text has that length.
    let written = unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) };
    assert_eq!(written, text.len() as isize);
}

/// Reads until the end.
pub(crate) fn read_all(fd: c_int) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = [0_u8; 4096];
    loop {
        // SAFETY: a place of that length.
        match unsafe { libc::read(fd, part.as_mut_ptr().cast(), part.len()) } {
            0 => return all,
            got => all.extend_from_slice(&part[..usize::try_from(got).unwrap()]),
        }
    }
}

/// A C string that a function filled in.
pub(crate) fn text(place: &[c_char]) -> String {
    // SAFETY: bytes are characters.
    let bytes = unsafe { std::slice::from_raw_parts(place.as_ptr().cast::<u8>(), place.len()) };
    CStr::from_bytes_until_nul(bytes).unwrap().to_string_lossy().into_owned()
}
