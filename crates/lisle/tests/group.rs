//! [`lisle::Group`]: its policies, what is cancelled and when, panics, limits.

mod util;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use lisle::sync::Event;
use lisle::{Builder, CancelToken, Group, Stop};
use util::{everywhere, scaled};

/// Sleeps until it is cancelled, and tells why it was.
fn sleep() -> Option<Stop> {
    // Longer than any test takes.
    lisle::sleep(Duration::from_secs(3600));
    lisle::stopped()
}

/// Counts those that have ended, also by unwinding.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

/// The text of the panic that `f` ends with.
fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    util::hush_panics_on_purpose();
    let payload = panic::catch_unwind(AssertUnwindSafe(f)).map(drop).expect_err("it panics");
    payload.downcast_ref::<&str>().expect("a text").to_string()
}

// All.

#[test]
fn all_results_come_in_order() {
    everywhere(|| {
        let numbers: Vec<usize> = (0..scaled(1000, 100)).collect();
        let squares = Group::new().all(|g| {
            for number in &numbers {
                g.spawn(move || {
                    (0..number % 3).for_each(|_| lisle::yield_now());
                    number * number
                });
            }
        });
        assert!(squares.len() == numbers.len());
        assert!(squares.iter().enumerate().all(|(i, square)| *square == i * i));
    });
}

#[test]
fn results_may_borrow_and_need_no_copy() {
    everywhere(|| {
        let text = String::from("two words");
        let words = Group::new().all(|g| {
            for word in text.split(' ') {
                g.spawn(move || (word, Box::new(word.len())));
            }
        });
        assert_eq!(words, [("two", Box::new(3)), ("words", Box::new(5))]);
        assert_eq!(Group::new().all::<u8, _>(|_| ()), []);
    });
}

#[test]
fn members_start_members() {
    everywhere(|| {
        let mut numbers = Group::new().all(|g| {
            g.spawn(|| {
                g.spawn(|| {
                    g.spawn(|| 3);
                    2
                });
                1
            });
        });
        numbers.sort();
        assert_eq!(numbers, [1, 2, 3]);
    });
}

#[test]
fn the_outer_stops_are_the_members() {
    everywhere(|| {
        let token = CancelToken::new();
        let seen = token.run(|| {
            Group::new().all(|g| {
                g.spawn(sleep);
                g.spawn(|| lisle::masked(lisle::stopped));
                token.cancel();
                // It is started all the same, and told.
                g.spawn(lisle::stopped);
            })
        });
        assert_eq!(seen, [Some(Stop::Cancelled), None, Some(Stop::Cancelled)]);
        let timed_out = lisle::deadline(Duration::from_millis(2), || {
            Group::new().all(|g| {
                g.spawn(sleep);
                g.spawn(|| lisle::scope(|s| lisle::masked(|| s.spawn(sleep).join().unwrap())));
                g.spawn(|| Group::new().all(|g| g.spawn(sleep)).pop().flatten());
            })
        });
        assert_eq!(timed_out, [Some(Stop::TimedOut); 3]);
    });
}

// First error.

#[test]
fn results_are_all_there_if_all_succeed() {
    everywhere(|| {
        let numbers: Result<Vec<u32>, ()> = Group::new().try_all(|g| {
            for number in 0..10 {
                g.spawn(move || Ok(number));
            }
        });
        assert_eq!(numbers, Ok((0..10).collect()));
        assert_eq!(Group::new().try_each(|g| g.spawn(|| Ok::<_, ()>(()))), Ok(()));
    });
}

#[test]
fn the_first_error_cancels_the_others_and_is_returned() {
    everywhere(|| {
        let (ended, begun) = (AtomicUsize::new(0), Event::new());
        let failed = Group::new().try_all(|g| {
            for _ in 0..10 {
                g.spawn(|| {
                    let _counted = Counted(&ended);
                    begun.set();
                    sleep().map_or(Ok(()), |_| Err("cancelled"))
                });
            }
            g.spawn(|| {
                begun.wait().unwrap();
                Err("the cause")
            });
        });
        // They all have failed, as a consequence of the first; those that had not begun never did.
        assert_eq!(failed, Err("the cause"));
        assert!((1..=10).contains(&count(&ended)));
    });
}

