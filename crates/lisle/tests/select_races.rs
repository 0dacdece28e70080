//! Choices under stress, and how fair they are. The cases are those of Go's channel tests and of
//! crossbeam-channel's, written anew.

mod util;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lisle::channel::{Receiver, Sender, bounded, rendezvous, unbounded};
use lisle::select;
use lisle::select::Select;
use util::{Actor, Random, everywhere, scaled};

const LONG: Duration = Duration::from_secs(50);

fn pairs<T>(count: usize, capacity: usize) -> (Vec<Sender<T>>, Vec<Receiver<T>>) {
    (0..count).map(|_| bounded(capacity)).unzip()
}

/// Go's `TestNonblockSelectRace`: at each moment one of two channels has a value.
#[test]
fn a_default_is_chosen_only_if_nothing_was_ready_at_one_moment() {
    everywhere(|| {
        for round in 0..scaled(3000, 500) {
            let ((one, ones), (two, twos)) = (bounded(1), bounded(1));
            one.send(1).unwrap();
            let theirs = (ones.clone(), twos.clone());
            let actor = Actor::spawn(round, move || {
                let (ones, twos) = theirs;
                if round % 4 < 2 {
                    let mut select = Select::new();
                    select.recv(&ones);
                    select.recv(&twos);
                    return select.try_select().is_ok();
                }
                select! {
                    recv(ones) -> _ => true,
                    recv(twos) -> _ => true,
                    default => false,
                }
            });
            two.send(1).unwrap();
            let _ = ones.try_recv();
            assert!(actor.join());
        }
    });
}

/// Go's `TestNonblockSelectRace2`: a value, or the end of the channel.
#[test]
fn an_end_is_not_missed() {
    everywhere(|| {
        for round in 0..scaled(2000, 500) {
            let (one, ones) = bounded(1);
            let (two, twos) = rendezvous::<i32>();
            one.send(1).unwrap();
            let theirs = ones.clone();
            let actor = Actor::spawn(round, move || {
                select! {
                    recv(theirs) -> _ => true,
                    recv(twos) -> _ => true,
                    default => false,
                }
            });
            drop(two);
            let _ = ones.try_recv();
            assert!(actor.join());
        }
    });
}

/// Go's `TestSelectFairness`: what is always ready gets its share beside what never is.
#[test]
fn arms_that_are_ready_have_the_same_chance() {
    everywhere(|| {
        const ROUNDS: usize = 8000;
        let ((one, ones), (two, twos)) = (unbounded(), unbounded());
        let (_never, nothing) = rendezvous::<()>();
        let (_never2, nothing2) = rendezvous::<()>();
        for _ in 0..ROUNDS {
            one.send(()).unwrap();
            two.send(()).unwrap();
        }
        let mut counts = [0_usize; 2];
        for _ in 0..ROUNDS {
            select! {
                recv(nothing) -> _ => unreachable!(),
                recv(ones) -> _ => counts[0] += 1,
                recv(nothing2) -> _ => unreachable!(),
                recv(twos) -> _ => counts[1] += 1,
            }
        }
        // Eleven standard deviations.
        assert!(counts[0].abs_diff(counts[1]) < 1000, "{counts:?}");
    });
}

/// Go's `TestPseudoRandomSend`.
#[test]
fn what_is_sent_is_random() {
    everywhere(|| {
        for capacity in [0, 100] {
            let (sender, receiver) = bounded(capacity);
            let receives = lisle::spawn(move || receiver.iter().collect::<Vec<usize>>());
            for _ in 0..400 {
                select! {
                    send(sender, 0) -> sent => sent.unwrap(),
                    send(sender, 1) -> sent => sent.unwrap(),
                }
            }
            drop(sender);
            let got = receives.join().unwrap();
            let ones: usize = got.iter().sum();
            assert!(got.len() == 400 && (100..300).contains(&ones), "{ones}");
        }
    });
}

