//! [`lisle::channel`], kind by kind: what each of them holds, when it waits, how it ends. The cases
//! are those of crossbeam-channel's suites, written anew.

mod util;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lisle::channel::{
    Receiver, RecvError, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError,
    TrySendError, after, at, bounded, never, rendezvous, tick, unbounded,
};
use util::{Actor, everywhere, spawn_running};

const SHORT: Duration = Duration::from_millis(3);

/// A rendezvous, bounded ones, an unbounded one.
fn kinds<T>() -> [(Sender<T>, Receiver<T>); 4] {
    [rendezvous(), bounded(1), bounded(7), unbounded()]
}

#[test]
fn capacity_and_length() {
    everywhere(|| {
        for (sender, receiver) in kinds() {
            let capacity = sender.capacity();
            assert_eq!(capacity, receiver.capacity());
            let room = capacity.unwrap_or(100);
            for number in 0..room {
                assert_eq!((sender.len(), receiver.len()), (number, number));
                assert_eq!(sender.is_empty(), number == 0);
                assert!(!sender.is_full());
                sender.send(number).unwrap();
            }
            assert_eq!(receiver.is_full(), capacity.is_some());
            if capacity.is_some() {
                assert_eq!(sender.try_send(room), Err(TrySendError::Full(room)));
            }
            assert_eq!(receiver.try_iter().collect::<Vec<_>>(), Vec::from_iter(0..room));
            assert!(receiver.is_empty());
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        }
    });
}

#[test]
fn what_is_left_is_received_after_the_last_sender_went() {
    everywhere(|| {
        for (sender, receiver) in kinds() {
            let sent = Vec::from_iter((0..7).take_while(|number| sender.try_send(*number).is_ok()));
            let other = sender.clone();
            drop(sender);
            drop(other);
            let receiver = receiver.clone();
            assert_eq!(receiver.iter().collect::<Vec<_>>(), sent);
            assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
            assert_eq!(receiver.recv_timeout(SHORT), Err(RecvTimeoutError::Disconnected));
        }
    });
}

#[test]
fn without_receivers_the_value_comes_back_and_what_is_left_is_dropped() {
    everywhere(|| {
        for (sender, receiver) in kinds() {
            let value = Arc::new(());
            let mut left = 1;
            while left < 5 && sender.try_send(Arc::clone(&value)).is_ok() {
                left += 1;
            }
            assert_eq!(Arc::strong_count(&value), left);
            drop(receiver.clone());
            drop(receiver);
            assert_eq!(Arc::strong_count(&value), 1);
            let back = sender.send(Arc::clone(&value)).unwrap_err();
            assert!(back.is_disconnected() && Arc::ptr_eq(&back.into_inner(), &value));
            assert!(sender.try_send(Arc::clone(&value)).unwrap_err().is_disconnected());
            let timed = sender.send_timeout(Arc::clone(&value), SHORT).unwrap_err();
            assert!(timed.is_disconnected() && !timed.is_timeout());
        }
    });
}

