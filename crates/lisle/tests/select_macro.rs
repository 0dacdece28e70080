//! [`lisle::select!`]: what each arm does, and what may be written. The cases are those of
//! crossbeam-channel's `select_macro` and of Go's, written anew.

mod util;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lisle::channel::{
    Receiver, RecvError, SendError, after, bounded, never, rendezvous, unbounded,
};
use lisle::select;
use util::{Actor, everywhere, spawn_running};

const SHORT: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_secs(50);

#[test]
fn what_is_ready_is_chosen() {
    everywhere(|| {
        let (one, ones) = unbounded();
        let (two, twos) = bounded(1);
        one.send(1).unwrap();
        let chosen = select! {
            recv(ones) -> got => got.unwrap(),
            recv(twos) -> got => got.unwrap(),
        };
        assert_eq!(chosen, 1);
        two.send(2).unwrap();
        select! {
            recv(ones) -> _ => unreachable!(),
            recv(twos) -> got => assert_eq!(got, Ok(2)),
        }
        select! {
            recv(ones) -> _ => unreachable!(),
            send(two, 3) -> sent => assert_eq!(sent, Ok(())),
        }
        select! {
            recv(ones) -> _ => unreachable!(),
            send(two, 4) -> _ => unreachable!(),
            default => {}
        }
        let begin = Instant::now();
        select! {
            recv(ones) -> _ => unreachable!(),
            send(two, 4) -> _ => unreachable!(),
            default(SHORT) => assert!(begin.elapsed() >= SHORT),
        }
        assert_eq!(twos.recv(), Ok(3));
    });
}

#[test]
fn the_end_of_a_channel_is_something_to_choose() {
    everywhere(|| {
        let (sender, receiver) = rendezvous::<i32>();
        let (other, others) = rendezvous::<i32>();
        drop((sender, others));
        for _ in 0..20 {
            select! {
                recv(receiver) -> got => assert_eq!(got, Err(RecvError::Disconnected)),
                send(other, 6) -> sent => assert_eq!(sent, Err(SendError::Disconnected(6))),
            }
        }
    });
}

#[test]
fn a_wait_ends_by_any_of_its_arms() {
    everywhere(|| {
        for kind in 0..2 {
            let (ping, pings) = rendezvous();
            let (pong, pongs) = rendezvous();
            let (stop, stops) = rendezvous::<()>();
            let actor = Actor::spawn(kind, move || {
                let (mut got, mut sent) = (Vec::new(), 0);
                loop {
                    select! {
                        recv(pings) -> number => got.push(number.unwrap()),
                        send(pong, sent) -> result => {
                            result.unwrap();
                            sent += 1;
                        }
                        recv(stops) -> _ => break (got, sent),
                    }
                }
            });
            for number in 0..50 {
                ping.send(number).unwrap();
                assert_eq!(pongs.recv(), Ok(number));
            }
            drop(stop);
            assert_eq!(actor.join(), (Vec::from_iter(0..50), 50));
        }
    });
}

#[test]
fn arms_that_wait_end_when_the_other_side_goes() {
    everywhere(|| {
        let (sender, receiver) = rendezvous::<i32>();
        let waits = spawn_running(move || {
            select! {
                recv(receiver) -> got => got,
                recv(never()) -> got => got,
                default(LONG) => unreachable!(),
            }
        });
        drop(sender);
        assert_eq!(waits.join().unwrap(), Err(RecvError::Disconnected));
        let (sender, receiver) = rendezvous();
        let waits = spawn_running(move || {
            select! {
                send(sender, 5) -> sent => sent,
                recv(never::<()>()) -> _ => unreachable!(),
            }
        });
        drop(receiver);
        assert_eq!(waits.join().unwrap(), Err(SendError::Disconnected(5)));
    });
}

/// Go's `TestSelfSelect`: both ends of one channel in one choice, by two at a time.
#[test]
fn a_choice_does_not_meet_itself() {
    everywhere(|| {
        for capacity in [0, 10] {
            let (sender, receiver) = bounded(capacity);
            let all = Vec::from_iter((0..2).map(|own| {
                let (sender, receiver) = (sender.clone(), receiver.clone());
                Actor::spawn(own, move || {
                    for _ in 0..300 {
                        let check = |got: Result<usize, RecvError>| {
                            assert!(capacity > 0 || got != Ok(own), "met itself");
                        };
                        select! {
                            send(sender, own) -> sent => sent.unwrap(),
                            recv(receiver) -> got => check(got),
                            default(Duration::from_millis(1)) => {}
                        }
                        select! {
                            recv(receiver) -> got => check(got),
                            send(sender, own) -> sent => sent.unwrap(),
                            default(Duration::from_millis(1)) => {}
                        }
                    }
                })
            }));
            all.into_iter().for_each(Actor::join);
        }
        let (sender, receiver) = rendezvous();
        select! {
            send(sender, 1) -> _ => unreachable!(),
            recv(receiver) -> _ => unreachable!(),
            default => {}
        }
        select! {
            send(sender, 1) -> _ => unreachable!(),
            recv(receiver) -> _ => unreachable!(),
            default(SHORT) => {}
        }
    });
}

/// Go's `TestSelectDuplicateChannel`.
#[test]
fn one_channel_may_be_in_several_arms() {
    everywhere(|| {
        let (sender, receiver) = rendezvous();
        let (end, ends) = rendezvous();
        let first = {
            let receiver = receiver.clone();
            spawn_running(move || {
                select! {
                    recv(receiver) -> got => got.unwrap(),
                    recv(receiver) -> got => got.unwrap(),
                    recv(ends) -> got => got.unwrap(),
                }
            })
        };
        let second = spawn_running(move || receiver.recv().unwrap());
        end.send(0).unwrap();
        assert_eq!(first.join().unwrap(), 0);
        sender.send(8).unwrap();
        assert_eq!(second.join().unwrap(), 8);
    });
}

