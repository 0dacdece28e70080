//! [`lisle::channel`] under stress: nothing is lost and nothing comes twice, whoever is at its
//! ends, whatever is given up in between.

mod util;

use std::collections::HashSet;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lisle::channel::{Receiver, RecvError, Sender, bounded, rendezvous, unbounded};
use util::{Actor, Random, everywhere, scaled};

fn kinds<T>() -> [(Sender<T>, Receiver<T>); 4] {
    [rendezvous(), bounded(1), bounded(5), unbounded()]
}

/// Counts those that are alive, and knows its name.
struct Counted(usize, Arc<AtomicUsize>);

impl Counted {
    fn new(name: usize, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Counted(name, Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(self.1.fetch_sub(1, Ordering::Relaxed) > 0, "dropped twice");
    }
}

/// Wakes a coroutine or an OS thread that runs an executor of one task.
struct Unpark(lisle::Coroutine);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(lisle::current())))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = waker();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => lisle::park_timeout(Duration::from_millis(100)),
        }
    }
}

#[test]
fn everything_sent_is_received_once() {
    everywhere(|| {
        for (kind, (sender, receiver)) in kinds().into_iter().enumerate() {
            let (senders, each) = (6, scaled(500, 60));
            let sends = Vec::from_iter((0..senders).map(|own| {
                let sender = sender.clone();
                Actor::spawn((own + kind) % 2, move || {
                    for item in 0..each {
                        match own % 3 {
                            0 => block_on(sender.send_async(own * each + item)).unwrap(),
                            _ => sender.send(own * each + item).unwrap(),
                        }
                    }
                })
            }));
            drop(sender);
            let got = Vec::from_iter((0..5).map(|own| {
                let receiver = receiver.clone();
                lisle::spawn(move || {
                    let mut got = Vec::new();
                    let asynchronous = own % 2 == 0;
                    let next = || match asynchronous {
                        true => block_on(receiver.recv_async()),
                        false => receiver.recv(),
                    };
                    while let Ok(item) = next() {
                        got.push(item);
                    }
                    got
                })
            }));
            sends.into_iter().for_each(Actor::join);
            let got = Vec::from_iter(got.into_iter().map(|got| got.join().unwrap()));
            // What a receiver has of one sender is in its order.
            for (one, own) in got.iter().flat_map(|one| (0..senders).map(move |own| (one, own))) {
                assert!(one.iter().filter(|item| *item / each == own).is_sorted());
            }
            let mut all = got.concat();
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..senders * each));
        }
    });
}

#[test]
fn one_sender_is_received_in_order() {
    everywhere(|| {
        for (sender, receiver) in kinds() {
            let count = scaled(3000, 300);
            let sends = lisle::spawn(move || (0..count).try_for_each(|item| sender.send(item)));
            assert!(receiver.iter().eq(0..count));
            sends.join().unwrap().unwrap();
        }
    });
}

/// Time-outs of both sides, with every delay about as long as a hand-over.
#[test]
fn a_time_out_and_a_hand_over_do_not_both_win() {
    everywhere(|| {
        for seed in 0..scaled(12, 4) as u64 {
            for (sender, receiver) in kinds() {
                let mut random = Random::new(seed);
                let alive = Arc::new(AtomicUsize::new(0));
                let mut others = random.fork();
                let theirs = Arc::clone(&alive);
                let sends = lisle::spawn(move || {
                    let mut sent = HashSet::new();
                    for name in 0..300 {
                        let timeout = Duration::from_micros(others.below(40) as u64);
                        match sender.send_timeout(Counted::new(name, &theirs), timeout) {
                            Ok(()) => drop(sent.insert(name)),
                            Err(error) => assert!(error.is_timeout()),
                        }
                    }
                    sent
                });
                let mut got = HashSet::new();
                loop {
                    let timeout = Duration::from_micros(random.below(40) as u64);
                    match receiver.recv_timeout(timeout) {
                        Ok(counted) => assert!(got.insert(counted.0)),
                        Err(error) if error.is_disconnected() => break,
                        Err(_) => {}
                    }
                }
                assert_eq!(got, sends.join().unwrap());
                assert_eq!(alive.load(Ordering::Relaxed), 0);
            }
        }
    });
}

