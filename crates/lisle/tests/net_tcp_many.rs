//! TCP on coroutines: sockets shared by several, and many of them.

mod util;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use util::{Actor, allow_files, everywhere, mixed, scaled, spawn_running, tcp_pair};

#[test]
fn one_reads_while_another_writes() {
    everywhere(|| {
        let (ours, theirs) = tcp_pair();
        // Both ends send much more than the buffers hold before either stops to read.
        let ends = [ours, theirs].map(|stream| {
            let mut reading = stream.try_clone().unwrap();
            let reader = lisle::spawn(move || {
                let mut all = Vec::new();
                reading.read_to_end(&mut all).unwrap();
                all.len()
            });
            let writer = lisle::spawn(move || {
                (&stream).write_all(&vec![1; 8 << 20]).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            });
            (reader, writer)
        });
        for (reader, writer) in ends {
            writer.join().unwrap();
            assert_eq!(reader.join().unwrap(), 8 << 20);
        }
    });
}

#[test]
fn two_readers_share_a_socket() {
    everywhere(|| {
        let (ours, theirs) = tcp_pair();
        let ours = Arc::new(ours);
        let readers: Vec<_> = (0..4)
            .map(|own| {
                let ours = Arc::clone(&ours);
                Actor::spawn(usize::from(own == 3), move || {
                    let (mut count, mut buffer) = (0, [0; 7]);
                    loop {
                        match (&*ours).read(&mut buffer).unwrap() {
                            0 => break count,
                            read => count += read,
                        }
                    }
                })
            })
            .collect();
        for _ in 0..1000 {
            (&theirs).write_all(b"0123456789").unwrap();
            lisle::yield_now();
        }
        drop(theirs);
        assert_eq!(readers.into_iter().map(Actor::join).sum::<usize>(), 10_000);
    });
}

#[test]
fn one_datum_wakes_one_of_two_readers_and_the_other_waits_on() {
    everywhere(|| {
        let (ours, theirs) = tcp_pair();
        let ours = Arc::new(ours);
        let got = Arc::new(AtomicUsize::new(0));
        let readers = [0; 2].map(|_| {
            let (ours, got) = (Arc::clone(&ours), Arc::clone(&got));
            lisle::spawn(move || {
                let read = (&*ours).read(&mut [0; 1]).unwrap();
                got.fetch_add(read, Ordering::Relaxed);
            })
        });
        lisle::yield_now();
        (&theirs).write_all(b"a").unwrap();
        util::yield_until(|| got.load(Ordering::Relaxed) == 1);
        assert!(readers.iter().any(|reader| !reader.is_finished()));
        (&theirs).write_all(b"b").unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_eq!(got.load(Ordering::Relaxed), 2);
    });
}

/// Eight accept from one listener, `threads` of them on OS threads, until each is told to stop.
fn accept_together(threads: usize) {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let acceptors: Vec<_> = (0..8)
        .map(|own| {
            let listener = Arc::clone(&listener);
            Actor::spawn(usize::from(own < threads), move || {
                let mut served = 0;
                for stream in listener.incoming() {
                    let mut word = [0; 4];
                    let mut stream = stream.unwrap();
                    stream.read_exact(&mut word).unwrap();
                    if word == *b"stop" {
                        break;
                    }
                    stream.write_all(&word).unwrap();
                    served += 1;
                }
                served
            })
        })
        .collect();
    mixed(40, move |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"work").unwrap();
        let mut word = [0; 4];
        stream.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"work");
    });
    for _ in 0..acceptors.len() {
        TcpStream::connect(address).unwrap().write_all(b"stop").unwrap();
    }
    assert_eq!(acceptors.into_iter().map(Actor::join).sum::<usize>(), 40);
}

#[test]
fn acceptors_share_a_listener() {
    everywhere(|| accept_together(0));
}

#[test]
fn acceptors_share_a_listener_with_an_os_thread() {
    // It may take the connection that a coroutine was woken for, as another process may.
    everywhere(|| (0..5).for_each(|_| accept_together(1)));
}

#[test]
fn five_hundred_clients_are_echoed() {
    everywhere(|| {
        allow_files(4096);
        let clients = scaled(500, 100);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = lisle::spawn(move || {
            for stream in listener.incoming().take(clients) {
                let mut stream = stream.unwrap();
                lisle::spawn(move || {
                    let mut buffer = [0; 64];
                    loop {
                        match stream.read(&mut buffer).unwrap() {
                            0 => break,
                            read => stream.write_all(&buffer[..read]).unwrap(),
                        }
                    }
                });
            }
        });
        let connected = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..clients)
            .map(|own| {
                let connected = Arc::clone(&connected);
                lisle::spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    // All at once: nobody starts to talk before everybody is connected.
                    connected.fetch_add(1, Ordering::Relaxed);
                    util::yield_until(|| connected.load(Ordering::Relaxed) == clients);
                    for round in 0..5 {
                        let word = format!("{own:06}-{round:06}");
                        stream.write_all(word.as_bytes()).unwrap();
                        let mut reply = vec![0; word.len()];
                        stream.read_exact(&mut reply).unwrap();
                        assert_eq!(reply, word.as_bytes());
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        server.join().unwrap();
    });
}

#[test]
fn numbers_of_closed_sockets_are_reused() {
    everywhere(|| {
        // The next pair gets the numbers of the last one, on which a coroutine waited.
        for round in 0..300_u32 {
            let (mut ours, mut theirs) = tcp_pair();
            let reader = spawn_running(move || {
                let mut word = [0; 4];
                ours.read_exact(&mut word).map(|()| u32::from_ne_bytes(word))
            });
            match round % 3 {
                0 => {
                    drop(theirs);
                    assert!(reader.join().unwrap().is_err());
                }
                _ => {
                    theirs.write_all(&round.to_ne_bytes()).unwrap();
                    assert_eq!(reader.join().unwrap().unwrap(), round);
                }
            }
        }
    });
}