/// Go's `TestSelectStress`: four channels, alone and in choices, each value sent and received once.
#[test]
fn choices_and_plain_ends_together() {
    everywhere(|| {
        let each = scaled(600, 100);
        let (senders, receivers): (Vec<_>, Vec<_>) =
            [0, 0, 2, 3].map(bounded::<usize>).into_iter().unzip();
        let (senders, receivers) = (Arc::new(senders), Arc::new(receivers));
        let mut all = Vec::new();
        for at in 0..4 {
            let (senders, receivers) = (Arc::clone(&senders), Arc::clone(&receivers));
            all.push(Actor::spawn(at, move || {
                (0..each).for_each(|n| senders[at].send(n).unwrap())
            }));
            all.push(Actor::spawn(at + 1, move || {
                assert!((0..each).all(|_| receivers[at].recv().is_ok()));
            }));
        }
        let theirs = Arc::clone(&senders);
        all.push(Actor::spawn(0, move || {
            let mut counts = [each; 4];
            while counts.iter().any(|count| *count > 0) {
                let s = theirs.each(&counts);
                let at = select! {
                    send(s[0], 0) -> sent => sent.map(|()| 0).unwrap(),
                    send(s[1], 0) -> sent => sent.map(|()| 1).unwrap(),
                    send(s[2], 0) -> sent => sent.map(|()| 2).unwrap(),
                    send(s[3], 0) -> sent => sent.map(|()| 3).unwrap(),
                };
                counts[at] -= 1;
            }
        }));
        all.push(Actor::spawn(1, move || {
            let mut counts = [each; 4];
            while counts.iter().any(|count| *count > 0) {
                let r = receivers.each(&counts);
                let at = select! {
                    recv(r[0]) -> got => got.map(|_| 0).unwrap(),
                    recv(r[1]) -> got => got.map(|_| 1).unwrap(),
                    recv(r[2]) -> got => got.map(|_| 2).unwrap(),
                    recv(r[3]) -> got => got.map(|_| 3).unwrap(),
                };
                counts[at] -= 1;
            }
        }));
        all.into_iter().for_each(Actor::join);
        assert!(senders.iter().all(Sender::is_empty));
    });
}

/// The ends that are still of interest; others are replaced by what is never ready.
trait Each {
    type End;
    fn each(&self, counts: &[usize; 4]) -> [Self::End; 4];
}

thread_local! {
    /// Full for ever, while the coroutine lives.
    static FULL: (Sender<usize>, Receiver<usize>) = rendezvous();
}

impl Each for Vec<Sender<usize>> {
    type End = Sender<usize>;
    fn each(&self, counts: &[usize; 4]) -> [Sender<usize>; 4] {
        let full = FULL.with(|full| full.0.clone());
        std::array::from_fn(|at| if counts[at] > 0 { self[at].clone() } else { full.clone() })
    }
}

impl Each for Vec<Receiver<usize>> {
    type End = Receiver<usize>;
    fn each(&self, counts: &[usize; 4]) -> [Receiver<usize>; 4] {
        std::array::from_fn(|at| match counts[at] {
            0 => lisle::channel::never(),
            _ => self[at].clone(),
        })
    }
}

/// Choices on both sides, which meet each other while they register.
#[test]
fn choices_meet_choices() {
    everywhere(|| {
        for capacity in [0, 1, 4] {
            let (senders, receivers) = pairs(2, capacity);
            let each = scaled(2000, 300);
            let sends = Vec::from_iter((0..3).map(|own| {
                let s = senders.clone();
                Actor::spawn(own, move || {
                    for item in 0..each {
                        select! {
                            send(s[0], own * each + item) -> sent => sent.unwrap(),
                            send(s[1], own * each + item) -> sent => sent.unwrap(),
                        }
                    }
                })
            }));
            drop(senders);
            let receives = Vec::from_iter((0..3).map(|own| {
                let r = receivers.clone();
                Actor::spawn(own, move || {
                    let mut got = Vec::new();
                    loop {
                        let item = if own % 2 == 0 {
                            select! {
                                recv(r[1]) -> item => item,
                                recv(r[0]) -> item => item,
                            }
                        } else {
                            select! {
                                recv(r[0]) -> item => item,
                                recv(r[1]) -> item => item,
                            }
                        };
                        match item {
                            Ok(item) => got.push(item),
                            // The other channel may still have some.
                            Err(_) => break got.extend(r[0].iter().chain(r[1].iter())),
                        }
                    }
                    got
                })
            }));
            sends.into_iter().for_each(Actor::join);
            let mut all = Vec::from_iter(receives.into_iter().flat_map(Actor::join));
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..3 * each));
        }
    });
}

