//! New processes and new identities, made on a coroutine as on an OS thread: what a fork runs
//! before and after, what a program that is executed has of us, and who we are afterwards.

mod util;

use std::ffi::{CStr, CString, c_char, c_int};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use util::{Folder, in_child, load, on_workers, scaled, told, twins, twins_of_a_child};

/// Forks; the child ends with what `body` returns, by `_exit`. Returns how it ended.
fn forked(body: impl FnOnce() -> c_int) -> String {
    // SAFETY: the child goes on with this thread alone; a live place.
    unsafe {
        let pid = libc::fork();
        assert!(pid >= 0, "{}", std::io::Error::last_os_error());
        if pid == 0 {
            libc::_exit(body());
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
        format!("{status:#x}")
    }
}

/// The digits of the handlers that ran.
static RAN: AtomicI32 = AtomicI32::new(0);

fn ran(digit: i32) {
    RAN.store(RAN.load(Ordering::Relaxed) * 10 + digit, Ordering::Relaxed);
}

/// Handlers run before a fork in the opposite order in which they were made, after it in theirs.
#[test]
fn handlers_of_forks_run_in_order() {
    extern "C" fn first() {
        ran(1);
    }
    extern "C" fn second() {
        ran(2);
    }
    extern "C" fn after_first() {
        ran(3);
    }
    extern "C" fn after_second() {
        ran(4);
    }
    let ended = in_child(&[], || {
        // SAFETY: the handlers count. One was made before the runtime starts, one after it did.
        unsafe { libc::pthread_atfork(Some(first), Some(after_first), Some(after_first)) };
        assert!(lisle::spawn(|| true).join().unwrap());
        // SAFETY: as above.
        unsafe { libc::pthread_atfork(Some(second), Some(after_second), Some(after_second)) };
        twins_of_a_child(|_| {
            RAN.store(0, Ordering::Relaxed);
            // The numbers are small enough to be told as two statuses.
            let [low, high] =
                [|| RAN.load(Ordering::Relaxed) % 100, || RAN.load(Ordering::Relaxed) / 100].map(
                    |part: fn() -> i32| {
                        RAN.store(0, Ordering::Relaxed);
                        forked(part)
                    },
                );
            vec![low, high, format!("{}", RAN.load(Ordering::Relaxed))]
        });
        assert_eq!(RAN.load(Ordering::Relaxed), 2134);
    });
    ended.expect_return();
}

/// Children allocate, talk and lock, while others of the parent did all of that when it forked.
#[test]
fn children_of_a_busy_process_are_usable() {
    on_workers(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..scaled(20, 6))
            .map(|own| {
                let (stop, lock) = (Arc::clone(&stop), Mutex::new(0));
                lisle::spawn(move || {
                    let (mut from, mut into) = std::io::pipe().unwrap();
                    while !stop.load(Ordering::Acquire) {
                        let mut held = lock.lock().unwrap();
                        let text = vec![own as u8; 1000 + own * 50];
                        into.write_all(&text).unwrap();
                        from.read_exact(&mut vec![0; text.len()]).unwrap();
                        *held += 1;
                        std::thread::yield_now();
                    }
                    *lock.lock().unwrap()
                })
            })
            .collect();
        for round in 0..20 {
            let child = || {
                let (mut from, mut into) = std::io::pipe().unwrap();
                let lock = Mutex::new(vec![round; 10_000]);
                into.write_all(&lock.lock().unwrap()[..100]).unwrap();
                let mut text = vec![0; 100];
                from.read_exact(&mut text).unwrap();
                std::thread::sleep(Duration::from_millis(1));
                let strings: Vec<_> = (0..100).map(|number| number.to_string()).collect();
                c_int::from(text == [round; 100] && strings.concat().len() == 190)
            };
            assert_eq!(forked(child), "0x100");
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Release);
        assert!(busy.into_iter().all(|one| one.join().unwrap() > 0));
    });
}

