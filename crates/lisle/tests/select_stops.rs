//! Channels and choices whose caller is to stop, and choices that wait for a cancellation.

mod util;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use lisle::channel::{RecvError, SendError, bounded, never, rendezvous, unbounded};
use lisle::{CancelToken, Stop, deadline, select};
use util::on_workers;

const SOON: Duration = Duration::from_millis(20);
const LATE: Duration = Duration::from_secs(3600);

#[test]
fn a_deadline_ends_sends_and_receives() {
    on_workers(|| {
        let (sender, receiver) = bounded(1);
        sender.send(1).unwrap();
        deadline(SOON, || {
            assert_eq!(sender.send(2), Err(SendError::Stopped(2, Stop::TimedOut)));
            // Nobody need wait for what is there.
            assert_eq!(receiver.recv(), Ok(1));
            assert_eq!(receiver.recv(), Err(RecvError::Stopped(Stop::TimedOut)));
            assert!(receiver.recv_timeout(LATE).is_err());
        });
        sender.send(3).unwrap();
        assert_eq!(receiver.recv(), Ok(3));
    });
}

#[test]
fn a_cancellation_ends_receives_that_wait() {
    on_workers(|| {
        let (sender, receiver) = rendezvous::<i32>();
        let token = CancelToken::new();
        let all: Vec<_> = (0..8)
            .map(|_| {
                let (receiver, token) = (receiver.clone(), token.clone());
                lisle::spawn(move || token.run(|| receiver.recv()))
            })
            .collect();
        lisle::yield_now();
        token.cancel();
        for one in all {
            assert_eq!(one.join().unwrap(), Err(RecvError::Stopped(Stop::Cancelled)));
        }
        // None of them is left in the queue.
        assert!(sender.try_send(5).is_err());
    });
}

#[test]
fn an_arm_says_that_the_caller_is_to_stop() {
    on_workers(|| {
        let (sender, _full) = bounded(1);
        sender.send(Box::new(0)).unwrap();
        let (_quiet, receiver) = unbounded::<i32>();
        let (mut received, mut sent) = (0, 0);
        for number in 0..60 {
            deadline(Duration::ZERO, || {
                select! {
                    recv(receiver) -> got => {
                        received += 1;
                        assert_eq!(got, Err(RecvError::Stopped(Stop::TimedOut)));
                    }
                    send(sender, Box::new(number)) -> result => {
                        sent += 1;
                        let value = result.unwrap_err().into_inner();
                        assert_eq!(*value, number);
                    }
                }
            });
        }
        assert!(received > 0 && sent > 0, "{received} and {sent}");
    });
}

#[test]
fn an_arm_for_stops_is_chosen_for_them() {
    on_workers(|| {
        let (_sender, receiver) = unbounded::<i32>();
        let stop = deadline(SOON, || {
            select! {
                recv(receiver) -> _ => panic!("nothing was sent"),
                stopped -> stop => stop,
                default(LATE) => panic!("an hour later"),
            }
        });
        assert_eq!(stop, Stop::TimedOut);
        let token = CancelToken::new();
        token.cancel();
        let stop = token.run(|| {
            select! {
                recv(receiver) -> _ => panic!("nothing was sent"),
                stopped -> stop => stop,
            }
        });
        assert_eq!(stop, Stop::Cancelled);
    });
}

#[test]
fn a_choice_of_joins_cannot_say_it() {
    on_workers(|| {
        let sleeper = lisle::spawn(|| lisle::park_timeout(LATE));
        let coroutine = sleeper.coroutine().clone();
        let outcome = deadline(SOON, || {
            panic::catch_unwind(AssertUnwindSafe(|| {
                select! { join(sleeper) -> result => result.is_ok() }
            }))
        });
        assert!(outcome.is_err());
        coroutine.unpark();
    });
}

#[test]
fn a_cancellation_is_chosen() {
    on_workers(|| {
        let (token, (_sender, receiver)) = (CancelToken::new(), unbounded::<i32>());
        let waits = lisle::spawn({
            let (token, receiver) = (token.child(), receiver.clone());
            move || {
                select! {
                    recv(receiver) -> got => got.is_ok(),
                    cancelled(token) => false,
                    default(LATE) => true,
                }
            }
        });
        lisle::yield_now();
        token.cancel();
        assert!(!waits.join().unwrap());
        // It is not under the token itself, and one that is cancelled is ready at once.
        assert_eq!(lisle::stopped(), None);
        let begin = Instant::now();
        select! {
            recv(never::<()>()) -> _ => unreachable!(),
            cancelled(token) => assert!(begin.elapsed() < LATE),
        }
        // With others that are ready each has its turn.
        let (mut cancelled, mut defaults) = (0, 0);
        let other = CancelToken::new();
        let (sender, receiver) = unbounded();
        for _ in 0..60 {
            sender.send(()).unwrap();
            select! {
                recv(receiver) -> got => got.unwrap(),
                cancelled(token) => cancelled += 1,
                cancelled(other) => unreachable!("nobody cancelled it"),
            }
            select! {
                cancelled(other) => unreachable!("nobody cancelled it"),
                default => defaults += 1,
            }
        }
        assert!((1..60).contains(&cancelled), "{cancelled}");
        assert_eq!(defaults, 60);
    });
}

#[test]
fn what_is_around_a_choice_counts_besides_its_tokens() {
    on_workers(|| {
        let (outer, inner) = (CancelToken::new(), CancelToken::new());
        let (_sender, receiver) = unbounded::<i32>();
        let waits = lisle::spawn({
            let (outer, inner) = (outer.clone(), inner.clone());
            move || {
                outer.run(|| {
                    select! {
                        recv(receiver) -> _ => panic!("nothing was sent"),
                        cancelled(inner) => panic!("nobody cancelled it"),
                        stopped -> stop => stop,
                    }
                })
            }
        });
        lisle::yield_now();
        outer.cancel();
        assert_eq!(waits.join().unwrap(), Stop::Cancelled);
        assert!(!inner.is_cancelled());
    });
}

#[test]
fn descriptors_and_cancellations() {
    // Waits for descriptors are the kernel's on OS threads, where nothing ends them.
    if util::threads() {
        return;
    }
    on_workers(|| {
        let token = CancelToken::new();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let waits = lisle::spawn({
            let (token, ours) = (token.clone(), ours.try_clone().unwrap());
            move || {
                select! {
                    readable(ours) -> ready => ready.is_ok(),
                    cancelled(token) => false,
                }
            }
        });
        lisle::sleep(Duration::from_millis(1));
        token.cancel();
        assert!(!waits.join().unwrap());
        theirs.write_all(b"x").unwrap();
        let other = CancelToken::new();
        select! {
            readable(ours) -> ready => ready.unwrap(),
            cancelled(other) => panic!("nobody cancelled it"),
        }
    });
}

#[test]
fn cancellations_race_with_what_is_sent() {
    on_workers(|| {
        for _ in 0..200 {
            let token = CancelToken::new();
            let (sender, receiver) = rendezvous();
            let receives = lisle::spawn({
                let token = token.clone();
                move || {
                    select! {
                        recv(receiver) -> got => got.ok(),
                        cancelled(token) => None,
                    }
                }
            });
            let sends = lisle::spawn(move || sender.send(7).is_ok());
            let cancels = lisle::spawn(move || token.cancel());
            let (got, sent) = (receives.join().unwrap(), sends.join().unwrap());
            assert_eq!(got.is_some(), sent, "what was sent was received");
            assert!(cancels.join().unwrap());
        }
    });
}
