//! Name resolution, which happens inside of the C library and so on a spare carrier. `getaddrinfo`,
//! where it may be stopped, on a coroutine of its own; see `aside`.

use std::ffi::{CStr, CString, c_void};
use std::mem;
use std::net::IpAddr;
use std::ptr;

use libc::{
    addrinfo, c_char, c_int, c_uchar, hostent, protoent, servent, sigevent, size_t, sockaddr,
    socklen_t, timespec,
};

use lisle_sys::Errno;

use crate::aside::aside;
use crate::define::{alias, elsewhere, elsewhere_if};
use crate::real::{errno, real, set_errno};
use crate::stop::may_begin;

type Name = *const c_char;
type Text = *mut c_char;
type Host = *mut *mut hostent;
type Service = *mut *mut servent;
type Protocol = *mut *mut protoent;
/// An entry whose layout does not matter here.
type Place = *mut c_void;
/// A list of requests.
type Requests = *mut *mut c_void;

/// See getaddrinfo(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn getaddrinfo(
    node: Name,
    service: Name,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    let plain = || {
        real!(
            getaddrinfo(node, service, hints, result):
                fn(Name, Name, *const addrinfo, *mut *mut addrinfo) -> c_int
        )
    };
    // SAFETY: null or C strings, by the caller's obligation.
    if unsafe { is_address(node) && is_number(service) } {
        return plain();
    }
    if !lisle_rt::is_stoppable() || !lisle_rt::can_suspend() {
        return lisle_rt::blocking(plain);
    }
    if let Err(errno) = may_begin() {
        set_errno(errno);
        return libc::EAI_SYSTEM;
    }
    // SAFETY: the caller's obligation.
    let call = unsafe { resolving(node, service, hints) };
    match aside(call) {
        None => lisle_rt::blocking(plain),
        Some(Ok(mut resolved)) => {
            if resolved.code == 0 {
                // SAFETY: the caller's place.
                unsafe { *result = mem::replace(&mut resolved.list, ptr::null_mut()) };
            } else {
                set_errno(resolved.errno);
            }
            resolved.code
        }
        Some(Err(stop)) => {
            set_errno(Errno(stop.errno()));
            libc::EAI_SYSTEM
        }
    }
}

/// What `getaddrinfo` has found.
struct Resolved {
    code: c_int,
    errno: Errno,
    /// Null once somebody else has it.
    list: *mut addrinfo,
}

// SAFETY: the list is the answer's own.
unsafe impl Send for Resolved {}

impl Drop for Resolved {
    fn drop(&mut self) {
        if !self.list.is_null() {
            // SAFETY: made by `getaddrinfo`, and nobody else has it.
            unsafe { libc::freeaddrinfo(self.list) };
        }
    }
}

/// The call, with copies of its arguments.
///
/// # Safety
/// As for `getaddrinfo`.
unsafe fn resolving(
    node: Name,
    service: Name,
    hints: *const addrinfo,
) -> impl FnOnce() -> Resolved + Send + 'static {
    // SAFETY: null or C strings, by the caller's obligation.
    let copy = |text: Name| (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned());
    let (node, service) = (copy(node), copy(service));
    // SAFETY: null or live hints.
    let hints = unsafe { hints.as_ref() }
        .map(|hints| [hints.ai_flags, hints.ai_family, hints.ai_socktype, hints.ai_protocol]);
    move || {
        let text = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let hints = hints.map(|[ai_flags, ai_family, ai_socktype, ai_protocol]| {
            // SAFETY: all-zero is a valid value; the other fields must be so in hints.
            let none: addrinfo = unsafe { mem::zeroed() };
            addrinfo { ai_flags, ai_family, ai_socktype, ai_protocol, ..none }
        });
        let place = hints.as_ref().map_or(ptr::null(), ptr::from_ref);
        let mut list = ptr::null_mut();
        let code = lisle_rt::blocking(|| {
            real!(
                getaddrinfo(text(&node), text(&service), place, &raw mut list):
                    fn(Name, Name, *const addrinfo, *mut *mut addrinfo) -> c_int
            )
        });
        Resolved { code, errno: errno(), list: if code == 0 { list } else { ptr::null_mut() } }
    }
}

