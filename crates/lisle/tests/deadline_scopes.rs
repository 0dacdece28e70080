//! Deadlines, masks and tokens inside each other, and this crate's own waits under them: on
//! coroutines, on OS threads, in every mode.

mod util;

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lisle::{CancelToken, Stop, deadline, deadline_at, masked, stopped};
use util::{everywhere, hush_panics_on_purpose, within};

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(1000);
const SHORT: Duration = Duration::from_millis(5);

/// The same on a coroutine and on an OS thread. A macro, since a test is known by its closure.
macro_rules! on_both {
    ($body:block) => {
        everywhere(|| {
            fn body() $body
            body();
            within("on an OS thread", util::LIMIT, || thread::spawn(body).join().unwrap());
        });
    };
}

#[test]
fn nobody_is_to_stop_by_default() {
    on_both!({
        assert_eq!(stopped(), None);
        assert_eq!(deadline(LONG, stopped), None);
        assert_eq!(deadline(Duration::MAX, stopped), None);
        assert_eq!(masked(stopped), None);
        assert_eq!(CancelToken::new().run(stopped), None);
        assert_eq!(stopped(), None);
    });
}

#[test]
fn the_nearest_deadline_rules() {
    on_both!({
        let began = Instant::now();
        let inner = deadline(SHORT, || deadline(LONG, || (lisle::sleep(LONG), stopped())));
        assert_eq!(inner.1, Some(Stop::TimedOut), "an inner one does not lengthen an outer one");
        let outer = deadline(LONG, || {
            deadline(SHORT, || lisle::sleep(LONG));
            stopped()
        });
        assert_eq!(outer, None, "the end of an inner one is not that of an outer one");
        assert!((SHORT * 2..LONG).contains(&began.elapsed()));
    });
}

#[test]
fn deadlines_past_and_far() {
    on_both!({
        assert_eq!(deadline(Duration::ZERO, stopped), Some(Stop::TimedOut));
        let past = Instant::now();
        thread::sleep(Duration::from_millis(1));
        assert_eq!(deadline_at(past, stopped), Some(Stop::TimedOut));
        let far = Instant::now() + LONG;
        assert_eq!(deadline_at(far, stopped), None);
        deadline(Duration::MAX, || lisle::sleep(Duration::from_millis(1)));
        let began = Instant::now();
        deadline(Duration::ZERO, || lisle::sleep(LONG));
        assert!(began.elapsed() < LONG);
    });
}

#[test]
fn a_mask_hides_what_is_around_it() {
    on_both!({
        let token = CancelToken::new();
        token.cancel();
        token.run(|| {
            deadline(Duration::ZERO, || {
                assert_eq!(stopped(), Some(Stop::Cancelled), "flags come first");
                let began = Instant::now();
                masked(|| {
                    assert_eq!(stopped(), None);
                    lisle::sleep(SHORT);
                    assert!(began.elapsed() >= SHORT, "a masked sleep is slept to the end");
                    deadline(SHORT, || lisle::sleep(LONG));
                    assert_eq!(deadline(Duration::ZERO, stopped), Some(Stop::TimedOut));
                    assert_eq!(deadline(LONG, stopped), None);
                    token.run(|| assert_eq!(stopped(), Some(Stop::Cancelled)));
                });
                assert_eq!(stopped(), Some(Stop::Cancelled));
            });
        });
        assert_eq!(stopped(), None);
    });
}

#[test]
fn panics_end_them() {
    on_both!({
        hush_panics_on_purpose();
        let token = CancelToken::new();
        token.cancel();
        let panics = || panic!("on purpose");
        for which in 0..3 {
            let body = AssertUnwindSafe(|| match which {
                0 => deadline(Duration::ZERO, panics),
                1 => masked(panics),
                _ => token.run(panics),
            });
            panic::catch_unwind(body).unwrap_err();
            assert_eq!(stopped(), None);
        }
        deadline(Duration::ZERO, || {
            let body = AssertUnwindSafe(|| masked(|| panic!("on purpose")));
            panic::catch_unwind(body).unwrap_err();
            assert_eq!(stopped(), Some(Stop::TimedOut));
        });
    });
}

