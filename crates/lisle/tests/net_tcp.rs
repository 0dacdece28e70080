//! TCP sockets of std on coroutines: connections, data, ends.

mod util;

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use util::{Actor, everywhere, on_workers, spawn_running, tcp_pair};

#[test]
fn a_client_and_a_server_talk() {
    everywhere(|| {
        for client in 0..2 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let client = Actor::spawn(client, move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(b"ping").unwrap();
                let mut reply = String::new();
                stream.read_to_string(&mut reply).unwrap();
                (reply, stream.local_addr().unwrap())
            });
            let (mut stream, from) = listener.accept().unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(&request, b"ping");
            stream.write_all(b"pong").unwrap();
            drop(stream);
            assert_eq!(client.join(), ("pong".to_owned(), from));
        }
    });
}

#[test]
fn accept_waits_for_a_client() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = spawn_running(move || listener.accept().unwrap().1);
        assert!(!acceptor.is_finished());
        let stream = TcpStream::connect(address).unwrap();
        assert_eq!(acceptor.join().unwrap(), stream.local_addr().unwrap());
    });
}

#[test]
fn a_reader_waits_for_data() {
    everywhere(|| {
        for writer in 0..2 {
            let (mut ours, mut theirs) = tcp_pair();
            let writer = Actor::spawn(writer, move || {
                for byte in 0..100_u8 {
                    theirs.write_all(&[byte]).unwrap();
                    lisle::yield_now();
                }
            });
            let mut all = Vec::new();
            assert_eq!(ours.read_to_end(&mut all).unwrap(), 100);
            assert!(all.iter().copied().eq(0..100));
            writer.join();
        }
    });
}

#[test]
fn peek_leaves_the_data() {
    everywhere(|| {
        let (mut ours, mut theirs) = tcp_pair();
        let writer = lisle::spawn(move || theirs.write_all(b"seen").map(|()| theirs));
        let mut buffer = [0; 8];
        assert!(ours.peek(&mut buffer).unwrap() > 0);
        let mut whole = [0; 4];
        ours.read_exact(&mut whole).unwrap();
        assert_eq!(&whole, b"seen");
        drop(writer.join().unwrap().unwrap());
        assert_eq!(ours.peek(&mut buffer).unwrap(), 0);
    });
}

#[test]
fn shutdown_ends_the_peers_reading() {
    everywhere(|| {
        let (ours, mut theirs) = tcp_pair();
        let reader = spawn_running(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).unwrap();
            theirs.write_all(b"still writable").unwrap();
            all
        });
        (&ours).write_all(b"half").unwrap();
        ours.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.join().unwrap(), b"half");
        let mut rest = String::new();
        (&ours).read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "still writable");
        assert_eq!((&ours).write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn shutdown_wakes_an_own_reader() {
    everywhere(|| {
        let (ours, _theirs) = tcp_pair();
        let mut reading = ours.try_clone().unwrap();
        let reader = spawn_running(move || reading.read(&mut [0; 8]).unwrap());
        ours.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[test]
fn shutdown_wakes_an_acceptor() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&listener);
        let acceptor = spawn_running(move || listener.accept().map(drop));
        // SAFETY: a plain call; the acceptor keeps the descriptor open.
        assert_eq!(unsafe { libc::shutdown(fd, libc::SHUT_RDWR) }, 0);
        assert_eq!(acceptor.join().unwrap().unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_closed_peer_ends_reading_and_breaks_writing() {
    everywhere(|| {
        let (mut ours, theirs) = tcp_pair();
        let closer = lisle::spawn(move || drop(theirs));
        assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0);
        closer.join().unwrap();
        let error = loop {
            match ours.write_all(&[0; 1024]) {
                Ok(()) => lisle::yield_now(),
                Err(error) => break error.kind(),
            }
        };
        assert!(matches!(error, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error:?}");
    });
}

/// Alone in a process: what other tests fork holds a socket for a moment after it was closed here.
#[test]
fn connections_to_nobody_are_refused() {
    on_workers(|| {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let timeout = Duration::from_secs(5);
        let error = TcpStream::connect_timeout(&address, timeout).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        TcpStream::connect_timeout(&bound.local_addr().unwrap(), timeout).unwrap();
    });
}

#[test]
fn a_list_of_addresses_is_tried_in_turn() {
    everywhere(|| {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses: [SocketAddr; 2] = [nobody, listener.local_addr().unwrap()];
        let stream = TcpStream::connect(&addresses[..]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
    });
}

#[test]
fn large_writes_are_whole() {
    const SIZE: usize = 10 << 20;
    everywhere(|| {
        for reader in 0..2 {
            let (mut ours, mut theirs) = tcp_pair();
            let reader = Actor::spawn(reader, move || {
                let (mut sum, mut count, mut buffer) = (0_usize, 0, vec![0; 64 << 10]);
                loop {
                    match theirs.read(&mut buffer).unwrap() {
                        0 => break (sum, count),
                        read => {
                            sum += buffer[..read].iter().map(|b| usize::from(*b)).sum::<usize>();
                            count += read;
                            lisle::yield_now();
                        }
                    }
                }
            });
            // A blocking socket takes all of it in one call.
            assert_eq!(ours.write(&vec![3; SIZE]).unwrap(), SIZE);
            drop(ours);
            assert_eq!(reader.join(), (3 * SIZE, SIZE));
        }
    });
}

#[test]
fn vectored_io() {
    everywhere(|| {
        let (mut ours, mut theirs) = tcp_pair();
        let reader = spawn_running(move || {
            let (mut first, mut second) = ([0; 3], [0; 5]);
            let mut slices = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            let count = theirs.read_vectored(&mut slices).unwrap();
            (count, first, second)
        });
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cdefgh")];
        assert_eq!(ours.write_vectored(&slices).unwrap(), 8);
        assert_eq!(reader.join().unwrap(), (8, *b"abc", *b"defgh"));
    });
}

#[test]
fn io_copy_echoes() {
    everywhere(|| {
        let (mut ours, theirs) = tcp_pair();
        let echo = lisle::spawn(move || io::copy(&mut &theirs, &mut &theirs).unwrap());
        let mut reading = ours.try_clone().unwrap();
        let reader = lisle::spawn(move || {
            let mut all = Vec::new();
            reading.read_to_end(&mut all).unwrap();
            all
        });
        let sent: Vec<u8> = (0..20_000_000_u32).map(|i| (i % 251) as u8).collect();
        ours.write_all(&sent).unwrap();
        ours.shutdown(Shutdown::Write).unwrap();
        assert_eq!(echo.join().unwrap(), sent.len() as u64);
        assert!(reader.join().unwrap() == sent);
    });
}

#[test]
fn os_threads_are_served_by_coroutines() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..10_u8)
            .map(|own| {
                thread::spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.write_all(&[own]).unwrap();
                    let mut reply = [0];
                    stream.read_exact(&mut reply).unwrap();
                    reply[0]
                })
            })
            .collect();
        for _ in 0..10 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            stream.write_all(&[byte[0] + 1]).unwrap();
        }
        for (own, client) in (0..).zip(clients) {
            assert_eq!(client.join().unwrap(), own + 1);
        }
    });
}
