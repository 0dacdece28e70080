//! Processes whose system calls are filtered: what the runtime would like to do and may not, it
//! does without.

mod util;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use lisle::runtime::{Poller, metrics, poller};
use util::in_child;

/// Has the kernel refuse these calls to this process from now on, with `EPERM`.
fn refuse(calls: &[i64]) {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    // The number of the call is the first word of what the filter sees.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for &call in calls {
        let mut equal = statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call as u32);
        equal.jf = 1;
        program.push(equal);
        program.push(statement(libc::BPF_RET, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32));
    }
    program.push(statement(libc::BPF_RET, libc::SECCOMP_RET_ALLOW));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let flag = libc::SECCOMP_FILTER_FLAG_TSYNC;
    // SAFETY: no memory is named; then a live program. All threads of the process get it.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let set = libc::SECCOMP_SET_MODE_FILTER;
        let installed = libc::syscall(libc::SYS_seccomp, set, flag, &raw const filter);
        assert_eq!(installed, 0, "{}", std::io::Error::last_os_error());
    }
}

/// What is of use and can be done without.
const WISHES: &[i64] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_membarrier,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_userfaultfd,
    libc::SYS_process_vm_readv,
    libc::SYS_openat2,
    libc::SYS_epoll_pwait2,
    libc::SYS_pidfd_open,
    libc::SYS_prctl,
];

/// Sockets, sleeping, and one that computes.
fn work() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = lisle::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut word = [0; 4];
        while stream.read_exact(&mut word).is_ok() {
            stream.write_all(&word).unwrap();
        }
    });
    let hog = lisle::spawn(|| {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(100) {
            std::hint::spin_loop();
        }
    });
    let client = lisle::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        for number in 0..100_u32 {
            stream.write_all(&number.to_ne_bytes()).unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).unwrap();
            assert_eq!(u32::from_ne_bytes(word), number);
            lisle::sleep(Duration::from_micros(100));
        }
    });
    client.join().unwrap();
    server.join().unwrap();
    hog.join().unwrap();
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert!(!name.is_empty());
    let ended = std::process::Command::new("true").status().unwrap();
    assert!(ended.success());
}

#[test]
fn refused_from_the_beginning() {
    for workers in ["1", "2"] {
        in_child(&[("LISLE_WORKERS", workers), ("LISLE_WARN", "20")], || {
            refuse(WISHES);
            lisle::spawn(work).join().unwrap();
            if !util::threads() {
                assert_eq!(poller(), Some(Poller::Epoll));
                assert_eq!(metrics().preemptions, 0, "a tick is a signal of the refused kind");
            }
        })
        .expect_return();
    }
}

#[test]
fn refused_later() {
    for workers in ["1", "2"] {
        in_child(&[("LISLE_WORKERS", workers)], || {
            lisle::spawn(work).join().unwrap();
            // What was set up remains, io_uring too.
            refuse(WISHES);
            lisle::spawn(work).join().unwrap();
        })
        .expect_return();
    }
}

#[test]
fn a_ring_that_is_taken_away_is_told() {
    let ended = in_child(&[], || {
        lisle::spawn(work).join().unwrap();
        refuse(&[libc::SYS_io_uring_enter]);
        lisle::spawn(work).join().unwrap();
    });
    // Where nobody waits by io_uring it is not missed.
    if ended.stderr.contains("lisle: io_uring") {
        assert!(ended.stderr.contains("seccomp filter"), "{}", ended.stderr);
        assert!(ended.stderr.contains("LISLE_POLLER=epoll"), "{}", ended.stderr);
    } else {
        ended.expect_return();
    }
}
