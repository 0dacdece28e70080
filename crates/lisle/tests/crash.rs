//! Bad ends and exhausted limits: each in a process of its own, each with a clear outcome.

mod util;

use std::hint::black_box;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use util::{here, hush_panics_on_purpose, in_child, threads, yield_until};

/// Calls itself `levels` times, with a kilobyte of stack and a little more each.
#[inline(never)]
fn recurse(levels: u64) -> u64 {
    let mut frame = [1_u8; 1024];
    black_box(&mut frame);
    if levels == 0 { 0 } else { recurse(black_box(levels - 1)) + u64::from(frame[9]) }
}

/// More levels than any stack has room for.
const FOR_EVER: u64 = u64::MAX;

#[test]
fn a_stack_overflow_names_the_coroutine_and_aborts() {
    for workers in ["1", "2"] {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            let builder = lisle::Builder::new().name("deep-diver".into()).stack_size(64 << 10);
            let _ = builder.spawn(|| recurse(FOR_EVER)).unwrap().join();
        });
        ended.expect_abort();
        let text = &ended.stderr;
        assert!(text.contains("deep-diver") && text.contains("overflow"), "{text}");
        // std's own message, for OS threads, does not tell the size.
        if !threads() {
            assert!(text.contains("64 KiB") || text.contains("65536"), "{text}");
        }
    }
}

#[test]
fn an_unnamed_coroutine_overflows_clearly_too() {
    let ended = in_child(&[], || {
        let _ = lisle::spawn(|| (lisle::yield_now(), recurse(FOR_EVER)).1).join();
    });
    ended.expect_abort();
    assert!(ended.stderr.contains("overflow"), "{ended}");
}

#[test]
fn an_overflow_after_moving_is_the_coroutines() {
    let ended = in_child(&[("LISLE_WORKERS", "2")], || {
        let others: Vec<_> =
            (0..20).map(|_| lisle::spawn(|| (0..500).for_each(|_| lisle::yield_now()))).collect();
        let builder = lisle::Builder::new().name("traveller".into());
        let overflows = builder.spawn(|| {
            (0..500).for_each(|_| lisle::yield_now());
            lisle::sleep(std::time::Duration::from_millis(1));
            recurse(FOR_EVER)
        });
        let _ = overflows.unwrap().join();
        drop(others);
    });
    ended.expect_abort();
    assert!(ended.stderr.contains("traveller"), "{ended}");
}

#[test]
fn two_thousand_overflow_together() {
    let ended = in_child(&[], || {
        let start = Arc::new(AtomicBool::new(false));
        let all: Vec<_> = (0..2000)
            .map(|_| {
                let start = Arc::clone(&start);
                let builder = lisle::Builder::new().name("one of many".into()).stack_size(64 << 10);
                builder.spawn(move || {
                    yield_until(|| start.load(Ordering::Relaxed));
                    recurse(FOR_EVER)
                })
            })
            .collect();
        start.store(true, Ordering::Relaxed);
        // In 1:1 mode the machine may not have that many threads; one is enough.
        for one in all.into_iter().flatten() {
            let _ = one.join();
        }
    });
    ended.expect_abort();
    assert!(ended.stderr.contains("one of many"), "{ended}");
}

#[test]
fn deep_but_legal_recursion_is_fine() {
    let ended = in_child(&[("LISLE_WORKERS", "1")], || {
        here(|| {
            let all: Vec<_> = (0..100).map(|_| lisle::spawn(|| recurse(150))).collect();
            all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), 150));
            let builder = lisle::Builder::new().stack_size(8 << 20);
            assert_eq!(builder.spawn(|| recurse(6000)).unwrap().join().unwrap(), 6000);
        });
    });
    ended.expect_return();
}

