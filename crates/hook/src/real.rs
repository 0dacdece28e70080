//! The C library's own functions behind the hooks.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use lisle_sys::Errno;

/// A function of the next object in the search order, looked up when first wanted.
///
/// The pointer is null until then. Two threads that look it up at the same moment store the same
/// value, so Relaxed will do: the functions were there before any of our code ran.
#[repr(C)]
pub struct Symbol {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Symbol {
    /// The function of that name.
    pub const fn new(name: &'static CStr) -> Self {
        Symbol { name, address: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The function's address.
    #[inline]
    pub fn address(&self) -> *mut c_void {
        let address = self.address.load(Ordering::Relaxed);
        if address.is_null() { self.look_up() } else { address }
    }

    #[cold]
    fn look_up(&self) -> *mut c_void {
        let address = self.find();
        if address.is_null() {
            // A program cannot call what its C library does not have.
            eprintln!("lisle: the C library has no {}", self.name.to_string_lossy());
            std::process::abort();
        }
        address
    }

    /// Null if the C library has no such function.
    fn find(&self) -> *mut c_void {
        // SAFETY: the name ends with NUL.
        let address = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.address.store(address, Ordering::Relaxed);
        address
    }
}

/// Gets the hooks ready: looks up all functions behind them, before the program's own code runs. A
/// hook that is called even earlier looks up its own.
///
/// Looking up has effects that the first call of a hook must not have. It clears what `dlerror` is
/// to tell. And it takes the loader's lock: while an object is loaded its constructors run, with
/// that lock held, and whatever others call meanwhile for the first time would wait for them, on a
/// worker, and for ever if a constructor waits for the caller.
extern "C" fn look_up_all() {
    unsafe extern "C" {
        // The linker's names for the ends of the section that `real!` puts its symbols in.
        static __start_lisle_real: u8;
        static __stop_lisle_real: u8;
    }
    let mut symbol = (&raw const __start_lisle_real).cast::<Symbol>();
    let end = (&raw const __stop_lisle_real).cast();
    while symbol < end {
        // SAFETY: the section is an array of symbols and nothing else.
        unsafe {
            (*symbol).find();
            symbol = symbol.add(1);
        }
    }
    forks();
    // Some are of later releases than this one; nobody asked for them yet.
    // SAFETY: a plain call.
    unsafe { libc::dlerror() };
}

/// Has children of forks forget who was in the middle of a call.
fn forks() {
    extern "C" fn in_child() {
        crate::turnstile::forget_after_fork();
        crate::call::stdio::all::forget_after_fork();
    }
    // SAFETY: the handler stores words. The only error is lack of memory, before the program has
    // begun; then children of forks may wait for who is not there.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

// SAFETY: the loader calls the functions in this section, with arguments that this one ignores.
#[used]
#[unsafe(link_section = ".init_array.00100")]
static AT_START: extern "C" fn() = look_up_all;

/// Calls the C library's function of the given name and type.
///
/// The ABI is the one that lets a cancelled OS thread unwind through the hook: cleanup handlers of
/// frames below run, and so do the destructors of the hook's own.
#[doc(hidden)]
#[macro_export]
macro_rules! real_function {
    ($name:ident($($argument:expr),* $(,)?): fn($($kind:ty),*) -> $result:ty) => {{
        #[unsafe(link_section = "lisle_real")]
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

pub use crate::real_function as real;

/// The way C functions return: the value, or -1 with `errno` set. `errno` is not touched
/// otherwise.
#[inline]
pub(crate) fn outcome(result: Result<usize, Errno>) -> isize {
    match result {
        Ok(value) => value as isize,
        Err(errno) => {
            if errno == Errno::INTR {
                cancellation_point();
            }
            set_errno(errno);
            -1
        }
    }
}

/// Where a coroutine is cancelled that was asked to end while it waited: does not return then.
#[cold]
pub(crate) fn cancellation_point() {
    if lisle_rt::cancel::is_cancelled() {
        real!(pthread_testcancel(): fn() -> ());
    }
}

/// Sets `errno`.
pub(crate) fn set_errno(errno: Errno) {
    // SAFETY: every thread has one, and so has every coroutine.
    unsafe { *libc::__errno_location() = errno.0 };
}

/// The value of `errno`.
pub(crate) fn errno() -> Errno {
    // SAFETY: as above.
    Errno(unsafe { *libc::__errno_location() })
}