/// What is in a channel when both sides are gone, and what is on the way, is dropped once.
#[test]
fn nothing_leaks_when_both_sides_go() {
    everywhere(|| {
        for seed in 0..scaled(40, 10) as u64 {
            for (sender, receiver) in kinds() {
                let mut random = Random::new(seed);
                let alive = Arc::new(AtomicUsize::new(0));
                let sends = Vec::from_iter((0..3).map(|_| {
                    let (sender, theirs) = (sender.clone(), Arc::clone(&alive));
                    lisle::spawn(move || {
                        let sent = |_: &usize| sender.send(Counted::new(0, &theirs)).is_ok();
                        (0..1000).take_while(sent).count()
                    })
                }));
                drop(sender);
                let takes = random.below(60);
                assert_eq!(receiver.iter().take(takes).count(), takes);
                drop(receiver);
                sends.into_iter().for_each(|sends| assert!(sends.join().unwrap() <= 1000));
                assert_eq!(alive.load(Ordering::Relaxed), 0);
            }
        }
    });
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_value_for_a_future_that_was_dropped_goes_to_the_next() {
    for (sender, receiver) in kinds() {
        let (mut first, mut second) =
            (Box::pin(receiver.recv_async()), Box::pin(receiver.recv_async()));
        assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
        sender.try_send(1).unwrap();
        // Handed over to the first one, which never looks.
        drop(first);
        assert_eq!(poll_once(second.as_mut()), Poll::Ready(Ok(1)));
    }
}

#[test]
fn those_who_wait_are_served_in_the_order_in_which_they_came() {
    for (sender, receiver) in kinds() {
        let mut waiting = [(); 5].map(|()| Box::pin(receiver.recv_async()));
        for future in &mut waiting {
            assert!(poll_once(future.as_mut()).is_pending());
        }
        for item in 0..5 {
            sender.try_send(item).unwrap();
        }
        let got = waiting.map(|mut future| poll_once(future.as_mut()));
        assert_eq!(got, [0, 1, 2, 3, 4].map(|item| Poll::Ready(Ok(item))));
        let mut waiting = [10, 11, 12].map(|item| Box::pin(sender.send_async(item)));
        while sender.capacity().is_some() && sender.try_send(9).is_ok() {}
        for future in &mut waiting {
            assert_eq!(poll_once(future.as_mut()).is_pending(), sender.capacity().is_some());
        }
        let got = receiver.try_iter().filter(|item| *item != 9).collect::<Vec<_>>();
        assert_eq!(got, [10, 11, 12]);
    }
}

#[test]
fn a_value_for_a_future_that_was_dropped_comes_first() {
    for (sender, receiver) in kinds() {
        let mut future = Box::pin(receiver.recv_async());
        assert!(poll_once(future.as_mut()).is_pending());
        sender.try_send(1).unwrap();
        let mut sent = vec![1];
        for number in 2..5 {
            if sender.try_send(number).is_ok() {
                sent.push(number);
            }
        }
        drop(future);
        assert_eq!(receiver.len(), sent.len());
        drop(sender);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), sent);
    }
}

#[test]
fn futures_end_with_the_other_side_and_take_themselves_out() {
    for (sender, receiver) in kinds::<u32>() {
        while sender.capacity().is_some() && sender.try_send(0).is_ok() {}
        if sender.capacity().is_some() {
            let mut send = Box::pin(sender.send_async(9));
            assert!(poll_once(send.as_mut()).is_pending());
            let mut given_up = Box::pin(sender.send_async(8));
            assert!(poll_once(given_up.as_mut()).is_pending());
            drop(given_up);
            drop(receiver);
            let Poll::Ready(Err(error)) = poll_once(send.as_mut()) else { panic!("it is over") };
            assert_eq!(error.into_inner(), 9);
        } else {
            let mut recv = Box::pin(receiver.recv_async());
            assert!(poll_once(recv.as_mut()).is_pending());
            drop(sender);
            assert_eq!(poll_once(recv.as_mut()), Poll::Ready(Err(RecvError::Disconnected)));
        }
    }
}

#[test]
fn futures_that_come_and_go_lose_nothing() {
    everywhere(|| {
        for seed in 0..scaled(20, 5) as u64 {
            for (sender, receiver) in kinds() {
                let mut random = Random::new(seed);
                let count = 200;
                let sends = lisle::spawn(move || {
                    for item in 0..count {
                        sender.send(item).unwrap();
                        if random.below(3) == 0 {
                            lisle::yield_now();
                        }
                    }
                });
                let takes = Vec::from_iter((0..3).map(|own| {
                    let (receiver, mut random) = (receiver.clone(), Random::new(seed + 100 + own));
                    lisle::spawn(move || take_impatiently(&receiver, &mut random))
                }));
                drop(receiver);
                let mut all = Vec::from_iter(takes.into_iter().flat_map(|got| got.join().unwrap()));
                sends.join().unwrap();
                all.sort_unstable();
                assert!(all.iter().copied().eq(0..count));
            }
        }
    });
}

/// Receives with futures that are dropped after a few polls, if nothing has come by then.
fn take_impatiently(receiver: &Receiver<usize>, random: &mut Random) -> Vec<usize> {
    let mut got = Vec::new();
    loop {
        let mut future = pin!(receiver.recv_async());
        for _ in 0..=random.below(3) {
            match poll_once(future.as_mut()) {
                Poll::Ready(Ok(item)) => {
                    got.push(item);
                    break;
                }
                Poll::Ready(Err(_)) => return got,
                Poll::Pending => lisle::yield_now(),
            }
        }
    }
}

#[test]
fn a_clock_wakes_a_task() {
    everywhere(|| {
        let delay = Duration::from_millis(3);
        let begin = std::time::Instant::now();
        let moment = block_on(lisle::channel::after(delay).recv_async()).unwrap();
        assert!(moment >= begin + delay && begin.elapsed() >= delay);
        let ticks = lisle::channel::tick(delay);
        for _ in 0..3 {
            block_on(ticks.recv_async()).unwrap();
        }
        assert!(begin.elapsed() >= 4 * delay);
    });
}
