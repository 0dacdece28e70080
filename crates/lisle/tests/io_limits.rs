//! More waits at once than the kernel's queues have places, many that accept from one listener,
//! and no descriptors left.

mod util;

use std::io::{Error, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use util::{Actor, allow_files, in_child, on_workers, scaled};

/// The most descriptors that are allowed everywhere.
const FILES: u64 = 20_000;

/// One end to wait on, and one to write to: pipes and sockets by turns.
fn ends(number: usize) -> (std::fs::File, std::fs::File) {
    let ends: (OwnedFd, OwnedFd) = if number.is_multiple_of(2) {
        let (reader, writer) = std::io::pipe().unwrap();
        (reader.into(), writer.into())
    } else {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (ours.into(), theirs.into())
    };
    (ends.0.into(), ends.1.into())
}

/// Waits for input as the number says, by `read` or by `poll` and `read`.
fn take_byte(number: usize, from: &mut std::fs::File) -> u8 {
    if number % 4 > 1 {
        let fd = from.as_raw_fd();
        let mut entry = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: a live entry.
        assert_eq!(unsafe { libc::poll(&raw mut entry, 1, -1) }, 1);
        assert_eq!(entry.revents, libc::POLLIN);
    }
    let mut byte = [0];
    from.read_exact(&mut byte).unwrap();
    byte[0]
}

/// Makes `count` wait, and all of them ready at once by an OS thread; thrice. Returns when all have
/// seen that. Meanwhile the calling coroutine computes if it is to be busy.
fn crowd(count: usize, busy: bool) {
    let waiting = Arc::new(AtomicUsize::new(0));
    let mut writers = Vec::new();
    let readers: Vec<_> = (0..count)
        .map(|number| {
            let (mut reader, writer) = ends(number);
            writers.push(writer);
            let waiting = Arc::clone(&waiting);
            lisle::spawn(move || {
                for round in 0..3 {
                    waiting.fetch_add(1, Ordering::AcqRel);
                    assert_eq!(take_byte(number, &mut reader), round);
                }
            })
        })
        .collect();
    let rounds = Arc::new(AtomicUsize::new(0));
    let theirs = (Arc::clone(&waiting), Arc::clone(&rounds));
    let waker = thread::spawn(move || {
        for round in 0..3 {
            while theirs.0.load(Ordering::Acquire) < count * (round + 1) {
                thread::yield_now();
            }
            for writer in &mut writers {
                writer.write_all(&[round as u8]).unwrap();
            }
            theirs.1.store(round + 1, Ordering::Release);
        }
        writers
    });
    for round in 1..=3 {
        // While they come to wait, this one lets them.
        util::yield_until(|| waiting.load(Ordering::Acquire) >= count * round);
        while busy && rounds.load(Ordering::Acquire) < round {
            std::hint::spin_loop();
        }
    }
    readers.into_iter().for_each(|one| one.join().unwrap());
    drop(waker.join().unwrap());
}

#[test]
fn thousands_made_ready_at_once() {
    on_workers(|| {
        allow_files(FILES);
        crowd(scaled(5000, 300), false);
    });
}

#[test]
fn thousands_made_ready_while_the_worker_computes() {
    on_workers(|| {
        allow_files(FILES);
        crowd(scaled(5000, 300), true);
    });
}

#[test]
fn thousands_time_out_at_once() {
    on_workers(|| {
        allow_files(FILES);
        let count = scaled(4000, 300);
        let mut writers = Vec::new();
        let timed_out = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..count)
            .map(|_| {
                let (ours, theirs) = UnixStream::pair().unwrap();
                writers.push(theirs);
                let timed_out = Arc::clone(&timed_out);
                lisle::spawn(move || {
                    ours.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
                    let error = (&ours).read(&mut [0; 16]).unwrap_err();
                    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                    ours.set_read_timeout(None).unwrap();
                    timed_out.fetch_add(1, Ordering::AcqRel);
                    let mut text = [0; 4];
                    (&ours).read_exact(&mut text).unwrap();
                    assert_eq!(&text, b"late");
                })
            })
            .collect();
        util::yield_until(|| timed_out.load(Ordering::Acquire) == count);
        for writer in &mut writers {
            writer.write_all(b"late").unwrap();
        }
        readers.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Serves one client: says its name back.
fn serve(mut stream: TcpStream) -> usize {
    let mut name = [0; 8];
    // Those that only wake an acceptor up have none.
    match stream.read_exact(&mut name) {
        Ok(()) => stream.write_all(&name).map_or(0, |()| 1),
        Err(_) => 0,
    }
}

/// Connects `count` times and is served each time.
fn visit(address: SocketAddr, own: usize, count: usize) {
    for number in 0..count {
        let mut stream = TcpStream::connect(address).unwrap();
        let name = (own << 32 | number).to_ne_bytes();
        stream.write_all(&name).unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, name);
    }
}

/// Clients come in a storm, and `acceptors` accept, coroutines and OS threads as told. Returns how
/// many clients those have served.
fn storm(listener: TcpListener, acceptors: &[usize], clients: usize, client: usize) -> usize {
    const EACH: usize = 50;
    let address = listener.local_addr().unwrap();
    let (listener, stop) = (Arc::new(listener), Arc::new(AtomicBool::new(false)));
    let acceptors: Vec<_> = acceptors
        .iter()
        .map(|&kind| {
            let (listener, stop) = (Arc::clone(&listener), Arc::clone(&stop));
            Actor::spawn(kind, move || {
                let mut served = 0;
                while !stop.load(Ordering::Acquire) {
                    served += serve(listener.accept().unwrap().0);
                }
                served
            })
        })
        .collect();
    let clients: Vec<_> =
        (0..clients).map(|own| Actor::spawn(client, move || visit(address, own, EACH))).collect();
    clients.into_iter().for_each(Actor::join);
    stop.store(true, Ordering::Release);
    // On an OS thread: whoever accepts may hold the worker where others accept too.
    thread::spawn(move || {
        let ended = || acceptors.iter().all(Actor::is_finished);
        while !ended() {
            // When nobody accepts any more the queue may be full.
            drop(TcpStream::connect_timeout(&address, Duration::from_millis(100)));
        }
        acceptors.into_iter().map(Actor::join).sum()
    })
    .join()
    .unwrap()
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn an_accept_storm() {
    on_workers(|| assert_eq!(storm(listener(), &[0; 8], 40, 0), 2000));
}

#[test]
fn an_accept_storm_beside_os_threads() {
    on_workers(|| assert_eq!(storm(listener(), &[0, 1, 0, 1, 0, 1, 0, 0], 40, 0), 2000));
}

#[test]
fn an_accept_storm_beside_another_process() {
    for workers in ["1", "4"] {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            let listener = listener();
            // SAFETY: the child goes on with this thread alone and ends by a signal.
            let other = unsafe { libc::fork() };
            if other == 0 {
                loop {
                    listener.accept().map(|(stream, _)| serve(stream)).unwrap_or_default();
                }
            }
            // The clients are OS threads: where another process takes what a coroutine was to
            // accept, epoll's worker is held until the next one comes.
            let served = storm(listener, &[0; 8], 40, 1);
            assert!(served <= 2000);
            // SAFETY: a child of our own, not waited for so far.
            unsafe {
                libc::kill(other, libc::SIGKILL);
                assert_eq!(libc::waitpid(other, null_mut(), 0), other);
            }
        });
        ended.expect_return();
    }
}

/// Accepts with a client waiting and no descriptor left, then with one.
fn accept_without_descriptors() -> Vec<String> {
    let listener = listener();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"x").unwrap();
    let mut taken = Vec::new();
    while let Ok(copy) = client.try_clone() {
        taken.push(copy);
    }
    let accept = || {
        // SAFETY: no address is wanted; a new descriptor is ours.
        unsafe {
            match libc::accept(listener.as_raw_fd(), null_mut(), null_mut()) {
                -1 => Err(Error::last_os_error().raw_os_error()),
                fd => Ok(TcpStream::from_raw_fd(fd)),
            }
        }
    };
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(format!("{:?}", accept().map(drop)));
    }
    drop(taken.pop());
    let mut byte = [0];
    let mut stream = accept().unwrap();
    lines.push(format!("{:?} {byte:?}", stream.read(&mut byte)));
    lines
}

#[test]
fn accepting_without_descriptors_is_an_error_and_works_after() {
    for workers in ["1", "4"] {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || {
            // Whatever the runtime opens is open.
            lisle::spawn(|| ()).join().unwrap();
            allow_files(64);
            let native = thread::spawn(accept_without_descriptors).join().unwrap();
            let coroutine = lisle::spawn(accept_without_descriptors).join().unwrap();
            assert_eq!(native, coroutine);
            assert!(native[0].contains(&libc::EMFILE.to_string()), "{native:?}");
        });
        ended.expect_return();
    }
}