/// Counts those that are alive.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(self.0.fetch_sub(1, Ordering::Relaxed) > 0, "dropped twice");
    }
}

#[test]
fn nothing_is_lost_when_time_outs_race_with_hand_overs() {
    everywhere(|| {
        for seed in 0..scaled(20, 5) as u64 {
            for capacity in [0, 1, 3] {
                let alive = Arc::new(AtomicUsize::new(0));
                let (senders, receivers) = pairs(2, capacity);
                let (mut random, theirs) = (Random::new(seed), Arc::clone(&alive));
                let mut others = random.fork();
                let sends = lisle::spawn(move || {
                    let mut sent = 0;
                    for _ in 0..300 {
                        let timeout = Duration::from_micros(others.below(30) as u64);
                        select! {
                            send(senders[0], Counted::new(&theirs)) -> result => {
                                assert!(result.is_ok());
                                sent += 1;
                            }
                            send(senders[1], Counted::new(&theirs)) -> result => {
                                assert!(result.is_ok());
                                sent += 1;
                            }
                            default(timeout) => {}
                        }
                    }
                    sent
                });
                let mut got = 0;
                loop {
                    let timeout = Duration::from_micros(random.below(30) as u64);
                    select! {
                        recv(receivers[0]) -> item => if item.is_ok() { got += 1 } else { break },
                        recv(receivers[1]) -> item => if item.is_ok() { got += 1 } else { break },
                        default(timeout) => {}
                    }
                }
                got += receivers[0].iter().count() + receivers[1].iter().count();
                assert_eq!(got, sends.join().unwrap());
                assert_eq!(alive.load(Ordering::Relaxed), 0);
            }
        }
    });
}

/// Go's `TestMultiConsumer`, with consumers that choose.
#[test]
fn many_consumers() {
    everywhere(|| {
        let (work, works) = unbounded();
        let (done, dones) = bounded(3);
        let count = scaled(5000, 500);
        let consumers = Vec::from_iter((0..8).map(|own| {
            let (works, done) = (works.clone(), done.clone());
            Actor::spawn(own, move || {
                let mut random = Random::new(own as u64);
                for item in &works {
                    if random.below(4) == 0 {
                        lisle::yield_now();
                    }
                    done.send(item).unwrap();
                }
            })
        }));
        drop(done);
        for item in 0..count {
            work.send(item).unwrap();
        }
        drop(work);
        let mut sum = 0;
        loop {
            select! {
                recv(dones) -> item => match item {
                    Ok(item) => sum += item,
                    Err(_) => break,
                },
                default(LONG) => unreachable!(),
            }
        }
        assert_eq!(sum, count * (count - 1) / 2);
        consumers.into_iter().for_each(Actor::join);
    });
}

#[test]
fn joins_race_with_ends() {
    everywhere(|| {
        for round in 0..scaled(1000, 200) {
            let (mut one, mut two) = (Some(lisle::spawn(|| 1)), Some(lisle::spawn(|| 2)));
            let mut sum = 0;
            while let (Some(first), Some(second)) = (one.take(), two.take()) {
                if round % 2 == 0 {
                    lisle::yield_now();
                }
                select! {
                    join(first) -> result => {
                        sum += result.unwrap();
                        sum += second.join().unwrap();
                    }
                    join(second) -> result => {
                        sum += result.unwrap();
                        sum += first.join().unwrap();
                    }
                }
            }
            assert_eq!(sum, 3);
        }
    });
}
