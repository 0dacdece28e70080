//! OS threads beside coroutines that are cancelled (`pthread_cancel`) in hooked calls: they end as
//! they would without the hooks, their cleanups run, and coroutines go on as before.

mod util;

use std::ffi::{c_char, c_int, c_long, c_void};
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, Ordering};

use util::{Folder, Library, here, on_workers};

unsafe extern "C" {
    fn pthread_cancel(thread: libc::pthread_t) -> c_int;
}

/// As in `fixtures/job.h`.
#[repr(C)]
struct Job {
    which: c_int,
    fd: c_int,
    tid: AtomicI32,
    before: c_int,
    go: AtomicI32,
    cleaned: c_int,
    result: c_long,
    path: [c_char; 64],
}

/// What `pthread_join` gives for a thread that was cancelled.
const CANCELED: *mut c_void = std::ptr::without_provenance_mut(usize::MAX);

/// The calls of `fixtures/job.h`, in their order.
const CALLS: [&str; 28] = [
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "write",
    "send",
    "accept",
    "accept4",
    "connect",
    "poll",
    "ppoll",
    "select",
    "pselect",
    "epoll_wait",
    "epoll_pwait",
    "nanosleep",
    "clock_nanosleep",
    "sleep",
    "usleep",
    "waitpid",
    "wait4",
    "open",
    "fcntl",
    "fsync",
    "close",
    "pread",
    "pwrite",
];

/// The last of them that waits for somebody. The others end by themselves, so that they are made
/// by threads that are to end already.
const LAST_THAT_WAITS: usize = 23;

/// What a call is made on: a number and a path, and what keeps them as they are.
struct Scene {
    fd: c_int,
    path: String,
    _kept: Vec<OwnedFd>,
    child: Option<Child>,
    _folder: Folder,
}

