//! Several that read or write the same open file, ends that close halfway, and large writes.

mod util;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use util::{Actor, on_workers, set_option, tcp_pair, twins, twins_alone};

/// What each of several writers writes, in units that the kernel keeps whole.
const UNITS: u64 = 300;

/// Two write numbers in units of eight bytes, two read units; all numbers arrive, each once.
fn two_write_and_two_read((reading, writing): (OwnedFd, OwnedFd), kinds: [usize; 2]) {
    let (reading, writing) = (Arc::new(File::from(reading)), Arc::new(File::from(writing)));
    let readers = kinds.map(|kind| {
        let file = Arc::clone(&reading);
        Actor::spawn(kind, move || {
            let mut got = Vec::new();
            loop {
                let mut unit = [0; 8];
                match (&*file).read(&mut unit).unwrap() {
                    0 => return got,
                    len => assert_eq!(len, 8),
                }
                got.push(u64::from_ne_bytes(unit));
                if got.len() % 7 == 0 {
                    lisle::yield_now();
                }
            }
        })
    });
    let writers = [0, 1].map(|own| {
        let file = Arc::clone(&writing);
        Actor::spawn(kinds[own], move || {
            for number in 0..UNITS {
                let unit = (own as u64 * UNITS + number).to_ne_bytes();
                assert_eq!((&*file).write(&unit).unwrap(), 8);
                if number % 11 == 0 {
                    lisle::yield_now();
                }
            }
        })
    });
    writers.into_iter().for_each(Actor::join);
    drop(writing);
    let mut got: Vec<u64> = readers.into_iter().flat_map(Actor::join).collect();
    got.sort_unstable();
    assert!(got.into_iter().eq(0..2 * UNITS));
}

/// Readers and writers that are coroutines, and one of each kind.
const KINDS: [[usize; 2]; 2] = [[0, 0], [0, 1]];

#[test]
fn units_of_a_tcp_socket() {
    on_workers(|| {
        for kinds in KINDS {
            let (ours, theirs) = tcp_pair();
            // So little is sent that no unit lies in two segments.
            two_write_and_two_read((ours.into(), theirs.into()), kinds);
        }
    });
}

#[test]
fn units_of_a_unix_socket() {
    on_workers(|| {
        for kinds in KINDS {
            let (ours, theirs) = UnixStream::pair().unwrap();
            two_write_and_two_read((ours.into(), theirs.into()), kinds);
        }
    });
}

#[test]
fn units_of_a_pipe() {
    on_workers(|| {
        for kinds in KINDS {
            let (reader, writer) = io::pipe().unwrap();
            two_write_and_two_read((reader.into(), writer.into()), kinds);
        }
    });
}

#[test]
fn counts_of_an_eventfd() {
    on_workers(|| {
        // Adding up, and one by one.
        for (flags, kinds) in [(0, [0, 0]), (libc::EFD_SEMAPHORE, [0, 0]), (0, [0, 1])] {
            // SAFETY: a plain call; the new descriptor is ours.
            let event = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, flags)) };
            let event = Arc::new(File::from(event));
            let readers = kinds.map(|kind| {
                let event = Arc::clone(&event);
                Actor::spawn(kind, move || {
                    let (mut sum, mut word) = (0, [0; 8]);
                    loop {
                        (&*event).read_exact(&mut word).unwrap();
                        sum += u64::from_ne_bytes(word);
                        if sum >= 2 * UNITS || flags != 0 && sum == UNITS {
                            return sum;
                        }
                    }
                })
            });
            let writers = [0, 1].map(|own| {
                let event = Arc::clone(&event);
                Actor::spawn(kinds[own], move || {
                    for number in 0..UNITS {
                        (&*event).write_all(&1_u64.to_ne_bytes()).unwrap();
                        if number % 5 == 0 {
                            lisle::yield_now();
                        }
                    }
                })
            });
            writers.into_iter().for_each(Actor::join);
            // Enough for whoever is not done; what nobody wants any more is left.
            let mut sum = 2 * UNITS;
            while flags == 0 && !readers.iter().all(Actor::is_finished) {
                (&*event).write_all(&(2 * UNITS).to_ne_bytes()).unwrap();
                sum += 2 * UNITS;
                lisle::yield_now();
            }
            let mut got: u64 = readers.into_iter().map(Actor::join).sum();
            (&*event).write_all(&1_u64.to_ne_bytes()).unwrap();
            let mut word = [0; 8];
            (&*event).read_exact(&mut word).unwrap();
            got += u64::from_ne_bytes(word);
            assert_eq!(got, sum + 1);
        }
    });
}