#[test]
fn the_body_is_cancelled_too_and_starts_nothing_more() {
    everywhere(|| {
        let late = AtomicUsize::new(0);
        let failed = Group::new().try_each(|g| {
            g.spawn(|| Err(7));
            assert_eq!(sleep(), Some(Stop::Cancelled));
            g.spawn(|| {
                late.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            g.daemon(|| _ = late.fetch_add(1, Ordering::Relaxed));
        });
        assert_eq!((failed, count(&late)), (Err(7), 0));
    });
}

#[test]
fn nested_groups_are_cancelled_from_outside() {
    everywhere(|| {
        let seen = Mutex::new(Vec::new());
        let begun = Event::new();
        let failed = Group::new().try_all(|g| {
            g.spawn(|| {
                let inner = Group::new().all(|g| {
                    g.spawn(|| {
                        begun.set();
                        sleep()
                    });
                });
                seen.lock().unwrap().extend(inner);
                Ok(())
            });
            g.spawn(|| {
                begun.wait().unwrap();
                Err("failed")
            });
        });
        assert_eq!(failed, Err("failed"));
        assert_eq!(*seen.lock().unwrap(), [Some(Stop::Cancelled)]);
    });
}

#[test]
fn the_caller_is_not_cancelled() {
    everywhere(|| {
        let failed = Group::new().try_each(|g| g.spawn(|| Err(1)));
        assert_eq!((failed, lisle::stopped()), (Err(1), None));
    });
}

// Races.

#[test]
fn the_first_wins_and_the_others_are_joined() {
    everywhere(|| {
        let ended = AtomicUsize::new(0);
        let begun = AtomicUsize::new(0);
        let first = Group::new().race(|g| {
            for _ in 0..10 {
                g.spawn(|| {
                    let _counted = Counted(&ended);
                    begun.fetch_add(1, Ordering::Relaxed);
                    sleep();
                    "loser"
                });
            }
            util::yield_until(|| count(&begun) == 10);
            g.spawn(|| "winner");
        });
        assert_eq!((first, count(&ended)), (Some("winner"), 10));
        assert_eq!(Group::new().race::<u8, _>(|_| ()), None);
    });
}

#[test]
fn results_of_losers_are_dropped_before_the_end() {
    struct Result<'a>(&'a AtomicUsize);
    impl Drop for Result<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    everywhere(|| {
        let dropped = AtomicUsize::new(0);
        let members = AtomicUsize::new(0);
        let first = Group::new().race(|g| {
            for _ in 0..20 {
                g.spawn(|| {
                    members.fetch_add(1, Ordering::Relaxed);
                    Result(&dropped)
                });
            }
        });
        assert_eq!(count(&dropped), count(&members) - 1);
        drop(first);
    });
}

#[test]
fn errors_are_passed_over_for_a_success() {
    everywhere(|| {
        let found = Group::new().first_ok(|g| {
            for number in 0..10 {
                g.spawn(move || if number == 7 { Ok(number) } else { Err(number) });
            }
            g.spawn(|| sleep().map_or(Ok(0), |_| Err(99)));
        });
        assert_eq!(found, Ok(7));
        let errors: Result<(), _> = Group::new().first_ok(|g| {
            for number in 0..10 {
                g.spawn(move || Err(number));
            }
        });
        assert_eq!(errors, Err((0..10).collect()));
        assert_eq!(Group::new().first_ok::<(), u8, _>(|_| ()), Err(vec![]));
    });
}

// Panics.

#[test]
fn a_panic_of_a_member_cancels_and_is_raised_again() {
    everywhere(|| {
        let ended = AtomicUsize::new(0);
        let begun = Event::new();
        let text = panic_of(|| {
            Group::new().all(|g| {
                g.spawn(|| {
                    let _counted = Counted(&ended);
                    begun.set();
                    sleep()
                });
                g.spawn(|| {
                    begun.wait().unwrap();
                    panic!("on purpose, by a member")
                });
                sleep();
            })
        });
        assert_eq!((text.as_str(), count(&ended)), ("on purpose, by a member", 1));
    });
}

#[test]
fn a_panic_of_the_body_cancels_and_goes_first() {
    everywhere(|| {
        let ended = AtomicUsize::new(0);
        let begun = Event::new();
        let text = panic_of(|| {
            Group::new().race(|g| {
                g.spawn(|| {
                    let _counted = Counted(&ended);
                    begun.set();
                    sleep();
                    panic!("on purpose, by a member");
                });
                begun.wait().unwrap();
                panic!("on purpose, by the body");
            })
        });
        assert_eq!((text.as_str(), count(&ended)), ("on purpose, by the body", 1));
    });
}

#[test]
fn a_panic_after_the_decision_is_raised_too() {
    everywhere(|| {
        let begun = Event::new();
        let text = panic_of(|| {
            Group::new().race(|g| {
                g.spawn(|| {
                    begun.set();
                    sleep();
                    panic!("on purpose, by a loser")
                });
                begun.wait().unwrap();
                g.spawn(|| "winner");
            })
        });
        assert_eq!(text, "on purpose, by a loser");
    });
}

#[test]
fn a_panic_of_a_daemon_is_raised_too() {
    everywhere(|| {
        let text = panic_of(|| {
            Group::new().all(|g| {
                g.daemon(|| panic!("on purpose, by a daemon"));
                g.spawn(sleep);
            })
        });
        assert_eq!(text, "on purpose, by a daemon");
    });
}

#[test]
fn a_panic_in_a_results_destructor_is_raised() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("on purpose, in a destructor");
        }
    }
    everywhere(|| {
        let begun = Event::new();
        let text = panic_of(|| {
            let first = Group::new().race(|g| {
                g.spawn(|| {
                    begun.set();
                    sleep();
                    Some(Bad)
                });
                begun.wait().unwrap();
                g.spawn(|| None);
            });
            assert!(first.is_none());
        });
        assert_eq!(text, "a member's result panicked on drop");
    });
}

