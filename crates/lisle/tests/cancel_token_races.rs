//! Cancellation at the moment at which what is waited for comes, and of very many at once.
//!
//! Whichever wins: no byte is lost, none comes twice, nobody waits for ever, and once a call has
//! returned its buffer is the coroutine's own again.

mod util;

use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lisle::{CancelToken, Stop};
use util::{Random, everywhere, scaled, tcp_pair, threads, yield_until};

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(1000);
/// What a place holds that nobody has written to.
const EMPTY: u8 = 0xa5;

/// The byte at a position of every stream.
fn byte_at(position: usize) -> u8 {
    (position ^ position >> 8).wrapping_mul(31) as u8
}

/// Reads once, under a token that another coroutine cancels at about the same time. Adds what it
/// got; whether it was stopped.
#[inline(never)]
fn read_once(reader: &mut dyn Read, random: &mut Random, all: &mut Vec<u8>) -> bool {
    let (token, pause) = (CancelToken::new(), random.below(6));
    let theirs = token.clone();
    let canceller = lisle::spawn(move || {
        (0..pause).for_each(|_| lisle::yield_now());
        theirs.cancel()
    });
    let mut place = [EMPTY; 64];
    let result = token.run(|| reader.read(&mut place));
    let stopped = match result {
        Ok(count) => {
            all.extend_from_slice(&place[..count]);
            assert!(black_box(place)[count..].iter().all(|byte| *byte == EMPTY));
            false
        }
        Err(error) => {
            assert_eq!(Stop::of(&error), Some(Stop::Cancelled), "{error}");
            assert_eq!(black_box(place), [EMPTY; 64], "failed and wrote");
            true
        }
    };
    canceller.join().unwrap();
    stopped
}

/// Lets time pass over the place in which the frames of calls before were.
#[inline(never)]
fn nobody_writes_to_old_frames(waits: usize) {
    let mut place = [EMPTY; 4096];
    black_box(&mut place);
    (0..waits).for_each(|_| lisle::yield_now());
    assert!(black_box(&place).iter().all(|byte| *byte == EMPTY), "written after the return");
}

/// Sends `chunks` chunks to a reader that is cancelled all the time; how often it was stopped.
fn race(
    mut reader: impl Read + Send + 'static,
    mut writer: impl Write + Send + 'static,
    chunks: usize,
    mut random: Random,
) -> usize {
    let mut theirs = random.fork();
    let sender = lisle::spawn(move || {
        let mut sent = 0;
        for _ in 0..chunks {
            let len = 1 + theirs.below(48);
            let chunk: Vec<u8> = (sent..sent + len).map(byte_at).collect();
            writer.write_all(&chunk).unwrap();
            sent += len;
            (0..theirs.below(8)).for_each(|_| lisle::yield_now());
        }
        sent
    });
    let (mut all, mut stops, mut ended) = (Vec::new(), 0, false);
    while !ended {
        let before = all.len();
        let stopped = read_once(&mut reader, &mut random, &mut all);
        stops += usize::from(stopped);
        ended = !stopped && all.len() == before;
        nobody_writes_to_old_frames(random.below(3));
    }
    assert_eq!(all.len(), sender.join().unwrap());
    let wrong = all.iter().enumerate().find(|&(position, byte)| *byte != byte_at(position));
    assert_eq!(wrong, None);
    stops
}

/// Races with many seeds, some at a time, until there were enough of both outcomes.
fn races<R, W>(pair: fn() -> (R, W))
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    if threads() {
        return;
    }
    let mut stops = 0;
    for seed in 0..20 {
        let all = (0..8).map(|index| {
            let (reader, writer) = pair();
            lisle::spawn(move || race(reader, writer, 25, Random::new(seed * 8 + index)))
        });
        stops += Vec::from_iter(all).into_iter().map(|one| one.join().unwrap()).sum::<usize>();
    }
    assert!(stops > 100, "only {stops} were stopped");
}

#[test]
fn reads_of_connections() {
    everywhere(|| races(tcp_pair));
}

#[test]
fn reads_of_unix_sockets() {
    everywhere(|| races(|| UnixStream::pair().unwrap()));
}

#[test]
fn reads_of_pipes() {
    everywhere(|| races(|| std::io::pipe().unwrap()));
}

#[test]
fn writes_are_counted_right() {
    everywhere(|| {
        if threads() {
            return;
        }
        for seed in 0..8 {
            let mut random = Random::new(seed);
            let (mut ours, mut theirs) = tcp_pair();
            let reader = lisle::spawn(move || {
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).unwrap();
                all
            });
            let mut written = 0;
            for _ in 0..10 {
                let token = CancelToken::new();
                let (theirs, pause) = (token.clone(), random.below(20));
                let canceller = lisle::spawn(move || {
                    (0..pause).for_each(|_| lisle::yield_now());
                    theirs.cancel()
                });
                let len = 1 + random.below(1 << 20);
                let part: Vec<u8> = (written..written + len).map(byte_at).collect();
                match token.run(|| ours.write(&part)) {
                    Ok(count) => written += count,
                    Err(error) => assert_eq!(Stop::of(&error), Some(Stop::Cancelled)),
                }
                canceller.join().unwrap();
            }
            drop(ours);
            let all = reader.join().unwrap();
            assert_eq!(all.len(), written);
            assert!(all.iter().enumerate().all(|(position, byte)| *byte == byte_at(position)));
        }
    });
}

