//! Hooks with a decision of their own that programs rarely call, on an OS thread and on a
//! coroutine.

mod util;

use std::ffi::{c_char, c_int, c_long, c_void};
use std::ptr::{null, null_mut};

use util::{Folder, c_path, told, twins, twins_alone};

unsafe extern "C" {
    fn freopen64(
        path: *const c_char,
        mode: *const c_char,
        stream: *mut libc::FILE,
    ) -> *mut libc::FILE;
    fn dlmopen(space: c_long, name: *const c_char, flags: c_int) -> *mut c_void;
    fn klogctl(kind: c_int, place: *mut c_char, len: c_int) -> c_int;
    fn getaddrinfo_a(
        mode: c_int,
        list: *mut *mut Request,
        count: c_int,
        event: *mut libc::sigevent,
    ) -> c_int;
    fn gai_suspend(list: *const *const Request, count: c_int, time: *const libc::timespec)
    -> c_int;
    fn gai_error(request: *mut Request) -> c_int;
}

/// C's `struct gaicb`.
#[repr(C)]
struct Request {
    name: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    result: *mut libc::addrinfo,
    state: c_int,
    unused: [c_int; 5],
}

const GAI_WAIT: c_int = 0;
const GAI_NOWAIT: c_int = 1;
const EAI_ALLDONE: c_int = -103;

fn request(name: &'static std::ffi::CStr) -> Request {
    Request {
        name: name.as_ptr(),
        service: null(),
        hints: null(),
        result: null_mut(),
        state: 0,
        unused: [0; 5],
    }
}

#[test]
fn looking_up_several_names_at_once() {
    twins(|_| {
        let mut lines = Vec::new();
        for mode in [GAI_WAIT, GAI_NOWAIT] {
            let mut requests = [request(c"127.0.0.1"), request(c"localhost")];
            let mut list = requests.each_mut().map(std::ptr::from_mut);
            // SAFETY: live requests until all are done.
            unsafe {
                lines.push(told(
                    "start",
                    getaddrinfo_a(mode, list.as_mut_ptr(), 2, null_mut()) as isize,
                ));
                for request in list {
                    // One at a time: glibc 2.36 forgets to take a waiter off the list of the second
                    // request if that is done at the moment when the first one wakes it.
                    let waiting = [request.cast_const()];
                    while gai_suspend(waiting.as_ptr(), 1, null()) != EAI_ALLDONE {}
                    lines.push(format!("{} {}", gai_error(request), (*request).result.is_null()));
                    libc::freeaddrinfo((*request).result);
                }
            }
        }
        lines
    });
}

#[test]
fn a_list_of_transfers_that_is_waited_for() {
    twins(|coroutine| {
        let folder = Folder::new("lio", coroutine);
        let path = folder.c("file");
        let mut lines = Vec::new();
        let (mut out, mut back) = (*b"written", [0_u8; 7]);
        // SAFETY: a C string; all-zero is a valid request to fill in; buffers that live until the
        // requests are done.
        unsafe {
            let fd = libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600);
            let mut request: libc::aiocb = std::mem::zeroed();
            request.aio_fildes = fd;
            for (kind, place) in
                [(libc::LIO_WRITE, out.as_mut_ptr()), (libc::LIO_READ, back.as_mut_ptr())]
            {
                request.aio_lio_opcode = kind;
                request.aio_buf = place.cast();
                request.aio_nbytes = 7;
                let list = [&raw mut request];
                let done = libc::lio_listio(libc::LIO_WAIT, list.as_ptr(), 1, null_mut());
                lines.push(told("lio_listio", done as isize));
                let (error, count) =
                    (libc::aio_error(&request), libc::aio_return(&raw mut request));
                lines.push(format!("{error} {count}"));
            }
            libc::close(fd);
        }
        lines.push(String::from_utf8_lossy(&back).into_owned());
        lines
    });
}

#[test]
fn streams_that_are_opened_anew_and_libraries_in_a_space() {
    twins_alone(|coroutine| {
        let folder = Folder::new("reopen", coroutine);
        let (first, second) = (c_path(&folder.at("first")), c_path(&folder.at("second")));
        let mut lines = Vec::new();
        // SAFETY: C strings, an open stream, a function of that type.
        unsafe {
            let stream = libc::fopen(first.as_ptr(), c"w".as_ptr());
            libc::fputs(c"one".as_ptr(), stream);
            let stream = freopen64(second.as_ptr(), c"w".as_ptr(), stream);
            libc::fputs(c"two".as_ptr(), stream);
            lines.push(told("fclose", libc::fclose(stream) as isize));
            // The base space, where the program is.
            let handle = dlmopen(0, c"libm.so.6".as_ptr(), libc::RTLD_NOW);
            let cos: extern "C" fn(f64) -> f64 =
                std::mem::transmute(libc::dlsym(handle, c"cos".as_ptr()));
            lines.push(format!("{} {}", cos(0.0), libc::dlclose(handle)));
            let none = dlmopen(0, c"no such library".as_ptr(), libc::RTLD_NOW);
            lines.push(format!("{} {}", none.is_null(), libc::dlerror().is_null()));
        }
        for name in ["first", "second"] {
            lines.push(std::fs::read_to_string(folder.at(name)).unwrap());
        }
        lines
    });
}

#[test]
fn memory_and_the_log_of_the_kernel() {
    twins(|coroutine| {
        let folder = Folder::new("msync", coroutine);
        let path = folder.c("file");
        let mut lines = Vec::new();
        // SAFETY: a C string; a mapping of the test's own.
        unsafe {
            let fd = libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600);
            libc::ftruncate(fd, 4096);
            let both = libc::PROT_READ | libc::PROT_WRITE;
            let place = libc::mmap(null_mut(), 4096, both, libc::MAP_SHARED, fd, 0);
            place.cast::<u8>().write(7);
            for flags in [libc::MS_SYNC, libc::MS_ASYNC, libc::MS_SYNC | libc::MS_ASYNC] {
                lines.push(told("msync", libc::msync(place, 4096, flags) as isize));
            }
            let odd = place.cast::<u8>().add(1).cast();
            lines.push(told("msync", libc::msync(odd, 4096, libc::MS_SYNC) as isize));
            libc::munmap(place, 4096);
            libc::close(fd);
            lines.push(told("mlockall", libc::mlockall(0) as isize));
            // The size of the buffer, and no such request.
            lines.push(format!("{}", klogctl(10, null_mut(), 0)));
            lines.push(told("klogctl", klogctl(99, null_mut(), 0) as isize));
        }
        lines
    });
}
