//! Plots whose actors pass something on: through channels, pipes, sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use super::{cast, dally, join_all};
use crate::util::Random;

/// A channel of std, unbounded or with a bound that may be nothing.
fn any_channel(random: &mut Random) -> (mpsc::SyncSender<usize>, mpsc::Receiver<usize>) {
    mpsc::sync_channel([0, 0, 1, 5, 1000][random.below(5)])
}

pub(crate) fn channel(mut random: Random) {
    let (actors, items) = (1 + random.below(8), random.below(40));
    let (tell, told) = any_channel(&mut random);
    let all = cast(&mut random, actors, move |own, mut random| {
        for item in 0..items {
            tell.send(own * items + item).unwrap();
            dally(&mut random);
        }
    });
    let mut theirs = random.fork();
    let receiver = lisle::spawn(move || {
        let mut got: Vec<_> = told.into_iter().inspect(|_| dally(&mut theirs)).collect();
        got.sort_unstable();
        got
    });
    join_all(&mut random, all);
    assert!(receiver.join().unwrap().into_iter().eq(0..actors * items));
}

pub(crate) fn pipeline(mut random: Random) {
    let (stages, items) = (1 + random.below(12), random.below(40));
    let (first, mut last) = any_channel(&mut random);
    for _ in 0..stages {
        let (tell, told) = any_channel(&mut random);
        let (input, mut theirs) = (std::mem::replace(&mut last, told), random.fork());
        lisle::spawn(move || {
            for item in input {
                dally(&mut theirs);
                tell.send(item + 1).unwrap();
            }
        });
    }
    lisle::spawn(move || (0..items).for_each(|item| first.send(item).unwrap()));
    assert!(last.into_iter().eq(stages..stages + items));
}

pub(crate) fn pipe(mut random: Random) {
    let (mut reader, mut pipe) = std::io::pipe().unwrap();
    let size = random.below(200_000);
    let mut theirs = random.fork();
    let writer = lisle::spawn(move || {
        let mut left = size;
        while left > 0 {
            let chunk = (1 + theirs.below(80_000)).min(left);
            pipe.write_all(&vec![3; chunk]).unwrap();
            dally(&mut theirs);
            left -= chunk;
        }
    });
    let (mut total, mut buffer) = (0, vec![0; 1 + random.below(10_000)]);
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => break,
            read => total += read,
        }
        dally(&mut random);
    }
    writer.join().unwrap();
    assert_eq!(total, size);
}

pub(crate) fn sockets(mut random: Random) {
    let clients = 1 + random.below(6);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut theirs = random.fork();
    let server = lisle::spawn(move || {
        for stream in listener.incoming().take(clients) {
            let (mut stream, mut random) = (stream.unwrap(), theirs.fork());
            lisle::spawn(move || {
                let mut byte = [0];
                while stream.read(&mut byte).unwrap() == 1 {
                    dally(&mut random);
                    stream.write_all(&[byte[0].wrapping_mul(3)]).unwrap();
                }
            });
        }
    });
    let all = cast(&mut random, clients, move |_, mut random| {
        let mut stream = TcpStream::connect(address).unwrap();
        for byte in 0..random.below(20) as u8 {
            stream.write_all(&[byte]).unwrap();
            dally(&mut random);
            let mut reply = [0];
            stream.read_exact(&mut reply).unwrap();
            assert_eq!(reply[0], byte.wrapping_mul(3));
        }
    });
    join_all(&mut random, all);
    server.join().unwrap();
}