#[test]
fn deadlines_that_pass_as_bytes_come() {
    everywhere(|| {
        if threads() {
            return;
        }
        let (mut ours, mut theirs) = tcp_pair();
        let (mut sent, mut got, mut stops) = (0, Vec::new(), 0);
        let mut random = Random::new(7);
        while sent < 2000 {
            let len = 1 + random.below(8);
            let chunk: Vec<u8> = (sent..sent + len).map(byte_at).collect();
            let mut other = theirs.try_clone().unwrap();
            let time = Duration::from_micros(50 + random.below(100) as u64);
            let writer = lisle::spawn(move || {
                lisle::sleep(Duration::from_micros(100));
                other.write_all(&chunk).unwrap();
            });
            let mut place = [EMPTY; 64];
            match lisle::deadline(time, || ours.read(&mut place)) {
                Ok(count) => got.extend_from_slice(&place[..count]),
                Err(error) => {
                    assert_eq!(Stop::of(&error), Some(Stop::TimedOut));
                    assert_eq!(place, [EMPTY; 64]);
                    stops += 1;
                }
            }
            writer.join().unwrap();
            sent += len;
        }
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        theirs.flush().unwrap();
        ours.read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), sent);
        assert!(got.iter().enumerate().all(|(position, byte)| *byte == byte_at(position)));
        assert!(stops > 0);
    });
}

#[test]
fn calls_on_spare_carriers() {
    everywhere(|| {
        if threads() {
            return;
        }
        let folder = util::Folder::new("races", true);
        let path = folder.at("file");
        let mut random = Random::new(1);
        let [held, wanted] = [0; 2].map(|_| std::fs::File::create(&path).unwrap());
        let (mut stops, mut locks) = (0, 0);
        for _ in 0..300 {
            held.lock().unwrap();
            let token = CancelToken::new();
            let (theirs, pause) = (token.clone(), random.below(40));
            let (other, longer) = (held.try_clone().unwrap(), random.below(40));
            let canceller = lisle::spawn(move || {
                (0..pause).for_each(|_| lisle::yield_now());
                theirs.cancel();
            });
            let unlocker = lisle::spawn(move || {
                (0..longer).for_each(|_| lisle::yield_now());
                other.unlock().unwrap();
            });
            match token.run(|| wanted.lock()) {
                Ok(()) => {
                    locks += 1;
                    wanted.unlock().unwrap();
                }
                Err(error) => {
                    assert_eq!(Stop::of(&error), Some(Stop::Cancelled));
                    stops += 1;
                }
            }
            canceller.join().unwrap();
            unlocker.join().unwrap();
            // Nothing is left of the one that was stopped.
            held.lock().unwrap();
            held.unlock().unwrap();
        }
        assert_eq!(stops + locks, 300);
    });
}

#[test]
fn joins_sleeps_and_waits() {
    everywhere(|| {
        let mut random = Random::new(3);
        for round in 0..500 {
            let token = CancelToken::new();
            let child = token.child();
            let pauses: [usize; 2] = std::array::from_fn(|_| random.below(6));
            let theirs = child.clone();
            let other = lisle::spawn(move || {
                (0..pauses[0]).for_each(|_| lisle::yield_now());
                7
            });
            let waiter = lisle::spawn(move || {
                child.run(|| match round % 3 {
                    0 => other.join().map_or_else(|payload| payload.is::<Stop>(), |n| n == 7),
                    1 => {
                        lisle::sleep(Duration::from_micros(100));
                        true
                    }
                    _ => theirs.wait().is_ok(),
                })
            });
            (0..pauses[1]).for_each(|_| lisle::yield_now());
            token.cancel();
            assert!(waiter.join().unwrap());
        }
    });
}

/// Cancels `count` coroutines that all wait in `wait`; returns how long that took.
fn crowd<T: Send + 'static>(
    count: usize,
    make: impl Fn() -> T,
    wait: fn(&mut T) -> Option<Stop>,
) -> Duration {
    let token = CancelToken::new();
    let waiting = Arc::new(AtomicUsize::new(0));
    let all: Vec<_> = (0..count)
        .map(|_| {
            let (token, waiting, mut own) = (token.clone(), Arc::clone(&waiting), make());
            lisle::spawn(move || {
                waiting.fetch_add(1, Ordering::Relaxed);
                token.run(|| wait(&mut own))
            })
        })
        .collect();
    yield_until(|| waiting.load(Ordering::Relaxed) == count);
    let began = Instant::now();
    token.cancel();
    for one in all {
        assert_eq!(one.join().unwrap(), Some(Stop::Cancelled));
    }
    began.elapsed()
}

#[test]
fn ten_thousand_sleep() {
    util::here(|| {
        let time = crowd(
            scaled(10_000, 100),
            || (),
            |()| {
                lisle::sleep(LONG);
                lisle::stopped()
            },
        );
        println!("sleeping: {time:?}");
    });
}

#[test]
fn ten_thousand_wait_for_each_other() {
    util::here(|| {
        let never = CancelToken::new();
        let time = crowd(scaled(10_000, 100), || never.clone(), |never| never.wait().err());
        println!("waiting: {time:?}");
    });
}

#[test]
fn thousands_read() {
    util::here(|| {
        if threads() {
            return;
        }
        // As many as there may be files, of a few pipes.
        let pipes: Vec<_> = (0..50).map(|_| std::io::pipe().unwrap()).collect();
        let next = AtomicUsize::new(0);
        let make = || {
            let index = next.fetch_add(1, Ordering::Relaxed) % pipes.len();
            std::os::fd::AsRawFd::as_raw_fd(&pipes[index].0)
        };
        let read = |fd: &mut i32| {
            let mut place = [0_u8; 16];
            // SAFETY: an open descriptor and a live place.
            let got = unsafe { libc::read(*fd, place.as_mut_ptr().cast(), 16) };
            assert_eq!(got, -1);
            Stop::of(&std::io::Error::last_os_error())
        };
        let time = crowd(10_000, make, read);
        println!("reading: {time:?}");
    });
}
