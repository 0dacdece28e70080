//! Name resolution, which happens inside of the C library and so on a spare carrier.

use libc::{addrinfo, c_char, hostent, sockaddr, socklen_t};

use crate::real::real;

/// See getaddrinfo(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> i32 {
    lisle_rt::blocking(|| {
        real!(
            getaddrinfo(node, service, hints, result):
                fn(*const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo) -> i32
        )
    })
}

/// See getnameinfo(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn getnameinfo(
    address: *const sockaddr,
    len: socklen_t,
    host: *mut c_char,
    host_len: socklen_t,
    service: *mut c_char,
    service_len: socklen_t,
    flags: i32,
) -> i32 {
    lisle_rt::blocking(|| {
        real!(
            getnameinfo(address, len, host, host_len, service, service_len, flags):
                fn(
                    *const sockaddr,
                    socklen_t,
                    *mut c_char,
                    socklen_t,
                    *mut c_char,
                    socklen_t,
                    i32
                ) -> i32
        )
    })
}

/// See gethostbyname(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn gethostbyname(name: *const c_char) -> *mut hostent {
    lisle_rt::blocking(|| real!(gethostbyname(name): fn(*const c_char) -> *mut hostent))
}