#[test]
fn a_bad_access_is_not_called_an_overflow() {
    let ended = in_child(&[], || {
        let _ = lisle::spawn(|| {
            // SAFETY: none: it is to end the process with SIGSEGV, as on an OS thread.
            unsafe { std::ptr::without_provenance_mut::<u8>(black_box(16)).write_volatile(1) };
        })
        .join();
    });
    let signal = std::os::unix::process::ExitStatusExt::signal(&ended.status);
    assert_eq!(signal, Some(libc::SIGSEGV), "{ended}");
    assert!(!ended.stderr.contains("overflow"), "{ended}");
}

#[test]
fn panics_do_not_end_the_process() {
    let ended = in_child(&[], || {
        hush_panics_on_purpose();
        let all: Vec<_> = (0..500).map(|_| lisle::spawn(|| panic!("on purpose"))).collect();
        assert!(all.into_iter().all(|one: lisle::JoinHandle<()>| one.join().is_err()));
    });
    ended.expect_return();
}

#[test]
fn a_panic_message_is_printed_once() {
    let ended = in_child(&[], || {
        let builder = lisle::Builder::new().name("unlucky".into());
        assert!(builder.spawn(|| panic!("seen {}", 1)).unwrap().join().is_err());
    });
    ended.expect_return();
    assert_eq!(ended.stderr.matches("seen 1").count(), 1, "{ended}");
    assert!(ended.stderr.contains("crash.rs"), "{ended}");
}

#[test]
fn a_panic_within_a_panic_aborts() {
    struct PanicOnDrop;
    impl Drop for PanicOnDrop {
        fn drop(&mut self) {
            lisle::yield_now();
            panic!("the second");
        }
    }
    let ended = in_child(&[], || {
        let _ = lisle::spawn(|| {
            let _panics = PanicOnDrop;
            panic!("the first");
        })
        .join();
    });
    ended.expect_abort();
    assert!(ended.stderr.contains("the first") && ended.stderr.contains("the second"), "{ended}");
}

#[test]
fn exit_from_a_coroutine_ends_the_process() {
    for workers in ["1", "2"] {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            for _ in 0..50 {
                lisle::spawn(|| yield_until(|| false));
            }
            let _ = lisle::spawn(|| {
                lisle::yield_now();
                std::process::exit(42);
            })
            .join();
        });
        assert_eq!(ended.status.code(), Some(42), "{ended}");
    }
}