#[test]
fn waits_end_in_time_with_the_value() {
    everywhere(|| {
        for (sender, receiver) in kinds::<u32>() {
            let begin = Instant::now();
            assert_eq!(receiver.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
            assert_eq!(receiver.recv_deadline(begin + 2 * SHORT), Err(RecvTimeoutError::Timeout));
            assert!(begin.elapsed() >= 2 * SHORT);
            if sender.capacity().is_some() {
                while sender.try_send(1).is_ok() {}
                let begin = Instant::now();
                let timeout = Err(SendTimeoutError::Timeout(2));
                assert_eq!(sender.send_timeout(2, SHORT), timeout);
                assert_eq!(sender.send_deadline(2, begin + 2 * SHORT), timeout);
                assert!(begin.elapsed() >= 2 * SHORT);
            }
        }
    });
}

#[test]
fn a_waiting_receiver_is_served_in_turn() {
    everywhere(|| {
        for (number, (sender, receiver)) in kinds().into_iter().enumerate() {
            let actor = Actor::spawn(number % 2, move || {
                for item in 0..100 {
                    assert_eq!(receiver.recv_timeout(util::LIMIT), Ok(item));
                }
                assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
            });
            for item in 0..100 {
                sender.send_timeout(item, util::LIMIT).unwrap();
            }
            drop(sender);
            actor.join();
        }
    });
}

#[test]
fn a_wait_ends_when_the_other_side_goes() {
    everywhere(|| {
        for kind in 0..2 {
            let (sender, receiver) = rendezvous::<u32>();
            let actor = Actor::spawn(kind, move || {
                assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
            });
            lisle::sleep(SHORT);
            drop(sender);
            actor.join();
            let (sender, receiver) = rendezvous();
            let actor = Actor::spawn(kind, move || {
                assert_eq!(sender.send(3), Err(SendError::Disconnected(3)));
            });
            lisle::sleep(SHORT);
            drop(receiver);
            actor.join();
        }
    });
}

#[test]
fn a_sender_that_waits_fills_the_room() {
    everywhere(|| {
        let (sender, receiver) = bounded(2);
        sender.send(0).unwrap();
        sender.send(1).unwrap();
        let waits = spawn_running(move || sender.send(2));
        let mut got = vec![receiver.recv().unwrap()];
        waits.join().unwrap().unwrap();
        assert_eq!(receiver.len(), 2);
        got.extend(receiver.iter());
        assert_eq!(got, [0, 1, 2]);
    });
}

#[test]
fn moments_come_once() {
    everywhere(|| {
        let begin = Instant::now();
        let once = after(SHORT);
        assert_eq!((once.capacity(), once.is_full()), (Some(1), false));
        assert_eq!(once.clone().try_recv(), Err(TryRecvError::Empty));
        let moment = once.recv().unwrap();
        assert!(moment >= begin + SHORT && Instant::now() >= moment);
        assert_eq!(once.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        let past = at(begin);
        assert_eq!((past.len(), past.is_full()), (1, true));
        let other = past.clone();
        assert!(past.same_channel(&other) && !past.same_channel(&at(begin)));
        assert_eq!((other.recv(), past.try_recv()), (Ok(begin), Err(TryRecvError::Empty)));
        assert_eq!(after(Duration::MAX).try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn ticks_come_again_and_are_not_saved_up() {
    everywhere(|| {
        let begin = Instant::now();
        let ticks = tick(SHORT);
        let moments = ticks.iter().take(4).collect::<Vec<_>>();
        assert!(moments.is_sorted() && begin.elapsed() >= 4 * SHORT);
        lisle::sleep(5 * SHORT);
        let late = Instant::now();
        assert!(ticks.try_recv().unwrap() <= late);
        assert!(ticks.recv().unwrap() >= late + SHORT);
        assert_eq!(ticks.recv_deadline(begin), Err(RecvTimeoutError::Timeout));
        assert_eq!(tick(Duration::MAX).recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
    });
}

#[test]
fn nothing_comes_never() {
    everywhere(|| {
        let nothing = never::<String>();
        assert_eq!(nothing.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(nothing.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        assert_eq!((nothing.len(), nothing.capacity()), (0, Some(0)));
        assert!(nothing.is_empty() && nothing.is_full() && nothing.same_channel(&nothing.clone()));
    });
}

#[test]
fn iterators_end_with_the_senders() {
    everywhere(|| {
        for (sender, receiver) in kinds() {
            let sums = (0..3).map(|_| {
                let receiver = receiver.clone();
                lisle::spawn(move || receiver.into_iter().sum::<u64>())
            });
            let sums = Vec::from_iter(sums);
            for number in 0..200 {
                sender.send(number).unwrap();
            }
            drop(sender);
            let sum: u64 = sums.into_iter().map(|sum| sum.join().unwrap()).sum();
            assert_eq!(sum, 199 * 100);
            assert_eq!((&receiver).into_iter().next(), None);
        }
    });
}

#[test]
fn same_channel_is_told_apart() {
    let (sender, receiver) = unbounded::<u8>();
    let (other, another) = unbounded::<u8>();
    assert!(sender.same_channel(&sender.clone()) && !sender.same_channel(&other));
    assert!(receiver.same_channel(&receiver.clone()) && !receiver.same_channel(&another));
    assert!(!receiver.same_channel(&never()));
}

#[test]
fn values_of_no_size_and_large_ones() {
    everywhere(|| {
        for (sender, receiver) in kinds() {
            let sends = lisle::spawn(move || (0..50).try_for_each(|_| sender.send(())));
            assert_eq!(receiver.iter().count(), 50);
            sends.join().unwrap().unwrap();
        }
        for (sender, receiver) in kinds() {
            let sends = lisle::spawn(move || (0..50).all(|n| sender.send([n; 300]).is_ok()));
            for (number, value) in receiver.iter().enumerate() {
                assert_eq!(value, [number; 300]);
            }
            assert!(sends.join().unwrap());
        }
    });
}

/// A channel in a thread-local, used while that is being destroyed.
#[test]
fn destructors_of_thread_locals_may_use_channels() {
    struct Last(Option<Sender<u32>>, Receiver<u32>);
    impl Drop for Last {
        fn drop(&mut self) {
            assert_eq!(self.1.recv(), Ok(1));
            self.0.take().unwrap().send(2).unwrap();
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) };
    }
    everywhere(|| {
        for kind in 0..2 {
            let (to, from) = (rendezvous(), rendezvous());
            let last = Last(Some(to.0), from.1);
            let actor = Actor::spawn(kind, move || LAST.set(Some(last)));
            from.0.send(1).unwrap();
            assert_eq!(to.1.recv(), Ok(2));
            actor.join();
        }
    });
}

#[test]
fn errors_say_what_happened() {
    let texts = [
        SendError::Disconnected(()).to_string(),
        SendError::Stopped((), lisle::Stop::Cancelled).to_string(),
        TrySendError::Full(()).to_string(),
        SendTimeoutError::Timeout(()).to_string(),
        RecvError::Disconnected.to_string(),
        TryRecvError::Empty.to_string(),
        RecvTimeoutError::Stopped(lisle::Stop::TimedOut).to_string(),
    ];
    assert_eq!(
        texts,
        [
            "sending on a disconnected channel",
            "what waits was cancelled",
            "sending on a full channel",
            "timed out waiting on send operation",
            "receiving on an empty and disconnected channel",
            "receiving on an empty channel",
            "the deadline of what waits has passed",
        ]
    );
    assert_eq!(format!("{:?}", TrySendError::Full(())), "Full(..)");
    let stopped = SendTimeoutError::from(SendError::Stopped(4, lisle::Stop::Cancelled));
    assert_eq!(stopped, SendTimeoutError::Stopped(4, lisle::Stop::Cancelled));
    assert_eq!(TrySendError::from(SendError::Disconnected(4)).into_inner(), 4);
    assert!(RecvTimeoutError::from(RecvError::Disconnected).is_disconnected());
    assert!(TryRecvError::from(RecvError::Stopped(lisle::Stop::TimedOut)).is_empty());
}