#[test]
fn what_is_spawned_is_not_under_it() {
    on_both!({
        let there = deadline(Duration::ZERO, || lisle::spawn(stopped));
        assert_eq!(there.join().unwrap(), None);
        let there = deadline(Duration::ZERO, || thread::spawn(stopped));
        assert_eq!(there.join().unwrap(), None);
    });
}

#[test]
fn coroutines_that_run_in_turn_have_their_own() {
    everywhere(|| {
        let token = CancelToken::new();
        token.cancel();
        let run = |late: bool, token: CancelToken| {
            move || {
                let look = || {
                    (0..200).all(|_| {
                        lisle::yield_now();
                        stopped().is_some() == late
                    })
                };
                if late { token.run(look) } else { look() }
            }
        };
        let all = (0..8).map(|index| lisle::spawn(run(index % 2 == 0, token.clone())));
        let all: Vec<_> = all.collect();
        assert!(all.into_iter().all(|one| one.join().unwrap()));
    });
}

#[test]
fn park_returns() {
    on_both!({
        deadline(SHORT, || {
            while stopped().is_none() {
                lisle::park();
            }
        });
        let token = CancelToken::new();
        let theirs = token.clone();
        let canceller = lisle::spawn(move || theirs.cancel());
        token.run(|| {
            while stopped().is_none() {
                lisle::park();
            }
            lisle::park_timeout(LONG);
        });
        canceller.join().unwrap();
        // What was left for it is still a token, or none was.
        lisle::current().unpark();
        lisle::park();
    });
}

#[test]
fn pinned_coroutines_park_and_sleep_under_them() {
    everywhere(|| {
        let _pinned = lisle::pin_to_os_thread();
        deadline(SHORT, || lisle::sleep(LONG));
        deadline(SHORT, || {
            while stopped().is_none() {
                lisle::park();
            }
        });
        for sleep in [lisle::park as fn(), || lisle::sleep(LONG)] {
            let token = CancelToken::new();
            let theirs = token.clone();
            let canceller = lisle::spawn(move || theirs.cancel());
            token.run(|| {
                while stopped().is_none() {
                    sleep();
                }
            });
            canceller.join().unwrap();
        }
    });
}

#[test]
fn sleeps_are_cancelled() {
    on_both!({
        let token = CancelToken::new();
        let theirs = token.clone();
        let canceller = lisle::spawn(move || theirs.cancel());
        token.run(|| lisle::sleep(LONG));
        canceller.join().unwrap();
    });
}

#[test]
fn sleeps_of_std_are_cut_short() {
    everywhere(|| {
        if util::threads() {
            return;
        }
        deadline(SHORT, || thread::sleep(LONG));
        let token = CancelToken::new();
        let theirs = token.clone();
        let canceller = lisle::spawn(move || theirs.cancel());
        token.run(|| thread::sleep(LONG));
        canceller.join().unwrap();
        // A loop that looks now and then holds nobody up who would end it.
        let done = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&done);
        let setter = lisle::spawn(move || theirs.store(true, Ordering::Release));
        token.run(|| {
            while !done.load(Ordering::Acquire) {
                thread::sleep(LONG);
            }
        });
        setter.join().unwrap();
    });
}

#[test]
fn join_fails_and_the_coroutine_goes_on() {
    on_both!({
        let (go, told) = mpsc::channel::<()>();
        let (answer, answers) = mpsc::channel();
        let handle = lisle::spawn(move || {
            told.recv().unwrap();
            answer.send(7).unwrap();
        });
        let payload = deadline(SHORT, || handle.join()).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&Stop::TimedOut));
        go.send(()).unwrap();
        assert_eq!(answers.recv(), Ok(7));

        let token = CancelToken::new();
        let (_go, told) = mpsc::channel::<()>();
        let handle = lisle::spawn(move || told.recv().unwrap_err());
        let theirs = token.clone();
        let canceller = lisle::spawn(move || theirs.cancel());
        let payload = token.run(|| handle.join()).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&Stop::Cancelled));
        canceller.join().unwrap();
    });
}