// Daemons.

#[test]
fn daemons_are_cancelled_when_the_others_have_ended() {
    everywhere(|| {
        let (ended, served) = (AtomicUsize::new(0), Event::new());
        let results = Group::new().limit(1).all(|g| {
            for _ in 0..3 {
                g.daemon(|| {
                    let _counted = Counted(&ended);
                    served.set();
                    assert_eq!(sleep(), Some(Stop::Cancelled));
                });
            }
            g.spawn(|| served.wait().is_ok() && lisle::stopped().is_none());
        });
        assert_eq!((results, count(&ended)), (vec![true], 3));
    });
}

#[test]
fn a_group_of_daemons_ends() {
    everywhere(|| {
        let ended = AtomicUsize::new(0);
        let none: Vec<()> = Group::new().all(|g| {
            for _ in 0..10 {
                g.daemon(|| {
                    let _counted = Counted(&ended);
                    sleep();
                });
            }
        });
        assert_eq!((none.len(), count(&ended)), (0, 10));
    });
}

#[test]
fn daemons_start_members() {
    everywhere(|| {
        let results = Group::new().all(|g| {
            g.daemon(|| {
                g.spawn(|| 1);
                sleep();
            });
            lisle::sleep(Duration::from_millis(1));
        });
        assert!(results.is_empty() || results == [1]);
    });
}

// Limits.

