//! Preemption of everything that a thread may be preempted in: allocations, output, panics,
//! thread-locals, hooked calls, loading of libraries, forks, beside coroutines that compute.

mod util;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use util::{Random, in_child};

const OFTEN: &[(&str, &str)] = &[("LISLE_SLICE", "100us")];
const OFTEN_ONE: &[(&str, &str)] = &[("LISLE_SLICE", "100us"), ("LISLE_WORKERS", "1")];

/// Runs `body` with others that compute until it is over. The process is its own.
fn beside_hogs(body: impl FnOnce() + Send + 'static) {
    util::hush_panics_on_purpose();
    let stop = Arc::new(AtomicBool::new(false));
    let hogs: Vec<_> = (0..4)
        .map(|_| {
            let stop = Arc::clone(&stop);
            lisle::spawn(move || {
                while !stop.load(Relaxed) {
                    black_box(());
                }
            })
        })
        .collect();
    lisle::Builder::new().stack_size(1 << 20).spawn(body).unwrap().join().unwrap();
    stop.store(true, Relaxed);
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
    let coroutines = lisle::runtime::mode() == lisle::runtime::Mode::Coroutines;
    assert!(!coroutines || lisle::runtime::metrics().preemptions > 0);
}

/// Allocates, formats, hashes.
fn churn(random: &mut Random) {
    let size = random.below(70_000);
    let bytes = vec![size as u8; size];
    let text = format!("{size} {:?}", &bytes[..size.min(20)]);
    let mut counts = HashMap::new();
    text.chars().for_each(|c| *counts.entry(c).or_insert(0) += 1);
    black_box(counts);
}