#[test]
fn join_under_a_deadline_that_does_not_come() {
    on_both!({
        hush_panics_on_purpose();
        assert_eq!(deadline(LONG, || lisle::spawn(|| 7).join()).unwrap(), 7);
        let late = lisle::spawn(|| {
            lisle::sleep(SHORT);
            8
        });
        assert_eq!(deadline(LONG, || late.join()).unwrap(), 8);
        let panicked = deadline(LONG, || lisle::spawn(|| panic!("on purpose")).join());
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
    });
}

#[test]
fn a_scope_ends_after_its_coroutines() {
    on_both!({
        let mut done = 0;
        deadline(Duration::ZERO, || {
            lisle::scope(|scope| {
                scope.spawn(|| {
                    lisle::sleep(SHORT);
                    done = 7;
                });
            });
        });
        assert_eq!(done, 7);
    });
}

#[test]
fn locks_of_std_go_on_waiting() {
    on_both!({
        let token = CancelToken::new();
        let shared = Arc::new((Mutex::new(0), Condvar::new(), Barrier::new(2)));
        let (theirs, canceller) = (Arc::clone(&shared), token.clone());
        let held = shared.0.lock().unwrap();
        let (sender, receiver) = mpsc::channel();
        let waiter = lisle::spawn(move || {
            canceller.run(|| {
                *theirs.0.lock().unwrap() += 1;
                assert_eq!(stopped(), Some(Stop::Cancelled));
                let mut number = theirs.0.lock().unwrap();
                while *number != 2 {
                    number = theirs.1.wait(number).unwrap();
                }
                drop(number);
                theirs.2.wait();
                assert_eq!(receiver.recv(), Ok(3));
            });
        });
        token.cancel();
        lisle::yield_now();
        drop(held);
        util::yield_until(|| *shared.0.lock().unwrap() == 1);
        *shared.0.lock().unwrap() = 2;
        shared.1.notify_all();
        shared.2.wait();
        sender.send(3).unwrap();
        waiter.join().unwrap();
    });
}

#[test]
fn deadlines_pass_while_locks_are_waited_for() {
    everywhere(|| {
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock().unwrap();
        let steps = Arc::new(AtomicU32::new(0));
        let (theirs, counted) = (Arc::clone(&lock), Arc::clone(&steps));
        let waiter = lisle::spawn(move || {
            deadline(SHORT, || {
                counted.fetch_add(1, Ordering::Relaxed);
                drop(theirs.lock().unwrap());
                counted.fetch_add(1, Ordering::Relaxed);
                stopped()
            })
        });
        util::yield_until(|| steps.load(Ordering::Relaxed) == 1);
        lisle::sleep(SHORT * 2);
        assert_eq!(steps.load(Ordering::Relaxed), 1);
        drop(held);
        assert_eq!(waiter.join().unwrap(), Some(Stop::TimedOut));
    });
}

#[test]
fn stops_are_errors() {
    for (stop, errno) in [(Stop::TimedOut, libc::ETIMEDOUT), (Stop::Cancelled, libc::ECANCELED)] {
        let error = std::io::Error::from(stop);
        assert_eq!(error.raw_os_error(), Some(errno));
        assert_eq!(Stop::of(&error), Some(stop));
        assert_eq!(Stop::of(&std::io::Error::other(stop)), Some(stop));
        assert!(!stop.to_string().is_empty());
    }
    assert_eq!(Stop::of(&std::io::ErrorKind::BrokenPipe.into()), None);
}