#[test]
fn a_full_eventfd_holds_its_writers() {
    on_workers(|| {
        // SAFETY: a plain call; the new descriptor is ours.
        let event = Arc::new(File::from(unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, 0)) }));
        let most = u64::MAX - 1;
        (&*event).write_all(&most.to_ne_bytes()).unwrap();
        let writers = [0, 1, 0].map(|kind| {
            let event = Arc::clone(&event);
            Actor::spawn(kind, move || (&*event).write_all(&most.to_ne_bytes()).unwrap())
        });
        for _ in 0..4 {
            let mut word = [0; 8];
            (&*event).read_exact(&mut word).unwrap();
            assert_eq!(u64::from_ne_bytes(word), most);
        }
        writers.into_iter().for_each(Actor::join);
    });
}

#[test]
fn halves_close_one_by_one() {
    on_workers(|| {
        let all: Vec<_> = (0..20)
            .map(|own| {
                lisle::spawn(move || {
                    let (ours, theirs) = tcp_pair();
                    let other = lisle::spawn(move || {
                        let mut all = Vec::new();
                        // To the end of their half; ours is open still.
                        (&theirs).read_to_end(&mut all).unwrap();
                        assert_eq!(all.len(), 100_000 + own);
                        (&theirs).write_all(&all).unwrap();
                        theirs.shutdown(Shutdown::Write).unwrap();
                        // And nothing comes any more.
                        assert_eq!((&theirs).read(&mut [0; 1]).unwrap(), 0);
                    });
                    (&ours).write_all(&vec![7; 100_000 + own]).unwrap();
                    ours.shutdown(Shutdown::Write).unwrap();
                    assert_eq!((&ours).write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
                    let mut all = Vec::new();
                    (&ours).read_to_end(&mut all).unwrap();
                    assert_eq!(all.len(), 100_000 + own);
                    other.join().unwrap();
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_reader_that_waits_learns_of_its_own_half_s_end() {
    on_workers(|| {
        let (ours, _theirs) = tcp_pair();
        let reading = ours.try_clone().unwrap();
        let reader = util::spawn_running(move || (&reading).read(&mut [0; 8]).unwrap());
        ours.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
    });
}

/// The calls that write many bytes.
#[derive(Clone, Copy, Debug)]
enum Way {
    Write,
    Writev,
    Send,
    SendQuietly,
    SendMsg,
    SendMsgQuietly,
}

const WAYS: [Way; 6] =
    [Way::Write, Way::Writev, Way::Send, Way::SendQuietly, Way::SendMsg, Way::SendMsgQuietly];

/// Ten megabytes and a little, that tell their places.
fn much() -> Vec<u8> {
    (0..10_000_019_u32).map(|place| (place % 251) as u8).collect()
}

fn write_by(way: Way, fd: RawFd, data: &[u8]) -> isize {
    // Uneven parts, one of them empty.
    let cuts = [0, 1, 1, 70_000, 4_000_001, data.len()];
    let mut parts: Vec<_> = cuts
        .windows(2)
        .map(|cut| libc::iovec {
            iov_base: data[cut[0]..cut[1]].as_ptr().cast_mut().cast(),
            iov_len: cut[1] - cut[0],
        })
        .collect();
    let (start, len, quietly) = (data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL);
    // SAFETY: live data of that length; an all-zero message has nothing but its parts.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = parts.as_mut_ptr();
        message.msg_iovlen = parts.len();
        match way {
            Way::Write => libc::write(fd, start, len),
            Way::Writev => libc::writev(fd, parts.as_ptr(), parts.len() as i32),
            Way::Send => libc::send(fd, start, len, 0),
            Way::SendQuietly => libc::send(fd, start, len, quietly),
            Way::SendMsg => libc::sendmsg(fd, &raw const message, 0),
            Way::SendMsgQuietly => libc::sendmsg(fd, &raw const message, quietly),
        }
    }
}

/// Reads to the end, by little, and lets others run in between.
fn read_slowly(stream: &mut impl Read) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), vec![0; 50_000]);
    loop {
        match stream.read(&mut part).unwrap() {
            0 => return all,
            len => all.extend_from_slice(&part[..len]),
        }
        lisle::yield_now();
    }
}

#[test]
fn large_writes_to_a_slow_reader_are_whole() {
    on_workers(|| {
        let data = Arc::new(much());
        let tcp = || {
            let (ours, theirs) = tcp_pair();
            (OwnedFd::from(ours), OwnedFd::from(theirs))
        };
        let unix = || {
            let (ours, theirs) = UnixStream::pair().unwrap();
            (OwnedFd::from(ours), OwnedFd::from(theirs))
        };
        let pipe = || {
            let (reader, writer) = io::pipe().unwrap();
            (OwnedFd::from(reader), OwnedFd::from(writer))
        };
        let cases = WAYS.iter().flat_map(|&way| [(way, tcp()), (way, unix())]);
        let pipes = [Way::Write, Way::Writev].map(|way| (way, pipe()));
        let all: Vec<_> = cases
            .chain(pipes)
            .map(|(way, (ours, theirs))| {
                let data = Arc::clone(&data);
                lisle::spawn(move || {
                    let theirs_data = Arc::clone(&data);
                    let writer =
                        lisle::spawn(move || write_by(way, theirs.as_raw_fd(), &theirs_data));
                    let got = read_slowly(&mut File::from(ours));
                    assert_eq!(writer.join().unwrap(), data.len() as isize, "{way:?}");
                    assert!(got == *data, "{way:?}");
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Makes the end of a connection a reset, whatever was sent before.
fn reset_at_the_end(stream: &TcpStream) {
    let now = libc::linger { l_onoff: 1, l_linger: 0 };
    set_option(stream, libc::SOL_SOCKET, libc::SO_LINGER, now);
}

#[test]
fn resets_in_the_middle_of_large_writes() {
    // On one worker, where the reset comes while the writer waits. One that comes between two parts
    // of a write may be taken for the end of it, and not be told by the next call.
    twins_alone(|coroutine| {
        let data = much();
        let tell = |&way: &Way| {
            let (ours, theirs) = tcp_pair();
            reset_at_the_end(&theirs);
            let partner = util::aside(coroutine, move || {
                // Not before the writer is at it; then with much unread.
                (&theirs).read_exact(&mut vec![0; 100_000]).unwrap();
                drop(theirs);
            });
            let sent = write_by(way, ours.as_raw_fd(), &data);
            partner();
            let part = (100_000..data.len() as isize).contains(&sent);
            let next = |result: io::Result<usize>| result.map_err(|error| error.kind());
            let first = next((&ours).read(&mut [0; 1]));
            let second = next((&ours).read(&mut [0; 1]));
            let third = next((&ours).write(b"x"));
            format!("{way:?}: a part {part}, {first:?} {second:?} {third:?}")
        };
        WAYS.iter().map(tell).collect()
    });
}

#[test]
fn resets_while_somebody_reads() {
    twins(|coroutine| {
        (0..5)
            .map(|_| {
                let (mut ours, theirs) = tcp_pair();
                reset_at_the_end(&theirs);
                let partner = util::aside(coroutine, move || {
                    (&theirs).write_all(b"abc").unwrap();
                    // Not before it was read, since a reset discards it.
                    (&theirs).read_exact(&mut [0; 1]).unwrap();
                });
                let mut text = [0; 3];
                ours.read_exact(&mut text).unwrap();
                ours.write_all(b"x").unwrap();
                let first = ours.read(&mut text).map_err(|error| error.kind());
                let second = ours.read(&mut text).map_err(|error| error.kind());
                partner();
                format!("{text:?} {first:?} {second:?}")
            })
            .collect()
    });
}
