//! Crates that know nothing of coroutines, unmodified, on coroutines.

mod util;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use util::{Actor, everywhere, mixed};

#[test]
fn crossbeam_channels() {
    everywhere(|| {
        for capacity in [0, 1, 100] {
            let (tell, told) = crossbeam_channel::bounded(capacity);
            let sums = mixed(8, move |own| match own / 2 % 2 {
                0 => {
                    (0..100_usize).for_each(|item| tell.send(item).unwrap());
                    0
                }
                _ => (0..100).map(|_| told.recv().unwrap()).sum::<usize>(),
            });
            assert_eq!(sums.into_iter().sum::<usize>(), 4 * 4950);
        }
    });
}

#[test]
fn crossbeam_select() {
    everywhere(|| {
        let (tell, told) = crossbeam_channel::unbounded();
        let (meet, met) = crossbeam_channel::bounded::<u64>(0);
        let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
        let collector = lisle::spawn(move || {
            let mut sum = 0;
            loop {
                crossbeam_channel::select! {
                    recv(told) -> item => sum += item.unwrap_or(0),
                    recv(met) -> item => sum += item.unwrap(),
                    recv(stopped) -> _ => break sum + told.try_iter().sum::<u64>(),
                }
            }
        });
        // The senders are kept until the end, so that none is found closed.
        let _senders = mixed(10, move |own| {
            for item in 0..50 {
                if own % 4 < 2 { tell.send(item).unwrap() } else { meet.send(item).unwrap() }
            }
            (tell.clone(), meet.clone())
        });
        stop.send(()).unwrap();
        assert_eq!(collector.join().unwrap(), 10 * 1225);
    });
}

#[test]
fn crossbeam_timers() {
    everywhere(|| {
        let start = Instant::now();
        let (_keep, never) = crossbeam_channel::bounded::<()>(0);
        crossbeam_channel::select! {
            recv(never) -> _ => unreachable!("nobody sends"),
            default(Duration::from_millis(20)) => {}
        }
        crossbeam_channel::after(Duration::from_millis(20)).recv().unwrap();
        assert!(never.recv_timeout(Duration::from_millis(10)).unwrap_err().is_timeout());
        assert!(start.elapsed() >= Duration::from_millis(50));
    });
}

#[test]
fn flume_channels() {
    everywhere(|| {
        for capacity in [Some(0), Some(3), None] {
            let (tell, told) = match capacity {
                Some(capacity) => flume::bounded(capacity),
                None => flume::unbounded(),
            };
            let receiver = lisle::spawn(move || told.into_iter().sum::<usize>());
            mixed(10, move |own| {
                for item in 0..50 {
                    tell.send(own * 100 + item).unwrap();
                }
            });
            assert_eq!(receiver.join().unwrap(), 50 * 4500 + 10 * 1225);
        }
    });
}

#[test]
fn parking_lot_locks() {
    everywhere(|| {
        let count = Arc::new(parking_lot::Mutex::new(0));
        let pair = Arc::new(parking_lot::RwLock::new((0, 0)));
        let (counts, pairs) = (Arc::clone(&count), Arc::clone(&pair));
        mixed(50, move |own| {
            for _ in 0..20 {
                {
                    let mut count = counts.lock();
                    lisle::yield_now();
                    *count += 1;
                }
                if own % 5 == 0 {
                    let mut pair = pairs.write();
                    pair.0 += 1;
                    lisle::yield_now();
                    pair.1 += 1;
                } else {
                    let pair = pairs.read();
                    lisle::yield_now();
                    assert_eq!(pair.0, pair.1);
                }
            }
        });
        assert_eq!((*count.lock(), *pair.read()), (1000, (200, 200)));
    });
}

#[test]
fn parking_lot_condition_variables() {
    everywhere(|| {
        let shared = Arc::new((parking_lot::Mutex::new(0), parking_lot::Condvar::new()));
        let theirs = Arc::clone(&shared);
        mixed(10, move |own| {
            for round in 0..30 {
                let mut turn = theirs.0.lock();
                while *turn != round * 10 + own {
                    theirs.1.wait(&mut turn);
                }
                *turn += 1;
                theirs.1.notify_all();
            }
        });
        let mut turn = shared.0.lock();
        assert_eq!(*turn, 300);
        assert!(shared.1.wait_for(&mut turn, Duration::from_millis(10)).timed_out());
    });
}

#[test]
fn parking_lot_reentrant_locks() {
    everywhere(|| {
        let lock = Arc::new(parking_lot::ReentrantMutex::new(std::cell::Cell::new(0)));
        let theirs = Arc::clone(&lock);
        mixed(20, move |_| {
            let outer = theirs.lock();
            let seen = outer.get();
            lisle::yield_now();
            let inner = theirs.lock();
            inner.set(seen + 1);
        });
        assert_eq!(lock.lock().get(), 20);
    });
}

/// Answers every request on the connection with the path that it asks for.
fn serve(stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut stream = stream;
    while let Some(Ok(request)) = lines.next() {
        let path = request.split(' ').nth(1).expect("a path").to_owned();
        // The headers end with an empty line.
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        lisle::yield_now();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", path.len());
        if stream.write_all((head + &path).as_bytes()).is_err() {
            break;
        }
    }
}

#[test]
fn ureq_requests() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = lisle::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                lisle::spawn(|| serve(stream));
            }
        });
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        // By address and by name; several at once through one pool of connections.
        let clients: Vec<_> = (0..20)
            .map(|own| {
                let agent = agent.clone();
                let host = if own % 2 == 0 { "127.0.0.1" } else { "localhost" };
                Actor::spawn(usize::from(own % 5 == 4), move || {
                    for round in 0..5 {
                        let path = format!("/client/{own}/{round}");
                        let url = format!("http://{host}:{}{path}", address.port());
                        let mut response = agent.get(&url).call().unwrap();
                        assert_eq!(response.status(), 200);
                        assert_eq!(response.body_mut().read_to_string().unwrap(), path);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(Actor::join);
        // It serves on until the process ends.
        assert!(!server.is_finished());
    });
}