#[test]
fn allocating_on_all_workers() {
    in_child(OFTEN, || {
        beside_hogs(|| {
            let all: Vec<_> = (0..8)
                .map(|own| {
                    lisle::spawn(move || {
                        let mut random = Random::new(own);
                        (0..300).for_each(|_| churn(&mut random));
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        })
    })
    .expect_return();
}

#[test]
fn writing_to_the_same_output() {
    in_child(OFTEN, || {
        beside_hogs(|| {
            let all: Vec<_> = (0..8)
                .map(|own| {
                    lisle::spawn(move || {
                        for line in 0..500 {
                            println!("{own}: {line} {:?}", [own; 5]);
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        })
    })
    .expect_return();
}

#[test]
fn panics_unwind() {
    struct Counts<'a>(&'a Cell<u32>);
    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    fn deep(depth: u32, count: &Cell<u32>) -> u32 {
        let _counts = Counts(count);
        if depth == 0 {
            std::panic::resume_unwind(Box::new(7_u32));
        }
        deep(depth - 1, count) + black_box(1)
    }
    in_child(OFTEN, || {
        beside_hogs(|| {
            let all: Vec<_> = (0..8)
                .map(|_| {
                    lisle::spawn(move || {
                        for _ in 0..200 {
                            let count = Cell::new(0);
                            let caught =
                                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                                    deep(20, &count)
                                }));
                            assert_eq!(caught.unwrap_err().downcast_ref(), Some(&7_u32));
                            assert_eq!(count.get(), 21);
                            assert!(!std::thread::panicking());
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        })
    })
    .expect_return();
}

thread_local! {
    static OWN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

#[test]
fn thread_locals_stay_with_their_coroutine() {
    in_child(OFTEN, || {
        beside_hogs(|| {
            let all: Vec<_> = (1..17)
                .map(|own| {
                    lisle::spawn(move || {
                        NUMBER.set(own);
                        for _ in 0..30_000 {
                            OWN.with_borrow_mut(|list| {
                                list.push(NUMBER.get());
                                if list.len() > 100 {
                                    assert!(list.drain(..).all(|number| number == own));
                                }
                            });
                            // SAFETY: its own.
                            unsafe { *libc::__errno_location() = own as i32 };
                            black_box(&());
                            // SAFETY: as above.
                            assert_eq!(unsafe { *libc::__errno_location() }, own as i32);
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        })
    })
    .expect_return();
}

#[test]
fn frames_of_hundreds_of_kilobytes() {
    #[inline(never)]
    fn large(seed: u64) -> u64 {
        let mut words = [0_u64; 60_000];
        for round in 0..20 {
            for (index, word) in words.iter_mut().enumerate() {
                *word = word.wrapping_add(seed ^ (index as u64) << round);
            }
            black_box(&mut words);
        }
        words.iter().fold(0, |sum, word| sum ^ word)
    }
    in_child(OFTEN, || {
        beside_hogs(|| {
            let expected = large(1);
            let all: Vec<_> = (0..4)
                .map(|_| {
                    let builder = lisle::Builder::new().stack_size(2 << 20);
                    builder.spawn(|| (0..2).map(|_| large(1)).collect::<Vec<_>>()).unwrap()
                })
                .collect();
            for one in all {
                assert!(one.join().unwrap().into_iter().all(|sum| sum == expected));
            }
        })
    })
    .expect_return();
}

/// What the hooks do is done while others are preempted, and in coroutines that are.
#[test]
fn hooked_calls() {
    for environment in [OFTEN, OFTEN_ONE] {
        in_child(environment, || {
            beside_hogs(|| {
                let lock = Arc::new(Mutex::new(0_u64));
                let all: Vec<_> = (0..4)
                    .map(|_| {
                        let lock = Arc::clone(&lock);
                        let (mut one, mut other) = UnixStream::pair().unwrap();
                        let echo = lisle::spawn(move || {
                            let mut byte = [0];
                            while other.read(&mut byte).unwrap() == 1 {
                                other.write_all(&byte).unwrap();
                            }
                        });
                        lisle::spawn(move || {
                            for number in 0..100_u8 {
                                one.write_all(&[number]).unwrap();
                                let mut byte = [0];
                                one.read_exact(&mut byte).unwrap();
                                assert_eq!(byte, [number]);
                                *lock.lock().unwrap() += 1;
                            }
                            drop(one);
                            echo.join().unwrap();
                        })
                    })
                    .collect();
                all.into_iter().for_each(|one| one.join().unwrap());
                assert_eq!(*lock.lock().unwrap(), 400);
            })
        })
        .expect_return();
    }
}

#[test]
fn libraries_come_and_go() {
    in_child(OFTEN, || {
        beside_hogs(|| {
            let all: Vec<_> = (0..4)
                .map(|_| {
                    lisle::spawn(|| {
                        for _ in 0..40 {
                            // SAFETY: a library without constructors of note.
                            unsafe {
                                let flags = libc::RTLD_NOW;
                                let library = libc::dlopen(c"libanl.so.1".as_ptr(), flags);
                                let library = if library.is_null() {
                                    libc::dlopen(c"libm.so.6".as_ptr(), flags)
                                } else {
                                    library
                                };
                                assert!(!library.is_null());
                                libc::dlclose(library);
                            }
                            black_box(std::backtrace::Backtrace::force_capture().to_string());
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        })
    })
    .expect_return();
}

/// Nobody is preempted in a callback that the loader makes with its lock held: whoever else wants
/// the lock would block the only worker.
#[test]
fn callbacks_with_the_loaders_lock() {
    unsafe extern "C" fn slow(
        _: *mut libc::dl_phdr_info,
        _: usize,
        count: *mut libc::c_void,
    ) -> i32 {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2) {
            black_box(());
        }
        // SAFETY: what was passed.
        unsafe { *count.cast::<usize>() += 1 };
        0
    }
    in_child(OFTEN_ONE, || {
        beside_hogs(|| {
            let all: Vec<_> = (0..4)
                .map(|_| {
                    lisle::spawn(|| {
                        for _ in 0..5 {
                            let mut count = 0_usize;
                            // SAFETY: the callback gets a live place.
                            unsafe { libc::dl_iterate_phdr(Some(slow), (&raw mut count).cast()) };
                            assert!(count > 2);
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        })
    })
    .expect_return();
}

#[test]
fn programs_are_run_and_become_others() {
    in_child(OFTEN, || {
        beside_hogs(|| {
            for _ in 0..20 {
                let output = Command::new("echo").arg("here").output().unwrap();
                assert_eq!(output.stdout, b"here\n");
                // SAFETY: the child ends, or is another program.
                let child = unsafe { libc::fork() };
                if child == 0 {
                    // SAFETY: C strings and a null pointer at the end.
                    unsafe {
                        let name = c"true".as_ptr();
                        libc::execlp(name, name, std::ptr::null::<libc::c_char>());
                        libc::_exit(1);
                    }
                }
                let mut status = 0;
                // SAFETY: a live place.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                assert_eq!(status, 0);
            }
        })
    })
    .expect_return();
}

/// The new program is not ended by a tick that was meant for this one.
#[test]
fn a_process_with_hogs_becomes_another_program() {
    for _ in 0..10 {
        let ended = in_child(OFTEN_ONE, || {
            for _ in 0..4 {
                lisle::spawn(|| while black_box(true) {});
            }
            lisle::spawn(|| {
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(5) {
                    black_box(());
                }
                let arguments = [c"echo".as_ptr(), c"the body returned".as_ptr(), std::ptr::null()];
                // SAFETY: C strings and a null pointer at the end.
                unsafe { libc::execvp(arguments[0], arguments.as_ptr()) };
            })
            .join()
            .unwrap();
        });
        ended.expect_return();
    }
}

static STRUCK: AtomicUsize = AtomicUsize::new(0);

extern "C" fn strike(_: i32) {
    STRUCK.fetch_add(1, Relaxed);
}

#[test]
fn a_profilers_timer() {
    in_child(OFTEN, || {
        beside_hogs(|| {
            let every = libc::timeval { tv_sec: 0, tv_usec: 500 };
            let timer = libc::itimerval { it_interval: every, it_value: every };
            // SAFETY: a handler that counts; a live timer.
            unsafe {
                libc::signal(libc::SIGPROF, strike as *const () as usize);
                libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut());
            }
            let mut random = Random::new(1);
            while STRUCK.load(Relaxed) < 100 {
                churn(&mut random);
            }
        })
    })
    .expect_return();
}

#[test]
fn identities_are_changed() {
    in_child(OFTEN, || {
        beside_hogs(|| {
            for _ in 0..50 {
                // SAFETY: plain calls.
                unsafe { assert_eq!(libc::setgid(libc::getgid()), 0) };
            }
        })
    })
    .expect_return();
}

#[test]
fn nobody_is_preempted_if_it_is_off() {
    in_child(&[("LISLE_SLICE", "off"), ("LISLE_WORKERS", "1")], || {
        let computed = lisle::spawn(|| {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(100) {
                black_box(());
            }
        });
        lisle::spawn(|| ()).join().unwrap();
        computed.join().unwrap();
        assert_eq!(lisle::runtime::metrics().preemptions, 0);
    })
    .expect_return();
}

/// One of the things above, as the number says.
fn step(random: &mut Random, depth: u32) {
    match random.below(9) {
        0 => churn(random),
        1 => lisle::yield_now(),
        2 => lisle::sleep(Duration::from_micros(random.below(300) as u64)),
        3 => {
            let mut text = String::new();
            (0..random.below(300)).for_each(|n| write!(text, "{n} ").unwrap());
        }
        4 => drop(std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(1)))),
        5 => assert!((0..random.below(200_000)).all(|n| black_box(n) < 200_000)),
        6 => {
            let (mut one, mut other) = UnixStream::pair().unwrap();
            one.write_all(b"x").unwrap();
            other.read_exact(&mut [0]).unwrap();
        }
        7 => OWN.with_borrow_mut(|list| list.push(depth as usize)),
        _ if depth > 0 => {
            let mut own = random.fork();
            let child = lisle::spawn(move || (0..5).for_each(|_| step(&mut own, depth - 1)));
            step(random, depth - 1);
            child.join().unwrap();
        }
        _ => lisle::blocking(|| ()),
    }
}

/// The number in an environment variable.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// 60, or `LISLE_TEST_PROGRAMS`: as many processes as that takes, which no watchdog ends.
#[test]
fn random_programs() {
    const AT_ONCE: u64 = 60;
    const FIRST: &str = "LISLE_TEST_FIRST";
    for first in (0..number("LISLE_TEST_PROGRAMS").unwrap_or(AT_ONCE)).step_by(AT_ONCE as usize) {
        for environment in [OFTEN, OFTEN_ONE] {
            let first = first.to_string();
            in_child(&[environment, &[(FIRST, &first)]].concat(), || {
                let first = number(FIRST).expect("the parent says which");
                for seed in first..first + AT_ONCE {
                    let all: Vec<_> = (0..6)
                        .map(|own| {
                            let mut random = Random::new(seed * 100 + own);
                            lisle::spawn(move || (0..12).for_each(|_| step(&mut random, 3)))
                        })
                        .collect();
                    all.into_iter().for_each(|one| one.join().unwrap());
                }
            })
            .expect_return();
        }
    }
}