/// Waits for a child process that does not keep this one's output open.
fn sleep_apart() -> bool {
    let mut sleep = Command::new("sleep");
    sleep.arg("2").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn the_process_ends_while_coroutines_run_and_wait() {
    let ended = in_child(&[], || {
        let (_keep, told) = mpsc::channel::<()>();
        lisle::spawn(|| yield_until(|| false));
        lisle::spawn(move || told.recv());
        lisle::spawn(|| std::thread::sleep(std::time::Duration::from_secs(3600)));
        lisle::spawn(|| TcpListener::bind("127.0.0.1:0").unwrap().accept().map(drop));
        lisle::spawn(sleep_apart);
        lisle::spawn(|| ()).join().unwrap();
    });
    ended.expect_return();
}

/// Sets the soft and the hard limit of this process.
fn limit(resource: libc::__rlimit_resource_t, value: u64) {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: reads the local value.
    assert_eq!(unsafe { libc::setrlimit(resource, &limit) }, 0);
}

#[test]
fn an_exhausted_address_space_is_an_error_with_a_remedy() {
    let ended = in_child(&[], || {
        lisle::spawn(|| ()).join().unwrap();
        let status = std::fs::read_to_string("/proc/self/statm").unwrap();
        let used = status.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
        limit(libc::RLIMIT_AS, used + (520 << 20));
        let (keep, release) = mpsc::channel::<()>();
        let release = Arc::new(std::sync::Mutex::new(release));
        let mut all = Vec::with_capacity(20_000);
        let error = loop {
            let release = Arc::clone(&release);
            let builder = lisle::Builder::new().stack_size(16 << 20);
            match builder.spawn(move || release.lock().unwrap().recv().is_err()) {
                Ok(handle) => all.push(handle),
                Err(error) => break error,
            }
            assert!(all.len() < 20_000, "the limit has no effect");
        };
        println!("after {}: {error}", all.len());
        drop(keep);
        assert!(all.into_iter().all(|one| one.join().unwrap()));
        // What ended made room.
        let builder = lisle::Builder::new().stack_size(16 << 20);
        assert_eq!(builder.spawn(|| 5).unwrap().join().unwrap(), 5);
    });
    ended.expect_return();
    if !threads() {
        let text = ended.stdout.lines().find(|line| line.contains("after ")).unwrap();
        let text = text.to_lowercase();
        let cause = ["address space", "memory", "mapping"].iter().any(|word| text.contains(word));
        let remedy = ["ulimit", "rlimit_as", "max_map_count", "overcommit", "stack_size"];
        assert!(cause && remedy.iter().any(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn exhausted_descriptors_are_errors_and_no_hang() {
    let ended = in_child(&[("LISLE_WORKERS", "1")], || {
        here(|| {
            let too_many = |error: std::io::Error| error.raw_os_error() == Some(libc::EMFILE);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            // A connection is waiting to be accepted, and one transfer is under way.
            let _client = TcpStream::connect(address).unwrap();
            let (mut ours, mut theirs) = util::tcp_pair();
            limit(libc::RLIMIT_NOFILE, 64);
            let mut files = Vec::new();
            let error = loop {
                match std::fs::File::open("/dev/null") {
                    Ok(file) => files.push(file),
                    Err(error) => break error,
                }
                assert!(files.len() <= 64);
            };
            assert!(too_many(error));
            assert!(too_many(listener.accept().unwrap_err()));
            assert!(too_many(TcpStream::connect(address).unwrap_err()));
            assert!(too_many(TcpListener::bind("127.0.0.1:0").unwrap_err()));
            assert!(too_many(Command::new("true").stdin(Stdio::piped()).spawn().unwrap_err()));
            // What is open goes on, and so do sleeping, spawning and waiting.
            let reader = lisle::spawn(move || std::io::Read::read(&mut ours, &mut [0; 8]).unwrap());
            lisle::sleep(std::time::Duration::from_millis(5));
            std::io::Write::write_all(&mut theirs, b"abc").unwrap();
            assert_eq!(reader.join().unwrap(), 3);
            drop(files);
            listener.accept().unwrap();
            TcpStream::connect(address).unwrap();
        });
    });
    ended.expect_return();
}

/// std catches every unwinding of a thread's function, and aborts on one that is no panic. So it is
/// on a coroutine: what lies below is dropped first.
#[test]
fn leaving_by_pthread_exit_aborts_as_on_a_thread() {
    unsafe extern "C-unwind" {
        fn pthread_exit(value: *mut std::ffi::c_void) -> !;
    }
    struct Noted;
    impl Drop for Noted {
        fn drop(&mut self) {
            eprintln!("dropped");
        }
    }
    fn leave() {
        let _noted = Noted;
        // SAFETY: frames of this test, and std's, which abort.
        unsafe { pthread_exit(std::ptr::null_mut()) }
    }
    let on_thread = in_child(&[("LISLE_TEST_ACTOR", "thread")], || {
        match std::env::var("LISLE_TEST_ACTOR").as_deref() {
            Ok("thread") => drop(std::thread::spawn(leave).join()),
            _ => drop(lisle::spawn(leave).join()),
        }
    });
    let on_coroutine = util::child(
        "leaving_by_pthread_exit_aborts_as_on_a_thread",
        &[("LISLE_TEST_ACTOR", "coroutine")],
    );
    for ended in [&on_thread, &on_coroutine] {
        ended.expect_abort();
        assert!(ended.stderr.contains("dropped"), "{ended}");
    }
    assert_eq!(on_thread.stderr, on_coroutine.stderr);
}
