//! Ways to define many hooks that are alike.

/// Defines hooks that hop.
macro_rules! elsewhere {
    ($($name:ident($($argument:ident: $kind:ty),* $(,)?) -> $result:ty;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            lisle_rt::blocking(
                || $crate::real::real!($name($($argument),*): fn($($kind),*) -> $result),
            )
        }
    )*};
}
pub(crate) use elsewhere;

/// Defines hooks that hop if a condition on their arguments holds; else they are the plain call.
macro_rules! elsewhere_if {
    ($($name:ident($($argument:ident: $kind:ty),* $(,)?) -> $result:ty: $hops:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            let plain = || $crate::real::real!($name($($argument),*): fn($($kind),*) -> $result);
            if $hops { lisle_rt::blocking(plain) } else { plain() }
        }
    )*};
}
pub(crate) use elsewhere_if;

/// As [`elsewhere_if`], for calls that are not made once their caller is to stop; they return what
/// tells of an error in `errno`.
macro_rules! stoppable_if {
    ($($name:ident($($argument:ident: $kind:ty),* $(,)?) -> $result:ty: $hops:expr;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            let plain = || $crate::real::real!($name($($argument),*): fn($($kind),*) -> $result);
            if $hops { $crate::stop::elsewhere(plain) } else { plain() }
        }
    )*};
}
pub(crate) use stoppable_if;

/// Defines further names of hooked calls: they call the hook of the name given last.
macro_rules! alias {
    ($($name:ident($($argument:ident: $kind:ty),* $(,)?) -> $result:ty = $target:ident;)*) => {$(
        #[doc = concat!("Another name of ", stringify!($target), ".")]
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            unsafe extern "C-unwind" {
                #[link_name = stringify!($target)]
                fn target($($argument: $kind),*) -> $result;
            }
            // SAFETY: the same function, with the arguments for which the caller vouched.
            unsafe { target($($argument),*) }
        }
    )*};
}
pub(crate) use alias;

/// Defines hooks that are the plain call, and nothing besides, where the caller is not a coroutine
/// that can suspend; there they go on in a function of their own.
///
/// Both calls come last, so that they are jumps: after a system call each return costs some ten
/// nanoseconds, because the kernel leaves the processor no memory of return addresses.
macro_rules! on_coroutines {
    ($($name:ident($($argument:ident: $kind:ty),* $(,)?) -> $result:ty = $here:ident;)*) => {$(
        #[doc = concat!("See ", stringify!($name), ".")]
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C-unwind" fn $name($($argument: $kind),*) -> $result {
            if !lisle_rt::can_suspend() {
                return $crate::real::real!($name($($argument),*): fn($($kind),*) -> $result);
            }
            // SAFETY: the arguments are the caller's, who vouched for them.
            unsafe { $here($($argument),*) }
        }
    )*};
}
pub(crate) use on_coroutines;