/// Whether a host is none or an address in digits, which nobody has to be asked about. Forms that
/// only `inet_aton` takes are left to the C library.
///
/// # Safety
/// Null or a C string.
unsafe fn is_address(node: Name) -> bool {
    // SAFETY: the caller's obligation.
    let text = || unsafe { CStr::from_ptr(node) }.to_str().ok();
    node.is_null() || text().is_some_and(|text| text.parse::<IpAddr>().is_ok())
}

/// Whether a service is none or a port in digits: names are in a file, or a server's to know.
///
/// # Safety
/// As for [`is_address`].
unsafe fn is_number(service: Name) -> bool {
    // SAFETY: the caller's obligation.
    service.is_null()
        || unsafe { CStr::from_ptr(service) }.to_bytes().iter().all(u8::is_ascii_digit)
}

// Hosts.
elsewhere! {
    getnameinfo(
        address: *const sockaddr,
        len: socklen_t,
        host: Text,
        host_len: socklen_t,
        service: Text,
        service_len: socklen_t,
        flags: c_int,
    ) -> c_int;
    gethostbyname(name: Name) -> *mut hostent;
    gethostbyname2(name: Name, family: c_int) -> *mut hostent;
    gethostbyaddr(address: *const c_void, len: socklen_t, family: c_int) -> *mut hostent;
    gethostbyname_r(
        name: Name,
        place: *mut hostent,
        text: Text,
        len: size_t,
        found: Host,
        error: *mut c_int,
    ) -> c_int;
    gethostbyname2_r(
        name: Name,
        family: c_int,
        place: *mut hostent,
        text: Text,
        len: size_t,
        found: Host,
        error: *mut c_int,
    ) -> c_int;
    gethostbyaddr_r(
        address: *const c_void,
        address_len: socklen_t,
        family: c_int,
        place: *mut hostent,
        text: Text,
        len: size_t,
        found: Host,
        error: *mut c_int,
    ) -> c_int;
    gethostent() -> *mut hostent;
    gethostent_r(place: *mut hostent, text: Text, len: size_t, found: Host, error: *mut c_int)
        -> c_int;
    sethostent(stay: c_int) -> ();
    endhostent() -> ();
}

elsewhere_if! {
    // Without GAI_WAIT it only starts threads that resolve.
    getaddrinfo_a(mode: c_int, list: Requests, count: c_int, event: *mut sigevent) -> c_int:
        mode == 0;
}

elsewhere! {
    gai_suspend(list: *const *const c_void, count: c_int, timeout: *const timespec) -> c_int;
}

// Networks, services, protocols.
elsewhere! {
    getnetbyname(name: Name) -> Place;
    getnetbyname_r(
        name: Name,
        place: Place,
        text: Text,
        len: size_t,
        found: *mut Place,
        error: *mut c_int,
    ) -> c_int;
    getnetbyaddr(network: u32, family: c_int) -> Place;
    getnetbyaddr_r(
        network: u32,
        family: c_int,
        place: Place,
        text: Text,
        len: size_t,
        found: *mut Place,
        error: *mut c_int,
    ) -> c_int;
    getnetent() -> Place;
    getnetent_r(place: Place, text: Text, len: size_t, found: *mut Place, error: *mut c_int)
        -> c_int;
    setnetent(stay: c_int) -> ();
    endnetent() -> ();
    getservbyname(name: Name, protocol: Name) -> *mut servent;
    getservbyname_r(
        name: Name,
        protocol: Name,
        place: *mut servent,
        text: Text,
        len: size_t,
        found: Service,
    ) -> c_int;
    getservbyport(port: c_int, protocol: Name) -> *mut servent;
    getservbyport_r(
        port: c_int,
        protocol: Name,
        place: *mut servent,
        text: Text,
        len: size_t,
        found: Service,
    ) -> c_int;
    getservent() -> *mut servent;
    getservent_r(place: *mut servent, text: Text, len: size_t, found: Service) -> c_int;
    setservent(stay: c_int) -> ();
    endservent() -> ();
    getprotobyname(name: Name) -> *mut protoent;
    getprotobyname_r(
        name: Name,
        place: *mut protoent,
        text: Text,
        len: size_t,
        found: Protocol,
    ) -> c_int;
    getprotobynumber(number: c_int) -> *mut protoent;
    getprotobynumber_r(
        number: c_int,
        place: *mut protoent,
        text: Text,
        len: size_t,
        found: Protocol,
    ) -> c_int;
    getprotoent() -> *mut protoent;
    getprotoent_r(place: *mut protoent, text: Text, len: size_t, found: Protocol) -> c_int;
    setprotoent(stay: c_int) -> ();
    endprotoent() -> ();
}

