//! C's locks in memory that this process shares with a program that has the C library's own.

mod util;

use std::ffi::{CString, c_char, c_int, c_void};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::ptr::null_mut;

use util::{Actor, Folder, load, on_workers, program, scaled};

type Prepare = unsafe extern "C" fn(*mut c_void, c_int);
type Work = unsafe extern "C" fn(*mut c_void, *const c_char, c_int, c_int);
type Results = unsafe extern "C" fn(*mut c_void, c_int, c_int) -> c_int;

#[test]
fn with_a_program_that_has_the_c_librarys_locks() {
    on_workers(|| {
        let library = load("shared_locks.c", &[]);
        // SAFETY: the functions have these types, and the library stays.
        let (prepare, work, results, size) = unsafe {
            let size: unsafe extern "C" fn() -> usize = library.get("size");
            let prepare: Prepare = library.get("prepare");
            let (work, results): (Work, Results) = (library.get("work"), library.get("result"));
            (prepare, work, results, size())
        };
        let folder = Folder::new("shared_locks", true);
        let path = folder.at("memory");
        let file =
            std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        file.set_len(size as u64).unwrap();
        let (rights, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping.
        let memory = unsafe { libc::mmap(null_mut(), size, rights, kind, file.as_raw_fd(), 0) };
        assert_ne!(memory, libc::MAP_FAILED);
        let memory = memory as usize;
        let name = CString::new(format!("/lisle-locks-{}", std::process::id())).unwrap();
        // SAFETY: a C string.
        let named = unsafe { libc::sem_open(name.as_ptr(), libc::O_CREAT, 0o600, 1) };
        assert_ne!(named, libc::SEM_FAILED);
        let (ours, theirs, rounds) = (scaled(40, 12), 8, 24);
        // SAFETY: a place for it.
        unsafe { prepare(memory as *mut c_void, (ours + theirs) as c_int) };
        let mut other = Command::new(program("shared_locks.c"))
            .arg(&path)
            .arg(name.to_str().unwrap())
            .args([rounds, ours as i32, (ours + theirs) as i32].map(|number| number.to_string()))
            .spawn()
            .unwrap();
        let actors: Vec<_> = (0..ours)
            .map(|party| {
                let name = name.clone();
                // A third of ours are OS threads.
                let body = move || {
                    // SAFETY: prepared above, and mapped until all have ended.
                    unsafe { work(memory as *mut c_void, name.as_ptr(), party as c_int, rounds) }
                };
                if party % 3 == 2 {
                    Actor::spawn(1, body)
                } else {
                    let coroutine = lisle::Builder::new().stack_size(256 << 10).spawn(body);
                    Actor::Coroutine(coroutine.unwrap())
                }
            })
            .collect();
        actors.into_iter().for_each(Actor::join);
        assert!(other.wait().unwrap().success());
        // SAFETY: all have ended.
        let errors = unsafe {
            libc::sem_close(named);
            libc::sem_unlink(name.as_ptr());
            results(memory as *mut c_void, (ours + theirs) as c_int, rounds)
        };
        assert_eq!(errors, 0);
    });
}
