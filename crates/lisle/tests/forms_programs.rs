//! Programs, shared objects, databases and trees of files: what the C library does inside of itself
//! and where it takes long, on an OS thread and on a coroutine.
//!
//! Calls that only another process ends are made while a coroutine beside them counts: on one
//! worker it counts only if the call suspends.

mod forms;
mod util;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use forms::{pipe, text};
use util::{Folder, a_moment, aside, told, twins};

unsafe extern "C" {
    fn wait3(status: *mut c_int, options: c_int, usage: *mut libc::rusage) -> libc::pid_t;
    fn nftw(
        path: *const c_char,
        visit: extern "C" fn(*const c_char, *const libc::stat, c_int, *mut c_void) -> c_int,
        depth: c_int,
        flags: c_int,
    ) -> c_int;
    fn fts_open(paths: *const *mut c_char, options: c_int, order: *const c_void) -> *mut c_void;
    fn fts_read(walk: *mut c_void) -> *mut c_void;
    fn fts_close(walk: *mut c_void) -> c_int;
    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut libc::hostent;
    fn gethostbyaddr(
        address: *const c_void,
        len: libc::socklen_t,
        family: c_int,
    ) -> *mut libc::hostent;
}

/// Runs `call`, which takes far longer than the steps of those beside it, also on a busy machine,
/// and tells whether somebody made some meanwhile.
fn beside<R>(coroutine: bool, call: impl FnOnce() -> R) -> (R, bool) {
    let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let partner = aside(coroutine, {
        let (over, count) = (Arc::clone(&over), Arc::clone(&count));
        move || {
            while !over.load(Ordering::Acquire) {
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    });
    // The first time a thread registers a destructor, it waits for objects that are being loaded.
    util::yield_until(|| count.load(Ordering::Relaxed) > 1);
    let before = count.load(Ordering::Relaxed);
    let result = call();
    let ran = count.load(Ordering::Relaxed) > before + 1;
    over.store(true, Ordering::Release);
    partner();
    (result, ran)
}

#[test]
fn commands() {
    twins(|coroutine| {
        let mut lines = Vec::new();
        // SAFETY: C strings, live places, children of our own.
        unsafe {
            let sleep = c"sleep 0.5; exit 3".as_ptr();
            let (status, ran) = beside(coroutine, || libc::system(sleep));
            lines.push(format!("system {status:#x} {ran}"));
            lines.push(format!("a shell: {}", libc::system(null()) != 0));
            let said = c"sleep 0.3; echo said; sleep 0.3; exit 4".as_ptr();
            let ((line, status), ran) = beside(coroutine, || {
                let stream = libc::popen(said, c"r".as_ptr());
                let mut place = [0; 16];
                libc::fgets(place.as_mut_ptr(), 16, stream);
                (text(&place), libc::pclose(stream))
            });
            lines.push(format!("popen {line:?} {status:#x} {ran}"));
            let stream = libc::popen(c"cat >/dev/null; exit 5".as_ptr(), c"w".as_ptr());
            libc::fputs(c"text".as_ptr(), stream);
            // As `fclose` does it too.
            lines.push(format!("pclose {:#x}", libc::fclose(stream)));
        }
        lines
    });
}

#[test]
fn a_number_that_pclose_gave_back() {
    twins(|_| {
        // SAFETY: C strings; descriptors of our own.
        unsafe {
            let stream = libc::popen(c"echo text".as_ptr(), c"r".as_ptr());
            let fd = libc::fileno(stream);
            let mut place = [0_u8; 8];
            // What is known of the number now is that of a pipe.
            let got = libc::read(fd, place.as_mut_ptr().cast(), 8);
            let closed = libc::pclose(stream);
            let (from, to) = pipe();
            libc::close(from);
            libc::close(to);
            let file = libc::open(c"/proc/self/comm".as_ptr(), libc::O_RDONLY);
            let read = libc::read(file, place.as_mut_ptr().cast(), 4);
            libc::close(file);
            vec![format!("{got} {closed} {read}")]
        }
    });
}

#[test]
fn children() {
    twins(|_| {
        let mut lines = Vec::new();
        // SAFETY: C strings, live places, children of our own.
        unsafe {
            let spawn = |command: &CStr| {
                let arguments = [
                    c"sh".as_ptr().cast_mut(),
                    c"-c".as_ptr().cast_mut(),
                    command.as_ptr().cast_mut(),
                    null_mut(),
                ];
                let mut pid = 0;
                let path = c"/bin/sh".as_ptr();
                let none: [*mut c_char; 1] = [null_mut()];
                let (place, list) = (&raw mut pid, arguments.as_ptr());
                let error = libc::posix_spawn(place, path, null(), null(), list, none.as_ptr());
                (error, pid)
            };
            let (error, pid) = spawn(c"exit 7");
            let mut status = 0;
            lines.push(format!("{error} {}", libc::waitpid(pid, &raw mut status, 0) == pid));
            lines.push(format!("{status:#x}"));
            let mut pid = 0;
            let none: [*mut c_char; 1] = [null_mut()];
            let path = c"/nowhere/at/all".as_ptr();
            let arguments = none.as_ptr();
            let error =
                libc::posix_spawnp(&raw mut pid, path, null(), null(), arguments, arguments);
            lines.push(format!("nowhere: {error}"));
        }
        lines
    });
}

#[test]
fn any_child() {
    // Alone in its process: other tests have children too.
    for mode in ["threads", "coroutines"] {
        let ended = util::in_child(&[("LISLE_MODE", mode), ("LISLE_WORKERS", "1")], || {
            let body = || {
                // SAFETY: a child of our own, which calls what children may.
                unsafe {
                    let child = libc::fork();
                    if child == 0 {
                        libc::usleep(500_000);
                        libc::_exit(9);
                    }
                    let mut status = 0;
                    let mut usage: libc::rusage = std::mem::zeroed();
                    let now = wait3(&raw mut status, libc::WNOHANG, &raw mut usage);
                    assert_eq!(now, 0);
                    let (ended, ran) = beside(true, || wait3(&raw mut status, 0, &raw mut usage));
                    assert_eq!((ended, status, ran), (child, 9 << 8, true));
                    assert_eq!(wait3(&raw mut status, 0, &raw mut usage), -1);
                }
            };
            lisle::spawn(body).join().unwrap();
        });
        ended.expect_return();
    }
}

extern "C" fn count(_: *const c_char, _: *const libc::stat, _: c_int, _: *mut c_void) -> c_int {
    VISITED.fetch_add(1, Ordering::Relaxed);
    // A call that would suspend the coroutine.
    std::thread::sleep(Duration::from_millis(1));
    0
}

static VISITED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn trees() {
    twins(|coroutine| {
        let folder = Folder::new("trees", coroutine);
        std::fs::create_dir_all(folder.at("a/b/c")).unwrap();
        std::fs::write(folder.at("a/file"), b"x").unwrap();
        let (root, pattern) = (folder.c(""), folder.c("a/*"));
        let mut lines = Vec::new();
        // SAFETY: C strings, live places.
        unsafe {
            let before = VISITED.load(Ordering::Relaxed);
            lines.push(told("nftw", nftw(root.as_ptr(), count, 8, 1) as isize));
            lines.push(format!("{}", VISITED.load(Ordering::Relaxed) - before));
            let paths = [root.as_ptr().cast_mut(), null_mut()];
            let walk = fts_open(paths.as_ptr(), 0x10, null());
            let entries = std::iter::from_fn(|| Some(fts_read(walk)).filter(|e| !e.is_null()));
            lines.push(format!("{}", entries.count()));
            lines.push(told("fts_close", fts_close(walk) as isize));
            let mut found: libc::glob_t = std::mem::zeroed();
            let globbed = libc::glob(pattern.as_ptr(), 0, None, &raw mut found);
            lines.push(format!("glob {globbed} {}", found.gl_pathc));
            libc::globfree(&raw mut found);
            let path = folder.c("a/file");
            let (name, value) = (c"user.test".as_ptr(), c"value".as_ptr().cast());
            let set = libc::setxattr(path.as_ptr(), name, value, 5, 0);
            lines.push(told("setxattr", set as isize));
            let none = libc::getxattr(path.as_ptr(), c"user.none".as_ptr(), null_mut(), 0);
            lines.push(told("getxattr", none));
            lines.push(told("chdir", libc::chdir(c"/nowhere/at/all".as_ptr()) as isize));
            lines.push(told("mount", {
                libc::mount(null(), c"/nowhere".as_ptr(), null(), libc::MS_REMOUNT, null()) as isize
            }));
        }
        lines
    });
}

#[test]
fn databases() {
    twins(|_| {
        let mut lines = Vec::new();
        // SAFETY: C strings, live places; what is returned is looked at at once.
        unsafe {
            let root = libc::getpwuid(0);
            lines.push(format!("{:?}", CStr::from_ptr((*root).pw_name)));
            let mut place: libc::passwd = std::mem::zeroed();
            let (mut words, mut found) = ([0 as c_char; 1024], null_mut());
            let name = c"root".as_ptr();
            let (words_at, found_at) = (words.as_mut_ptr(), &raw mut found);
            let error = libc::getpwnam_r(name, &raw mut place, words_at, 1024, found_at);
            lines.push(format!("{error} {} {}", found.is_null(), place.pw_uid));
            let error = libc::getpwnam_r(name, &raw mut place, words_at, 1, found_at);
            lines.push(format!("too small: {error}"));
            lines.push(format!("{}", libc::getgrnam(c"no such group".as_ptr()).is_null()));
            let mut groups = [0; 64];
            let mut count = 64;
            libc::getgrouplist(name, 0, groups.as_mut_ptr(), &raw mut count);
            lines.push(format!("{:?}", &groups[..count as usize]));
            let service = libc::getservbyname(c"no such service".as_ptr(), null());
            lines.push(format!("{}", service.is_null()));
            let host = gethostbyname2(c"127.0.0.1".as_ptr(), libc::AF_INET);
            lines.push(format!("{}", (*host).h_length));
            let local = [127_u8, 0, 0, 1];
            let host = gethostbyaddr(local.as_ptr().cast(), 4, libc::AF_INET);
            lines.push(format!("{}", host.is_null()));
        }
        lines
    });
}

#[test]
fn input_and_output_of_its_own() {
    twins(|coroutine| {
        let (from, to) = pipe();
        let mut place = [0_u8; 3];
        // SAFETY: live places until the end is told.
        unsafe {
            let mut block: libc::aiocb = std::mem::zeroed();
            (block.aio_fildes, block.aio_nbytes) = (from, 3);
            block.aio_buf = place.as_mut_ptr().cast();
            let started = libc::aio_read(&raw mut block);
            let list = [(&raw const block)];
            let short = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            let early = libc::aio_suspend(list.as_ptr(), 1, &raw const short);
            let early = told("aio_suspend", early as isize);
            let partner = aside(coroutine, move || {
                a_moment();
                forms::write(to, b"xyz");
            });
            let late = libc::aio_suspend(list.as_ptr(), 1, null());
            let ended = libc::aio_return(&raw mut block);
            partner();
            libc::close(from);
            libc::close(to);
            vec![format!("{started} {early} {late} {ended} {place:?}")]
        }
    });
}

#[test]
fn shared_objects_by_their_callers_paths() {
    const OUTER: &str = "#include <dlfcn.h>
        #include <unistd.h>
        __attribute__((constructor)) static void slow(void) { usleep(500000); }
        void *inner(void) {
            /* Volatile, so that it returns to this object. */
            void *volatile object = dlopen(\"libforms_inner.so\", RTLD_NOW);
            return object;
        }";
    const INNER: &str = "int number(void) { return 42; }";
    twins(|coroutine| {
        let folder = Folder::new("objects", coroutine);
        let inner = forms::build(&folder.0, "inner", INNER, &[]);
        std::fs::create_dir(folder.at("own")).unwrap();
        std::fs::rename(inner, folder.at("own/libforms_inner.so")).unwrap();
        let options = ["-Wl,-rpath,$ORIGIN/own"];
        let outer = util::c_path(&forms::build(&folder.0, "outer", OUTER, &options));
        let mut lines = Vec::new();
        // SAFETY: C strings; functions of these types.
        unsafe {
            let name = c"libforms_inner.so".as_ptr();
            lines.push(format!("not ours: {}", libc::dlopen(name, libc::RTLD_NOW).is_null()));
            let why = CStr::from_ptr(libc::dlerror()).to_string_lossy().into_owned();
            lines.push(why.split(':').next_back().unwrap().to_owned());
            let (object, ran) = beside(coroutine, || libc::dlopen(outer.as_ptr(), libc::RTLD_NOW));
            lines.push(format!("{} {ran}", object.is_null()));
            let find = libc::dlsym(object, c"inner".as_ptr());
            let find: extern "C" fn() -> *mut c_void = std::mem::transmute(find);
            let inner = find();
            lines.push(format!("theirs: {}", inner.is_null()));
            let number = libc::dlsym(inner, c"number".as_ptr());
            let number: extern "C" fn() -> c_int = std::mem::transmute(number);
            lines.push(format!("{}", number()));
            lines.push(format!("{} {}", libc::dlclose(inner), libc::dlclose(object)));
            lines.push(format!("{}", libc::dlopen(null(), libc::RTLD_NOW).is_null()));
        }
        lines
    });
}