#[test]
fn the_limit_is_kept_and_reached() {
    everywhere(|| {
        const LIMIT: usize = 4;
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let all = Group::new().limit(LIMIT).all(|g| {
            for number in 0..scaled(500, 100) {
                g.spawn(|| {
                    most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    // The first ones wait for each other.
                    util::yield_until(|| count(&most) == LIMIT);
                    lisle::yield_now();
                    now.fetch_sub(1, Ordering::Relaxed);
                });
                assert!(count(&now) <= LIMIT, "when {number} was started");
            }
        });
        assert_eq!((all.len(), count(&most)), (scaled(500, 100), LIMIT));
    });
}

#[test]
fn a_member_that_starts_members_does_not_wait_for_itself() {
    everywhere(|| {
        let sums = Group::new().limit(1).all(|g| {
            g.spawn(|| {
                // By itself, and by a coroutine that it waits for.
                g.spawn(|| 2);
                lisle::scope(|s| {
                    s.spawn(|| g.spawn(|| 3));
                });
                1
            });
            g.spawn(|| 4);
        });
        assert_eq!(sums.into_iter().sum::<i32>(), 10);
    });
}

#[test]
fn who_waits_to_start_a_member_is_freed_by_the_decision() {
    everywhere(|| {
        let late = AtomicUsize::new(0);
        let first = Group::new().limit(1).race(|g| {
            g.spawn(|| {
                lisle::yield_now();
                "only"
            });
            for _ in 0..10 {
                g.spawn(|| {
                    late.fetch_add(1, Ordering::Relaxed);
                    "late"
                });
            }
        });
        assert_eq!((first, count(&late)), (Some("only"), 0));
    });
}

#[test]
fn limited_groups_nest_under_stress() {
    everywhere(|| {
        let leaves = AtomicUsize::new(0);
        let sums = Group::new().limit(3).all(|g| {
            for outer in 0..20 {
                let leaves = &leaves;
                g.spawn(move || {
                    let inner = Group::new().limit(2).all(|g| {
                        for inner in 0..10 {
                            g.spawn(move || {
                                lisle::yield_now();
                                leaves.fetch_add(1, Ordering::Relaxed);
                                outer * inner
                            });
                        }
                    });
                    inner.into_iter().sum::<usize>()
                });
            }
        });
        assert_eq!((sums.into_iter().sum::<usize>(), count(&leaves)), (190 * 45, 200));
    });
}

#[test]
fn a_limit_of_none_is_refused() {
    everywhere(|| {
        assert_eq!(panic_of(|| Group::new().limit(0)), "a group has room for one member at least");
    });
}

// The rest.

#[test]
fn os_threads_have_groups() {
    everywhere(|| {
        let on_thread = || {
            let numbers = [1, 2, 3];
            let all = Group::new().limit(2).all(|g| {
                numbers.iter().for_each(|number| g.spawn(move || number * 2));
            });
            let failed = Group::new().try_each(|g| {
                g.spawn(|| sleep().map_or(Ok(()), |_| Err("cancelled")));
                g.spawn(|| Err("first"));
            });
            (all, failed)
        };
        let (all, failed) = thread::spawn(on_thread).join().unwrap();
        assert_eq!((all, failed), (vec![2, 4, 6], Err("first")));
    });
}

#[test]
fn builders_start_members() {
    everywhere(|| {
        let named = Group::new().all(|g| {
            let member = || lisle::current().name().map(str::to_owned);
            Builder::new().name("named".into()).spawn_member(g, member).unwrap();
            // One that is refused does not count.
            Builder::new().name("a\0b".into()).spawn_member(g, member).unwrap_err();
        });
        assert_eq!(named, [Some("named".into())]);
    });
}

#[test]
fn decisions_race() {
    everywhere(|| {
        for round in 0..scaled(200, 20) {
            let winner = Group::new().limit(4).race(|g| {
                (0..8).for_each(|number| g.spawn(move || number));
            });
            assert!(winner.is_some_and(|number| number < 8));
            let failed = Group::new().try_all(|g| {
                for number in 0..8 {
                    g.spawn(move || if number == round % 8 { Err(number) } else { Ok(()) });
                }
            });
            assert_eq!(failed, Err(round % 8));
        }
    });
}
