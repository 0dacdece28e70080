//! Whose functions are called: those the program is linked with, or the C library's own.

use std::ffi::{CStr, c_void};
use std::io;
use std::mem::{size_of, transmute_copy};

use crate::Outcome;
use crate::clock::Count;

/// Where functions are looked up.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// In the C library, past anything that the program defines.
    Plain,
    /// Where the linker found them.
    Linked,
}

impl Way {
    /// The function of that name. Use `function!`.
    ///
    /// # Safety
    /// `F` is the type of a pointer to that function.
    pub(super) unsafe fn find<F: Copy>(self, name: &CStr, linked: F) -> Outcome<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD;
        let address = match self {
            Way::Linked => return Ok(linked),
            // SAFETY: the names end with NUL, and the library is there for as long as the process.
            Way::Plain => unsafe {
                let library = libc::dlopen(c"libc.so.6".as_ptr(), flags);
                if library.is_null() {
                    return Err("the C library is not libc.so.6".to_owned());
                }
                libc::dlsym(library, name.as_ptr())
            },
        };
        if address.is_null() {
            return Err(format!("the C library has no {}", name.to_string_lossy()));
        }
        // SAFETY: of the same size, and of this type by the caller's obligation.
        Ok(unsafe { transmute_copy(&address) })
    }
}

/// A function of the `libc` crate, or of another module, in the way that was asked for.
macro_rules! function {
    ($way:expr, $module:ident::$name:ident: $kind:ty) => {{
        let name = concat!(stringify!($name), "\0");
        let name = ::std::ffi::CStr::from_bytes_with_nul(name.as_bytes()).expect("ends with NUL");
        // SAFETY: it is the type that the function is declared with, or this would not compile.
        unsafe { $way.find::<$kind>(name, $module::$name) }?
    }};
}
pub(super) use function;

/// Makes so many calls.
pub(super) type Loop = Box<dyn FnMut(Count) -> Outcome<()> + Send>;

/// A loop of calls that return whether all was well.
pub(super) fn repeat(mut call: impl FnMut() -> bool + Send + 'static) -> Outcome<Loop> {
    Ok(Box::new(move |count| {
        for _ in 0..count {
            if !call() {
                return Err(format!("a call went wrong: {}", io::Error::last_os_error()));
            }
        }
        Ok(())
    }))
}
