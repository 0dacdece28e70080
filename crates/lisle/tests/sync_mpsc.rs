//! [`std::sync::mpsc`] between coroutines, and between coroutines and OS threads.

mod util;

use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use util::{Actor, everywhere, mixed, scaled, spawn_running};

#[test]
fn a_receiver_waits_for_the_sender() {
    everywhere(|| {
        for sender in 0..2 {
            let (tell, told) = mpsc::channel();
            assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
            let sender = Actor::spawn(sender, move || tell.send(5).unwrap());
            assert_eq!(told.recv(), Ok(5));
            sender.join();
            assert!(told.recv().is_err());
            assert_eq!(told.try_recv(), Err(TryRecvError::Disconnected));
        }
    });
}

#[test]
fn many_send_to_one() {
    everywhere(|| {
        let senders = scaled(300, 50);
        let (tell, told) = mpsc::channel();
        let all: Vec<_> = (0..senders)
            .map(|own| {
                let tell = tell.clone();
                Actor::spawn(usize::from(own % 10 == 0), move || {
                    for item in 0..20 {
                        tell.send((own, item)).unwrap();
                        lisle::yield_now();
                    }
                })
            })
            .collect();
        drop(tell);
        let mut next = vec![0; senders];
        for (own, item) in told {
            assert_eq!(item, next[own], "the order of sender {own}");
            next[own] += 1;
        }
        assert!(next.iter().all(|count| *count == 20));
        all.into_iter().for_each(Actor::join);
    });
}

#[test]
fn a_full_channel_holds_the_sender() {
    everywhere(|| {
        let (tell, told) = mpsc::sync_channel(3);
        let sender = lisle::spawn(move || {
            for item in 0..100 {
                tell.send(item).unwrap();
            }
            tell
        });
        for item in 0..100 {
            assert_eq!(told.recv(), Ok(item));
        }
        let tell = sender.join().unwrap();
        for item in 0..3 {
            tell.try_send(item).unwrap();
        }
        assert_eq!(tell.try_send(3), Err(TrySendError::Full(3)));
        drop(told);
        assert_eq!(tell.send(4).unwrap_err().0, 4);
    });
}

#[test]
fn a_rendezvous_meets() {
    everywhere(|| {
        for other in 0..2 {
            let (ping, pinged) = mpsc::sync_channel(0);
            let (pong, ponged) = mpsc::sync_channel(0);
            let other = Actor::spawn(other, move || {
                for ball in pinged {
                    pong.send(ball + 1).unwrap();
                }
            });
            let mut ball = 0;
            for _ in 0..300 {
                ping.send(ball).unwrap();
                ball = ponged.recv().unwrap();
            }
            drop(ping);
            other.join();
            assert_eq!(ball, 300);
        }
    });
}

#[test]
fn a_receive_times_out() {
    everywhere(|| {
        let (tell, told) = mpsc::channel::<()>();
        let timeout = Duration::from_millis(20);
        let start = Instant::now();
        assert_eq!(told.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= timeout);
        assert_eq!(told.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        let sender = lisle::spawn(move || tell.send(()).unwrap());
        assert_eq!(told.recv_timeout(Duration::from_secs(3600)), Ok(()));
        sender.join().unwrap();
        assert_eq!(told.recv_timeout(timeout), Err(RecvTimeoutError::Disconnected));
    });
}

#[test]
fn a_lost_end_wakes_the_other() {
    everywhere(|| {
        let (tell, told) = mpsc::channel::<()>();
        let receiver = spawn_running(move || told.recv().is_err());
        drop(tell);
        assert!(receiver.join().unwrap());

        let (tell, told) = mpsc::sync_channel(0);
        let sender = spawn_running(move || tell.send(1).is_err());
        drop(told);
        assert!(sender.join().unwrap());
    });
}

#[test]
fn a_pipeline_keeps_the_order() {
    everywhere(|| {
        let (first, mut last) = mpsc::sync_channel(1);
        for stage in 0..scaled(200, 30) {
            let (send, received) = mpsc::sync_channel(1);
            let input = std::mem::replace(&mut last, received);
            let run = move || input.into_iter().try_for_each(|item: usize| send.send(item + 1));
            // A few stages are OS threads.
            match stage % 50 {
                7 => drop(thread::spawn(run)),
                _ => drop(lisle::spawn(run)),
            }
        }
        let stages = scaled(200, 30);
        let source = lisle::spawn(move || (0..50).try_for_each(|item| first.send(item)));
        assert!(last.into_iter().eq(stages..stages + 50));
        source.join().unwrap().unwrap();
    });
}

#[test]
fn everyone_hears_from_everyone() {
    everywhere(|| {
        let count = 30;
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel()).unzip();
        let receivers: Vec<_> =
            receivers.into_iter().map(|one| std::sync::Mutex::new(Some(one))).collect();
        let receivers = std::sync::Arc::new(receivers);
        let sums = mixed(count, move |own| {
            let received = receivers[own].lock().unwrap().take().unwrap();
            for sender in &senders {
                sender.send(own).unwrap();
            }
            received.iter().take(count).sum::<usize>()
        });
        assert_eq!(sums, vec![count * (count - 1) / 2; count]);
    });
}
