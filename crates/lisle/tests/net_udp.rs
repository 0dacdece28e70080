//! UDP sockets of std on coroutines.

mod util;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use util::{Actor, everywhere, on_workers, spawn_running};

/// Two bound sockets, each connected to the other.
fn pair() -> (UdpSocket, UdpSocket) {
    let [one, other] = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    one.connect(other.local_addr().unwrap()).unwrap();
    other.connect(one.local_addr().unwrap()).unwrap();
    (one, other)
}

#[test]
fn a_datagram_arrives() {
    everywhere(|| {
        for sender in 0..2 {
            let [ours, theirs] = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
            let (to, from) = (ours.local_addr().unwrap(), theirs.local_addr().unwrap());
            let receiver = spawn_running(move || {
                let mut buffer = [0; 16];
                let (count, from) = ours.recv_from(&mut buffer).unwrap();
                (buffer[..count].to_vec(), from)
            });
            Actor::spawn(sender, move || theirs.send_to(b"datagram", to).unwrap()).join();
            assert_eq!(receiver.join().unwrap(), (b"datagram".to_vec(), from));
        }
    });
}

#[test]
fn a_pair_plays() {
    everywhere(|| {
        let (ours, theirs) = pair();
        let other = lisle::spawn(move || {
            let mut buffer = [0; 4];
            for _ in 0..100 {
                assert_eq!(theirs.recv(&mut buffer).unwrap(), 4);
                theirs.send(&(u32::from_ne_bytes(buffer) + 1).to_ne_bytes()).unwrap();
            }
        });
        let mut buffer = [0; 4];
        for _ in 0..100 {
            ours.send(&buffer).unwrap();
            ours.recv(&mut buffer).unwrap();
        }
        other.join().unwrap();
        assert_eq!(u32::from_ne_bytes(buffer), 100);
    });
}

#[test]
fn peek_leaves_the_datagram_and_short_buffers_cut_it() {
    everywhere(|| {
        let (ours, theirs) = pair();
        let from = theirs.local_addr().unwrap();
        let sender = lisle::spawn(move || theirs.send(b"abcdef").map(|_| theirs).unwrap());
        let mut buffer = [0; 16];
        assert_eq!(ours.peek(&mut buffer).unwrap(), 6);
        assert_eq!(ours.peek_from(&mut buffer).unwrap(), (6, from));
        assert_eq!(ours.recv_from(&mut buffer[..2]).unwrap(), (2, from));
        // The rest of it is gone, as it is on an OS thread.
        ours.set_nonblocking(true).unwrap();
        assert_eq!(ours.recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(sender.join().unwrap());
    });
}

#[test]
fn a_receive_times_out() {
    everywhere(|| {
        let (ours, theirs) = pair();
        let timeout = Duration::from_millis(50);
        ours.set_read_timeout(Some(timeout)).unwrap();
        let start = Instant::now();
        assert_eq!(ours.recv(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(start.elapsed() >= timeout - Duration::from_millis(10));
        assert!(start.elapsed() < Duration::from_secs(5));
        theirs.send(b"late").unwrap();
        assert_eq!(ours.recv(&mut [0; 8]).unwrap(), 4);
    });
}

#[test]
fn an_empty_datagram_is_one() {
    everywhere(|| {
        let (ours, theirs) = pair();
        let receiver = spawn_running(move || ours.recv(&mut [0; 8]).unwrap());
        theirs.send(b"").unwrap();
        assert_eq!(receiver.join().unwrap(), 0);
    });
}

/// Alone in a process: what other tests fork holds a socket for a moment after it was closed here.
#[test]
fn a_refusal_reaches_the_socket() {
    on_workers(|| {
        let (ours, theirs) = pair();
        drop(theirs);
        ours.send(b"to nobody").unwrap();
        let error = ours.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn receivers_share_a_socket() {
    everywhere(|| {
        let ours = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let to = ours.local_addr().unwrap();
        let receivers: Vec<_> = (0..10)
            .map(|own| {
                let ours = Arc::clone(&ours);
                Actor::spawn(usize::from(own == 9), move || {
                    let (mut sum, mut byte) = (0_usize, [0]);
                    loop {
                        ours.recv(&mut byte).unwrap();
                        match byte[0] {
                            0 => break sum,
                            value => sum += usize::from(value),
                        }
                    }
                })
            })
            .collect();
        let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
        for value in 1..=100 {
            theirs.send_to(&[value], to).unwrap();
            lisle::yield_now();
        }
        for _ in 0..receivers.len() {
            theirs.send_to(&[0], to).unwrap();
        }
        assert_eq!(receivers.into_iter().map(Actor::join).sum::<usize>(), 5050);
    });
}