/// Programs that tell of the process that they are. The mask is told by one that is no shell, since
/// a shell changes it.
const TELL: [&[&str]; 3] = [
    &["cat", "/proc/self/status"],
    &["ls", "/proc/self/fd"],
    &["sh", "-c", "pwd; umask; echo \"$MARK\""],
];

fn c_strings(all: &[&str]) -> Vec<CString> {
    all.iter().map(|text| CString::new(*text).unwrap()).collect()
}

/// What of the told is the same in each run.
fn lasting(text: &str) -> String {
    let of_a_status = ["SigBlk", "SigIgn", "SigCgt"];
    let lines = text.lines().filter(|line| {
        !line.contains(":\t") || of_a_status.iter().any(|name| line.starts_with(name))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A set of signals in the told, one bit each.
fn signals(told: &str, name: &str) -> u64 {
    let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    u64::from_str_radix(line.expect("a line of the status"), 16).expect("a number in hex")
}

fn pointers(all: &[CString]) -> Vec<*mut c_char> {
    all.iter().map(|one| one.as_ptr().cast_mut()).chain([null_mut()]).collect()
}

/// The lines that a child writes to the pipe that is its standard output.
fn output(start: impl FnOnce(c_int) -> c_int) -> String {
    let (mut from, into) = std::io::pipe().unwrap();
    let pid = start(into.as_raw_fd());
    drop(into);
    let (mut text, mut status) = (String::new(), 0);
    from.read_to_string(&mut text).unwrap();
    // SAFETY: a live place.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    format!("{} {status:#x} {text}", waited == pid)
}

fn mask_of(signals: &[c_int]) -> libc::sigset_t {
    // SAFETY: all-zero is a set; a live place.
    unsafe {
        let mut mask = std::mem::zeroed();
        libc::sigemptyset(&raw mut mask);
        signals.iter().for_each(|signal| assert_eq!(libc::sigaddset(&raw mut mask, *signal), 0));
        mask
    }
}

/// A program gets the descriptors that are to stay open and no other, the mask and the ignored
/// signals, the folder and the environment of who executes it.
#[test]
fn what_an_executed_program_has() {
    let ended = in_child(&[("MARK", "marked")], || {
        // SAFETY: ignoring a signal.
        unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
        twins_of_a_child(|coroutine| {
            let folder = Folder::new("conform-exec", coroutine);
            let stays = std::fs::File::create(folder.at("stays")).unwrap();
            let mask = mask_of(&[libc::SIGUSR1, libc::SIGALRM]);
            let mut lines = Vec::new();
            for program in TELL {
                let all = c_strings(program);
                let list = pointers(&all);
                let text = output(|into| {
                    // SAFETY: after the fork only system calls, on what was made before it.
                    unsafe {
                        let pid = libc::fork();
                        if pid == 0 {
                            libc::dup2(into, 1);
                            libc::dup2(stays.as_raw_fd(), 100);
                            libc::chdir(c"/".as_ptr());
                            libc::umask(0o27);
                            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, null_mut());
                            libc::execvp(list[0], list.as_ptr().cast());
                            libc::_exit(127);
                        }
                        pid
                    }
                });
                lines.push(lasting(&text));
            }
            let told = lines.concat();
            // Both signals are blocked, and the ignored one is: maybe beside others that whoever
            // started this process had ignored.
            let masks = (signals(&told, "SigBlk"), signals(&told, "SigIgn") & 0x800);
            assert_eq!(masks, (0x2200, 0x800), "{told}");
            assert!(told.contains("\n100") && told.contains("marked"), "{told}");
            let list = [null::<c_char>()];
            let none = output(|_| {
                // SAFETY: as above.
                unsafe {
                    let pid = libc::fork();
                    if pid == 0 {
                        libc::execv(c"/none/at/all".as_ptr(), list.as_ptr());
                        libc::_exit(*libc::__errno_location());
                    }
                    pid
                }
            });
            lines.push(none);
            lines
        });
    });
    ended.expect_return();
}

/// Spawns a program whose input is a file, whose output is `into`, that leads a group and has one
/// signal blocked and another one's effect restored.
fn spawned(program: &[&str], input: &CStr, into: c_int) -> c_int {
    let (all, environment) = (c_strings(program), c_strings(&["MARK=mine", "PATH=/bin:/usr/bin"]));
    let (list, own) = (pointers(&all), pointers(&environment));
    // SAFETY: live places, which are initialised first; C strings.
    unsafe {
        let mut actions = std::mem::zeroed();
        let mut attributes = std::mem::zeroed();
        let (mut pid, actions, attributes) = (0, &raw mut actions, &raw mut attributes);
        libc::posix_spawn_file_actions_init(actions);
        libc::posix_spawn_file_actions_addopen(actions, 0, input.as_ptr(), libc::O_RDONLY, 0);
        libc::posix_spawn_file_actions_adddup2(actions, into, 1);
        libc::posix_spawn_file_actions_adddup2(actions, 1, 50);
        libc::posix_spawn_file_actions_adddup2(actions, 1, 51);
        libc::posix_spawn_file_actions_addclose(actions, 50);
        libc::posix_spawnattr_init(attributes);
        let flags = libc::POSIX_SPAWN_SETSIGMASK
            | libc::POSIX_SPAWN_SETSIGDEF
            | libc::POSIX_SPAWN_SETPGROUP;
        libc::posix_spawnattr_setflags(attributes, flags as libc::c_short);
        libc::posix_spawnattr_setpgroup(attributes, 0);
        libc::posix_spawnattr_setsigmask(attributes, &mask_of(&[libc::SIGHUP]));
        libc::posix_spawnattr_setsigdefault(attributes, &mask_of(&[libc::SIGPIPE]));
        let (list, own) = (list.as_ptr(), own.as_ptr());
        let error = libc::posix_spawnp(&raw mut pid, *list, actions, attributes, list, own);
        assert_eq!(error, 0);
        libc::posix_spawn_file_actions_destroy(actions);
        libc::posix_spawnattr_destroy(attributes);
        pid
    }
}

/// `posix_spawn` with file actions and attributes.
#[test]
fn spawned_programs_get_what_was_asked_for() {
    twins(|coroutine| {
        let folder = Folder::new("conform-spawn", coroutine);
        std::fs::write(folder.at("input"), "from the file\n").unwrap();
        let input = folder.c("input");
        let leads = "read -r pid name state parent group rest < /proc/self/stat; \
            test $$ = $group && echo leads";
        let mut lines = Vec::new();
        for program in [
            &["cat", "-", "/proc/self/status"][..],
            &["ls", "/proc/self/fd"],
            &["env"],
            &["sh", "-c", leads],
        ] {
            lines.push(lasting(&output(|into| spawned(program, &input, into))));
        }
        let told = lines.concat();
        for part in ["from the file", "SigBlk:\t0000000000000001", "\n51", "MARK=mine", "leads"] {
            assert!(told.contains(part), "no {part} in {told}");
        }
        assert!(!told.contains("\n50"), "{told}");
        // SAFETY: live places; C strings; lists that end.
        unsafe {
            let (mut pid, list) = (0, [null_mut::<c_char>()]);
            for path in [c"/none/at/all", c"/etc/hosts", c"no-such-program"] {
                let (place, list, path) = (&raw mut pid, list.as_ptr(), path.as_ptr());
                let error = libc::posix_spawn(place, path, null(), null(), list, list);
                let other = libc::posix_spawnp(place, path, null(), null(), list, list);
                lines.push(format!("{error} {other}"));
            }
        }
        lines
    });
}

/// `vfork`, then a program at once, which is there or is not.
#[test]
fn programs_run_by_vfork() {
    twins(|_| {
        let library = load("vfork.c", &[]);
        let run = |shell: &CStr, text: &str| {
            let (text, mut seen) = (CString::new(text).unwrap(), 0);
            // SAFETY: the function has this type; C strings, a live place.
            let status = unsafe {
                type Run = extern "C" fn(*const c_char, *const c_char, *mut c_int) -> c_int;
                library.get::<Run>("run")(shell.as_ptr(), text.as_ptr(), &raw mut seen)
            };
            format!("{status:#x} {seen}")
        };
        vec![run(c"/bin/sh", "exit 7"), run(c"/bin/sh", "kill -9 $$"), run(c"/none", "")]
    });
}

/// The identities that all OS threads of this process have: one, if they agree.
fn identities() -> Vec<String> {
    let mut all: Vec<_> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).ok())
        .map(|text| {
            let own = text.lines().filter(|line| {
                ["Uid:", "Gid:", "Groups:"].iter().any(|name| line.starts_with(name))
            });
            own.collect::<Vec<_>>().join(" ")
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Who runs this as the superuser becomes nobody, step by step; others become who they are. Each
/// step reaches all OS threads, whatever runs on them, and what is not allowed fails for both.
#[test]
fn identities_change_beside_busy_coroutines() {
    for workers in ["1", "3"] {
        let ended = in_child_with(workers, || {
            let stop = Arc::new(AtomicBool::new(false));
            let busy: Vec<_> = (0..9)
                .map(|own| {
                    let stop = Arc::clone(&stop);
                    lisle::spawn(move || {
                        while !stop.load(Ordering::Acquire) {
                            match own % 3 {
                                0 => std::thread::yield_now(),
                                1 => {
                                    lisle::blocking(|| std::thread::sleep(Duration::from_millis(1)))
                                }
                                _ => std::thread::sleep(Duration::from_micros(100)),
                            }
                        }
                    })
                })
                .collect();
            lisle::spawn(change_identities).join().unwrap();
            stop.store(true, Ordering::Release);
            busy.into_iter().for_each(|one| one.join().unwrap());
        });
        ended.expect_success();
    }
}

/// Runs `body` in a child process of the test that calls this: each number of workers in one of
/// its own.
fn in_child_with<F: FnOnce()>(workers: &str, body: F) -> util::Ended {
    if util::is_child() {
        util::within("a change of identities", util::LIMIT, body);
        println!("test result: ok. 1 passed, in the child itself");
        std::process::exit(0);
    }
    let name = "identities_change_beside_busy_coroutines";
    util::child(name, &[("LISLE_WORKERS", workers)])
}

fn change_identities() {
    // SAFETY: plain calls; a live list.
    unsafe {
        let root = libc::geteuid() == 0;
        let (user, group) = if root { (65_534, 65_534) } else { (libc::getuid(), libc::getgid()) };
        let step = |name: &str, result: c_int| {
            assert_eq!(result, 0, "{}", told(name, result as isize));
            let all = identities();
            assert_eq!(all.len(), 1, "after {name}: {all:?}");
        };
        if root {
            let groups = [group, 10];
            step("setgroups", libc::setgroups(2, groups.as_ptr()));
        }
        step("setegid", libc::setegid(group));
        step("setregid", libc::setregid(group, group));
        step("setresgid", libc::setresgid(group, group, group));
        step("setgid", libc::setgid(group));
        step("seteuid", libc::seteuid(user));
        if root {
            // The real one is the superuser's still.
            step("seteuid", libc::seteuid(0));
        }
        step("setreuid", libc::setreuid(user, user));
        step("setresuid", libc::setresuid(user, user, user));
        step("setuid", libc::setuid(user));
        assert_eq!(
            told("setuid", libc::setuid(0) as isize),
            told("setuid", {
                *libc::__errno_location() = libc::EPERM;
                -1
            })
        );
        assert_eq!([libc::getuid(), libc::geteuid(), libc::getgid()], [user, user, group]);
    }
}