#[test]
fn time_is_something_to_choose() {
    everywhere(|| {
        let begin = Instant::now();
        select! {
            recv(after(LONG)) -> _ => unreachable!(),
            recv(after(SHORT)) -> moment => assert!(moment.unwrap() >= begin + SHORT),
            recv(never::<()>()) -> _ => unreachable!(),
        }
        let ticks = lisle::channel::tick(SHORT);
        for _ in 0..3 {
            select! {
                recv(ticks) -> tick => assert!(tick.is_ok()),
                default(LONG) => unreachable!(),
            }
        }
        assert!(begin.elapsed() >= 4 * SHORT);
        // What is there at the deadline comes first.
        select! {
            recv(lisle::channel::at(begin)) -> moment => assert_eq!(moment, Ok(begin)),
            default => unreachable!(),
        }
    });
}

#[test]
fn coroutines_that_end_are_something_to_choose() {
    everywhere(|| {
        let (end, ends) = rendezvous::<()>();
        let slow = lisle::spawn(move || {
            let _ = ends.recv();
            "slow"
        });
        let quick = lisle::spawn(|| "quick");
        select! {
            join(slow) -> _ => unreachable!(),
            join(quick) -> result => assert_eq!(result.unwrap(), "quick"),
        }
        let (held, holds) = rendezvous::<()>();
        let fails = lisle::spawn(move || holds.recv().expect("on purpose"));
        drop(held);
        select! {
            join(fails) -> result => assert!(result.is_err()),
            default(LONG) => unreachable!(),
        }
        drop(end);
        let base = 20;
        lisle::scope(|s| {
            let (go, goes) = rendezvous();
            let borrows = s.spawn(move || base + goes.recv().unwrap());
            select! {
                join(borrows) -> _ => unreachable!(),
                send(go, 1) -> sent => sent.unwrap(),
            }
            select! {
                join(borrows) -> result => assert_eq!(result.unwrap(), 21),
            }
        });
    });
}

#[test]
fn what_was_not_chosen_has_not_happened() {
    everywhere(|| {
        let value = Arc::new(());
        let (sender, receiver) = bounded(1);
        for _ in 0..100 {
            select! {
                send(sender, Arc::clone(&value)) -> sent => sent.unwrap(),
                recv(receiver) -> got => drop(got.unwrap()),
            }
            assert_eq!(Arc::strong_count(&value), 1 + receiver.len());
        }
    });
}

#[test]
fn bodies_are_part_of_the_function() {
    fn first(receivers: &[Receiver<i32>; 2]) -> Result<i32, RecvError> {
        let mut rounds = 0;
        loop {
            rounds += 1;
            let got = select! {
                recv(receivers[0]) -> got => got?,
                recv(&receivers[1]) -> _ => continue,
                default => if rounds > 3 { break } else { continue },
            };
            if got > 0 {
                return Ok(got);
            }
        }
        Ok(-1)
    }
    let (one, ones) = unbounded();
    let (two, twos) = unbounded();
    let receivers = [ones, twos];
    assert_eq!(first(&receivers), Ok(-1));
    two.send(0).unwrap();
    one.send(0).unwrap();
    one.send(7).unwrap();
    assert_eq!(first(&receivers), Ok(7));
    drop(one);
    assert_eq!(first(&receivers), Err(RecvError::Disconnected));
}

#[test]
fn ends_are_evaluated_once_and_live_as_long_as_the_choice() {
    let (sender, receiver) = unbounded();
    let evaluated = AtomicUsize::new(0);
    let count = |receiver: &Receiver<i32>| {
        evaluated.fetch_add(1, Ordering::Relaxed);
        receiver.clone()
    };
    sender.send(1).unwrap();
    let some = Some(&receiver);
    select! {
        recv(count(&receiver)) -> got => assert_eq!(got, Ok(1)),
        recv(some.filter(|_| false).unwrap_or(&never())) -> _ => unreachable!(),
        send(&sender.clone(), 2,) -> sent => { assert_eq!(sent, Ok(())); }
    };
    assert_eq!(evaluated.load(Ordering::Relaxed), 1);
    // Both ends may be moved by the body.
    select! {
        recv(receiver) -> _ => drop(receiver),
        default => drop(receiver)
    }
    select!(default => {});
    let number = select! { default(SHORT) => 4 };
    assert_eq!(number, 4);
    let stopped = select! {
        recv(never::<()>()) -> _ => false,
        stopped -> _ => true,
        default => false,
    };
    assert!(!stopped);
}

#[test]
fn many_arms() {
    let channels = std::array::from_fn::<_, 18, _>(|_| bounded(1));
    for (number, (sender, _)) in channels.iter().enumerate() {
        sender.send(number).unwrap();
        let r = std::array::from_fn::<_, 18, _>(|at| &channels[at].1);
        let got = select! {
            recv(r[0]) -> got => got, recv(r[1]) -> got => got, recv(r[2]) -> got => got,
            recv(r[3]) -> got => got, recv(r[4]) -> got => got, recv(r[5]) -> got => got,
            recv(r[6]) -> got => got, recv(r[7]) -> got => got, recv(r[8]) -> got => got,
            recv(r[9]) -> got => got, recv(r[10]) -> got => got, recv(r[11]) -> got => got,
            recv(r[12]) -> got => got, recv(r[13]) -> got => got, recv(r[14]) -> got => got,
            recv(r[15]) -> got => got, recv(r[16]) -> got => got, recv(r[17]) -> got => got,
        };
        assert_eq!(got, Ok(number));
    }
}
