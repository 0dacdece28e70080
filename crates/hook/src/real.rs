//! The C library's own functions behind the hooks.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use lisle_sys::Errno;

/// A function of the next object in the search order, looked up when first wanted.
///
/// The pointer is null until then. Two threads that look it up at the same moment store the same
/// value, so Relaxed will do: the functions were there before any of our code ran.
pub(crate) struct Symbol {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Symbol {
    pub(crate) const fn new(name: &'static CStr) -> Self {
        Symbol { name, address: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The function's address.
    #[inline]
    pub(crate) fn address(&self) -> *mut c_void {
        let address = self.address.load(Ordering::Relaxed);
        if address.is_null() { self.look_up() } else { address }
    }

    #[cold]
    fn look_up(&self) -> *mut c_void {
        // SAFETY: the name ends with NUL.
        let address = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        if address.is_null() {
            // A program cannot call what its C library does not have.
            eprintln!("lisle: the C library has no {}", self.name.to_string_lossy());
            std::process::abort();
        }
        self.address.store(address, Ordering::Relaxed);
        address
    }
}

/// Calls the C library's function of the given name and type.
///
/// The ABI is the one that lets a cancelled OS thread unwind through the hook: cleanup handlers of
/// frames below run, and so do the destructors of the hook's own.
macro_rules! real {
    ($name:ident($($argument:expr),* $(,)?): fn($($kind:ty),*) -> $result:ty) => {{
        static SYMBOL: $crate::real::Symbol = $crate::real::Symbol::new(
            // SAFETY: ends with NUL and has none before.
            unsafe {
                ::std::ffi::CStr::from_bytes_with_nul_unchecked(
                    concat!(stringify!($name), "\0").as_bytes(),
                )
            },
        );
        // SAFETY: the symbol has this type in the C library; the arguments are the hook's own,
        // for which its caller vouched.
        unsafe {
            let function: unsafe extern "C-unwind" fn($($kind),*) -> $result =
                ::std::mem::transmute(SYMBOL.address());
            function($($argument),*)
        }
    }};
}
pub(crate) use real;

/// The way C functions return: the value, or -1 with `errno` set. `errno` is not touched
/// otherwise.
#[inline]
pub(crate) fn outcome(result: Result<usize, Errno>) -> isize {
    match result {
        Ok(value) => value as isize,
        Err(errno) => {
            set_errno(errno);
            -1
        }
    }
}

/// Sets `errno`.
pub(crate) fn set_errno(errno: Errno) {
    // SAFETY: every thread has one, and so has every coroutine.
    unsafe { *libc::__errno_location() = errno.0 };
}