impl Scene {
    fn of(call: &str, number: usize) -> Self {
        let folder = Folder::new(&format!("cancel-{number}"), false);
        let path = folder.at("file");
        let (mut kept, mut child) = (Vec::new(), None::<Child>);
        let fd = match call {
            "accept" | "accept4" => UnixListener::bind(&path).unwrap().into_raw_fd(),
            "connect" => {
                let listener = UnixListener::bind(&path).unwrap();
                // SAFETY: a listener of our own; a new socket.
                let fd = unsafe {
                    assert_eq!(libc::listen(listener.as_raw_fd(), 0), 0);
                    libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)
                };
                kept.push(UnixStream::connect(&path).unwrap().into());
                kept.push(listener.into());
                fd
            }
            // SAFETY: plain calls; C strings.
            "epoll_wait" | "epoll_pwait" => unsafe { libc::epoll_create1(0) },
            "waitpid" | "wait4" => {
                let started = Command::new("sleep").arg("3600").spawn().unwrap();
                child.insert(started).id() as c_int
            }
            "open" => {
                // SAFETY: a C string.
                assert_eq!(unsafe { libc::mkfifo(util::c_path(&path).as_ptr(), 0o600) }, 0);
                -1
            }
            "fcntl" | "fsync" | "pread" | "pwrite" => {
                let (ours, theirs) = [0; 2].map(|_| open(&path)).into();
                // SAFETY: all-zero is a valid lock; a descriptor of our own.
                unsafe {
                    let mut lock: libc::flock = std::mem::zeroed();
                    lock.l_type = libc::F_WRLCK as libc::c_short;
                    let fd = theirs.as_raw_fd();
                    assert_eq!(libc::fcntl(fd, libc::F_OFD_SETLKW, &raw const lock), 0);
                }
                kept.push(theirs.into());
                ours.into_raw_fd()
            }
            _ => {
                let (ours, theirs) = UnixStream::pair().unwrap();
                kept.push(theirs.into());
                ours.into_raw_fd()
            }
        };
        if fd >= 0 && child.is_none() {
            // SAFETY: open, and nobody else's.
            kept.push(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let path = path.to_str().unwrap().to_owned();
        Scene { fd, path, _kept: kept, child, _folder: folder }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn open(path: &std::path::Path) -> File {
    File::options().read(true).append(true).create(true).open(path).unwrap()
}

/// The system call that an OS thread of this process is in; none while it runs.
fn system_call(tid: i32) -> Option<c_long> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Runs a call on a new OS thread, cancels that, and returns the digits of the cleanups.
fn cancelled_in(library: &Library, number: usize, before: bool) -> c_int {
    let name = CALLS[number];
    let scene = Scene::of(name, number);
    let mut path = [0; 64];
    assert!(scene.path.len() < path.len());
    path.iter_mut().zip(scene.path.bytes()).for_each(|(to, from)| *to = from as c_char);
    let job = Job {
        which: number as c_int,
        fd: scene.fd,
        tid: AtomicI32::new(0),
        before: before.into(),
        go: AtomicI32::new(0),
        cleaned: 0,
        result: 12345,
        path,
    };
    let job = Box::into_raw(Box::new(job));
    // SAFETY: the fixture's function has this type. The job lives until the thread was joined.
    unsafe {
        let body: extern "C" fn(*mut c_void) -> *mut c_void = library.get("body");
        let mut thread = 0;
        assert_eq!(libc::pthread_create(&raw mut thread, null(), body, job.cast()), 0);
        let (tid, go) = (&(*job).tid, &(*job).go);
        util::yield_until(|| tid.load(Ordering::Acquire) != 0);
        if !before {
            // Asleep in some call: there is none but the one that is to be made.
            util::yield_until(|| system_call(tid.load(Ordering::Acquire)).is_some());
        }
        assert_eq!(pthread_cancel(thread), 0);
        go.store(1, Ordering::Release);
        let mut value = null_mut();
        assert_eq!(libc::pthread_join(thread, &raw mut value), 0);
        let job = Box::from_raw(job);
        assert_eq!(value, CANCELED, "{name}");
        assert_eq!(job.result, 12345, "{name} returned");
        if before && scene.fd >= 0 && scene.child.is_none() {
            // Also what was to be closed is open: the call was never made.
            assert!(libc::fcntl(scene.fd, libc::F_GETFD) >= 0, "{name}");
        }
        job.cleaned
    }
}

/// Cancels threads in all calls, waiting and about to, from a coroutine.
fn all_calls(library: &Library, expected: c_int) {
    for (number, name) in CALLS.iter().enumerate() {
        assert_eq!(cancelled_in(library, number, true), expected, "{name}");
        if number <= LAST_THAT_WAITS {
            assert_eq!(cancelled_in(library, number, false), expected, "{name}");
        }
    }
}

/// Coroutines do what they did before, where they did it.
fn coroutines_go_on() {
    let (mut ours, mut theirs) = util::tcp_pair();
    let echo = lisle::spawn(move || std::io::copy(&mut theirs.try_clone().unwrap(), &mut theirs));
    let mut place = [0; 5];
    std::io::Write::write_all(&mut ours, b"hello").unwrap();
    std::io::Read::read_exact(&mut ours, &mut place).unwrap();
    assert_eq!(&place, b"hello");
    drop(ours);
    assert_eq!(echo.join().unwrap().unwrap(), 5);
}

#[test]
fn cleanup_handlers_of_c() {
    on_workers(|| {
        all_calls(&util::load("cancel.c", &[]), 12);
        coroutines_go_on();
    });
}

#[test]
fn cleanup_handlers_of_c_with_exceptions() {
    on_workers(|| {
        all_calls(&util::load("cancel.c", &["-fexceptions"]), 12);
        coroutines_go_on();
    });
}

#[test]
fn destructors_of_cxx() {
    if util::has_cxx() {
        on_workers(|| {
            all_calls(&util::load("cancel.cpp", &[]), 3412);
            coroutines_go_on();
        });
    }
}

/// OS threads that were cancelled while they accepted are not counted as accepting: coroutines
/// that accept from the same listener need no OS thread to do it.
#[test]
fn a_cancelled_acceptor_is_forgotten() {
    here(|| {
        let library = util::load("cancel.c", &[]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = CALLS.iter().position(|call| *call == "accept").unwrap();
        let mut job = Job {
            which: number as c_int,
            fd: listener.as_raw_fd(),
            tid: AtomicI32::new(0),
            before: 0,
            go: AtomicI32::new(0),
            cleaned: 0,
            result: 0,
            path: [0; 64],
        };
        let place = &raw mut job;
        // SAFETY: as in `cancelled_in`.
        unsafe {
            let body: extern "C" fn(*mut c_void) -> *mut c_void = library.get("body");
            let mut thread = 0;
            assert_eq!(libc::pthread_create(&raw mut thread, null(), body, place.cast()), 0);
            let tid = || (*place).tid.load(Ordering::Acquire);
            util::yield_until(|| tid() != 0 && system_call(tid()).is_some());
            assert_eq!(pthread_cancel(thread), 0);
            assert_eq!(libc::pthread_join(thread, null_mut()), 0);
        }
        const COUNT: usize = 4;
        let address = listener.local_addr().unwrap();
        let listener = std::sync::Arc::new(listener);
        let acceptors: Vec<_> = (0..COUNT)
            .map(|_| {
                let listener = std::sync::Arc::clone(&listener);
                util::spawn_running(move || listener.accept().is_ok())
            })
            .collect();
        // Long enough for those that would go to an OS thread to be there.
        let pauses = 50;
        let mut accepting = 0;
        for _ in 0..pauses {
            lisle::sleep(std::time::Duration::from_millis(1));
            accepting = accepting.max(threads_that_accept());
        }
        if !util::threads() {
            assert_eq!(accepting, 0, "OS threads that accept");
        }
        let clients = [0; COUNT].map(|_| TcpStream::connect(address).unwrap());
        assert!(acceptors.into_iter().all(|one| one.join().unwrap()));
        drop(clients);
    });
}

/// How many OS threads of this process are waiting in a call that accepts.
fn threads_that_accept() -> usize {
    let all = std::fs::read_dir("/proc/self/task").unwrap();
    let numbers = all.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap());
    numbers
        .filter_map(system_call)
        .filter(|call| [libc::SYS_accept, libc::SYS_accept4].contains(call))
        .count()
}

/// Waiting for a condition, the cancelled thread has the mutex again when its cleanups run, and
/// signals go to others. Before there is a runtime and beside one.
#[test]
fn waiting_for_locks_of_c() {
    const WAITS: c_int = 5;
    let library = util::load("cancel_locks.c", &[]);
    // SAFETY: the function has this type.
    let cancel: extern "C" fn(c_int, c_int) -> c_int = unsafe { library.get("cancel_lock") };
    let all = move || {
        for which in 0..WAITS {
            for early in 0..2 {
                assert_eq!(cancel(which, early), 0, "wait {which}, early {early}");
            }
        }
    };
    util::within("waiting_for_locks_of_c", util::LIMIT, move || {
        std::thread::spawn(all).join().unwrap();
        lisle::spawn(|| ()).join().unwrap();
        std::thread::spawn(all).join().unwrap();
    });
}

/// A coroutine that runs C code, as those of Rust do not let themselves be cancelled: std aborts.
#[test]
fn coroutines_that_wait() {
    const WAITS: c_int = 8;
    if util::threads() {
        eprintln!("coroutines are OS threads here, of which the other tests are");
        return;
    }
    on_workers(|| {
        let library = util::load("cancel_coroutine.c", &[]);
        type Scene = *mut c_void;
        // SAFETY: the functions have these types.
        let (begin, began, body, cancel, cleaned, size) = unsafe {
            let begin: extern "C" fn(Scene, c_int, c_int) = library.get("scene_begin");
            let began: extern "C" fn(Scene) -> c_int = library.get("scene_began");
            let body: extern "C-unwind" fn(Scene) = library.get("scene_body");
            let cancel: extern "C" fn(Scene) -> c_int = library.get("scene_cancel");
            let cleaned: extern "C" fn(Scene) -> c_int = library.get("scene_cleaned");
            let size: extern "C" fn() -> c_int = library.get("scene_size");
            (begin, began, body, cancel, cleaned, size)
        };
        let runtime = lisle_rt::Runtime::get_or_start().unwrap().unwrap();
        for which in 0..WAITS {
            for early in [false, true] {
                let (ours, _theirs) = UnixStream::pair().unwrap();
                let mut scene = vec![0_u64; size() as usize / 8 + 1];
                let place = scene.as_mut_ptr().expose_provenance();
                let scene = || std::ptr::with_exposed_provenance_mut::<c_void>(place);
                begin(scene(), which, ours.as_raw_fd());
                // SAFETY: the scene is joined before it goes. It unwinds by the C library's means,
                // for which the frames between are made.
                let task = unsafe {
                    let run = move || {
                        body(std::ptr::with_exposed_provenance_mut(place));
                    };
                    runtime.spawn(None, Some(1 << 20), run).unwrap()
                };
                util::yield_until(|| began(scene()) != 0);
                if !early {
                    util::a_moment();
                }
                assert_eq!(cancel(scene()), 0);
                task.join();
                assert_eq!(cleaned(scene()), 12, "wait {which}, early {early}");
            }
        }
    });
}
