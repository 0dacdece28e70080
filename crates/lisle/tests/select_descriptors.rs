//! [`lisle::select!`] with descriptors among its arms.

mod util;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use lisle::channel::{after, bounded, rendezvous, unbounded};
use lisle::select;
use util::{Actor, everywhere, scaled};

const SHORT: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_secs(50);

#[test]
fn a_descriptor_that_is_ready_is_chosen() {
    everywhere(|| {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let (_sender, receiver) = unbounded::<()>();
        let begin = Instant::now();
        select! {
            readable(reader) -> _ => unreachable!(),
            recv(receiver) -> _ => unreachable!(),
            default => {}
        }
        select! {
            readable(reader) -> _ => unreachable!(),
            recv(receiver) -> _ => unreachable!(),
            default(SHORT) => assert!(begin.elapsed() >= SHORT),
        }
        select! {
            readable(reader) -> _ => unreachable!(),
            recv(after(SHORT)) -> _ => assert!(begin.elapsed() >= 2 * SHORT),
        }
        select! {
            readable(reader) -> _ => unreachable!(),
            writable(writer) -> ready => ready.unwrap(),
        }
        writer.write_all(b"x").unwrap();
        select! {
            readable(&reader) -> ready => ready.unwrap(),
            recv(receiver) -> _ => unreachable!(),
        }
        reader.read_exact(&mut [0]).unwrap();
        drop(writer);
        select! {
            readable(reader) -> ready => ready.unwrap(),
            recv(receiver) -> _ => unreachable!(),
        }
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn a_wait_ends_by_a_descriptor_or_by_a_channel() {
    everywhere(|| {
        for kind in 0..2 {
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            let (sender, receiver) = rendezvous();
            let (done, dones) = bounded(1);
            let actor = Actor::spawn(kind, move || {
                let (mut bytes, mut values) = (0, 0);
                loop {
                    select! {
                        readable(theirs) -> ready => {
                            ready.unwrap();
                            if theirs.read(&mut [0]).unwrap() == 0 {
                                break (bytes, values);
                            }
                            bytes += 1;
                        }
                        recv(receiver) -> value => {
                            values += value.unwrap();
                        }
                        default(LONG) => unreachable!(),
                    }
                    theirs.write_all(b"a").unwrap();
                    done.send(()).unwrap();
                }
            });
            for round in 0..40 {
                match round % 2 {
                    0 => ours.write_all(b"b").unwrap(),
                    _ => sender.send(1).unwrap(),
                }
                dones.recv().unwrap();
                ours.read_exact(&mut [0]).unwrap();
            }
            ours.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(actor.join(), (20, 20));
        }
    });
}

#[test]
fn a_listener_that_can_be_stopped() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stops) = rendezvous::<()>();
        let server = lisle::spawn(move || {
            let mut count = 0;
            loop {
                select! {
                    readable(listener) -> ready => {
                        ready.unwrap();
                        listener.accept().unwrap().0.write_all(b"hello").unwrap();
                        count += 1;
                    }
                    recv(stops) -> _ => return count,
                }
            }
        });
        for _ in 0..10 {
            let mut text = String::new();
            TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "hello");
        }
        drop(stop);
        assert_eq!(server.join().unwrap(), 10);
    });
}

/// Bytes and values at the same time, each of which is counted once.
#[test]
fn nothing_is_lost_when_both_come() {
    everywhere(|| {
        let count = scaled(500, 200);
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let (sender, receiver) = rendezvous();
        let values = lisle::spawn(move || (0..count).try_for_each(|value| sender.send(value)));
        let bytes = lisle::spawn(move || (0..count).for_each(|_| ours.write_all(b"x").unwrap()));
        let (mut got_bytes, mut got_values) = (0, 0);
        while got_bytes < count || got_values < count {
            select! {
                readable(theirs) -> ready => {
                    ready.unwrap();
                    if theirs.read(&mut [0]).unwrap() == 0 {
                        // At its end it is ready for ever.
                        assert_eq!(got_bytes, count);
                        got_values += receiver.iter().count();
                    } else {
                        got_bytes += 1;
                    }
                }
                recv(receiver) -> value => got_values += usize::from(value.is_ok()),
            }
        }
        assert_eq!((got_bytes, got_values), (count, count));
        values.join().unwrap().unwrap();
        bytes.join().unwrap();
    });
}