/// A query or an answer, and the state of a resolver.
type Bytes = *const c_uchar;
type Answer = *mut c_uchar;
type State = *mut c_void;

/// Defines the resolver's calls under their present names, and under those that programs call
/// which were built for a C library before 2.34.
macro_rules! resolver {
    ($($name:ident $old:ident($($argument:ident: $kind:ty),*);)*) => {$(
        elsewhere! { $name($($argument: $kind),*) -> c_int; }
        alias! { $old($($argument: $kind),*) -> c_int = $name; }
    )*};
}

resolver! {
    res_query __res_query(
        name: Name, class: c_int, kind: c_int, answer: Answer, len: c_int
    );
    res_search __res_search(
        name: Name, class: c_int, kind: c_int, answer: Answer, len: c_int
    );
    res_querydomain __res_querydomain(
        name: Name, domain: Name, class: c_int, kind: c_int, answer: Answer, len: c_int
    );
    res_send __res_send(query: Bytes, query_len: c_int, answer: Answer, len: c_int);
    res_nquery __res_nquery(
        state: State, name: Name, class: c_int, kind: c_int, answer: Answer, len: c_int
    );
    res_nsearch __res_nsearch(
        state: State, name: Name, class: c_int, kind: c_int, answer: Answer, len: c_int
    );
    res_nquerydomain __res_nquerydomain(
        state: State, name: Name, domain: Name, class: c_int, kind: c_int, answer: Answer,
        len: c_int
    );
    res_nsend __res_nsend(
        state: State, query: Bytes, query_len: c_int, answer: Answer, len: c_int
    );
}

// Reading the settings, which is a file.
elsewhere! {
    __res_init() -> c_int;
    __res_ninit(state: State) -> c_int;
}

// Commands on other machines.
elsewhere! {
    rcmd(host: *mut Text, port: u16, local: Name, remote: Name, command: Name, error: *mut c_int)
        -> c_int;
    rcmd_af(
        host: *mut Text,
        port: u16,
        local: Name,
        remote: Name,
        command: Name,
        error: *mut c_int,
        family: u16,
    ) -> c_int;
    rexec(
        host: *mut Text,
        port: c_int,
        user: Name,
        password: Name,
        command: Name,
        error: *mut c_int,
    ) -> c_int;
    rexec_af(
        host: *mut Text,
        port: c_int,
        user: Name,
        password: Name,
        command: Name,
        error: *mut c_int,
        family: u16,
    ) -> c_int;
    ruserok(host: Name, super_user: c_int, remote: Name, local: Name) -> c_int;
    ruserok_af(host: Name, super_user: c_int, remote: Name, local: Name, family: u16) -> c_int;
    iruserok_af(
        address: *const c_void,
        super_user: c_int,
        remote: Name,
        local: Name,
        family: u16,
    ) -> c_int;
    iruserok(address: u32, super_user: c_int, remote: Name, local: Name) -> c_int;
}
