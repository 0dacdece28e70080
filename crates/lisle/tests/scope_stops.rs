//! What coroutines of a scope are to stop for: what its owner is, and nothing less.

mod util;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lisle::sync::Event;
use lisle::{CancelToken, Group, Stop, deadline, masked, scope, stopped};
use util::{Random, everywhere, scaled, spawn_running};

/// Sleeps until it is to stop, and tells why.
fn sleep() -> Option<Stop> {
    // Longer than any test takes.
    lisle::sleep(Duration::from_secs(3600));
    stopped()
}

#[test]
fn a_scope_outside_of_stops_has_none() {
    everywhere(|| {
        assert_eq!(scope(|s| s.spawn(stopped).join().unwrap()), None);
    });
}

#[test]
fn a_deadline_is_inherited() {
    everywhere(|| {
        let seen = deadline(Duration::from_millis(5), || {
            let (mut near, mut nested) = (None, None);
            scope(|s| {
                s.spawn(|| near = sleep());
                s.spawn(|| scope(|s| drop(s.spawn(|| nested = sleep()))));
            });
            // It is no wait that a stop ends, for they borrow.
            [near, nested]
        });
        assert_eq!(seen, [Some(Stop::TimedOut); 2]);
    });
}

#[test]
fn tokens_are_inherited_the_outer_ones_too() {
    everywhere(|| {
        for cancelled in 0..3 {
            let outer = CancelToken::new();
            let tokens = [outer.clone(), CancelToken::new(), outer.child()];
            let begun = AtomicUsize::new(0);
            let [one, two, three] = &tokens;
            let waiting = || {
                one.run(|| {
                    two.run(|| {
                        three.run(|| {
                            let mut seen = [None; 3];
                            scope(|s| {
                                for seen in &mut seen {
                                    s.spawn(|| {
                                        begun.fetch_add(1, Ordering::Relaxed);
                                        *seen =
                                            scope(|s| masked(|| s.spawn(sleep).join().unwrap()));
                                    });
                                }
                            });
                            seen
                        })
                    })
                })
            };
            scope(|s| {
                let waiting = s.spawn(waiting);
                util::yield_until(|| begun.load(Ordering::Relaxed) == 3);
                tokens[cancelled].cancel();
                assert_eq!(waiting.join().unwrap(), [Some(Stop::Cancelled); 3]);
            });
        }
    });
}

#[test]
fn a_mask_of_the_owner_shields_them() {
    everywhere(|| {
        let token = CancelToken::new();
        token.cancel();
        let seen = token.run(|| {
            let shielded = masked(|| scope(|s| s.spawn(stopped).join().unwrap()));
            let within = masked(|| {
                deadline(Duration::ZERO, || scope(|s| masked(|| s.spawn(stopped).join().unwrap())))
            });
            [shielded, within]
        });
        assert_eq!(seen, [None, Some(Stop::TimedOut)]);
    });
}

#[test]
fn what_the_owner_enters_later_is_its_own() {
    everywhere(|| {
        let token = CancelToken::new();
        token.cancel();
        let seen = scope(|s| token.run(|| masked(|| s.spawn(stopped).join().unwrap())));
        assert_eq!(seen, None);
    });
}

#[test]
fn detached_coroutines_inherit_no_stop() {
    everywhere(|| {
        let token = CancelToken::new();
        let detached = token.run(|| lisle::spawn(stopped));
        token.cancel();
        assert_eq!(detached.join().unwrap(), None);
        let of_scope = deadline(Duration::ZERO, || {
            scope(|s| {
                let inner = s.spawn(|| lisle::spawn(stopped));
                masked(|| inner.join().unwrap())
            })
        });
        assert_eq!(of_scope.join().unwrap(), None);
    });
}

#[test]
fn a_child_of_a_scope_may_be_masked() {
    everywhere(|| {
        let seen = deadline(Duration::ZERO, || {
            let mut seen = [None; 2];
            let [one, other] = &mut seen;
            scope(|s| {
                s.spawn(|| *one = stopped());
                s.spawn(|| *other = masked(stopped));
            });
            seen
        });
        assert_eq!(seen, [Some(Stop::TimedOut), None]);
    });
}

#[test]
fn a_stopped_join_leaves_the_coroutine_to_the_scope() {
    everywhere(|| {
        let ended = AtomicUsize::new(0);
        let (token, begun) = (CancelToken::new(), Event::new());
        scope(|s| {
            let child = s.spawn(|| {
                begun.set();
                (0..100).for_each(|_| lisle::yield_now());
                ended.fetch_add(1, Ordering::Relaxed)
            });
            begun.wait().unwrap();
            token.cancel();
            if let Err(payload) = token.run(|| child.join()) {
                assert_eq!(payload.downcast_ref::<Stop>(), Some(&Stop::Cancelled));
            }
        });
        assert_eq!(ended.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_thousand_children_are_cancelled_by_one_token() {
    everywhere(|| {
        let token = CancelToken::new();
        let begun = AtomicUsize::new(0);
        let count = scaled(1000, 100);
        let stops = scope(|s| {
            let waiting = s.spawn(|| {
                token.run(|| {
                    let stops = AtomicUsize::new(0);
                    scope(|s| {
                        for _ in 0..count {
                            s.spawn(|| {
                                begun.fetch_add(1, Ordering::Relaxed);
                                stops.fetch_add(usize::from(sleep().is_some()), Ordering::Relaxed);
                            });
                        }
                    });
                    stops.into_inner()
                })
            });
            util::yield_until(|| begun.load(Ordering::Relaxed) == count);
            token.cancel();
            waiting.join().unwrap()
        });
        assert_eq!(stops, count);
    });
}

/// Groups in scopes in groups, with tokens that are cancelled and deadlines that pass at any time.
#[test]
fn trees_end_whenever_they_are_cancelled() {
    fn grow(depth: usize, mut random: Random, leaves: &AtomicUsize) {
        if depth == 0 {
            leaves.fetch_add(1, Ordering::Relaxed);
            return lisle::sleep(Duration::from_micros(random.below(300) as u64));
        }
        let seeds = [0; 2].map(|_| random.fork());
        let limit = Duration::from_micros(random.below(2000) as u64);
        let body = || match random.clone().below(3) {
            0 => scope(|s| {
                for seed in seeds.clone() {
                    s.spawn(move || grow(depth - 1, seed, leaves));
                }
            }),
            1 => drop(Group::new().limit(1).all(|g| {
                for seed in seeds.clone() {
                    g.spawn(move || grow(depth - 1, seed, leaves));
                }
            })),
            _ => drop(Group::new().race(|g| {
                for seed in seeds.clone() {
                    g.spawn(move || grow(depth - 1, seed, leaves));
                }
            })),
        };
        if limit.subsec_nanos().is_multiple_of(2_000) { deadline(limit, body) } else { body() }
    }
    everywhere(|| {
        for seed in 0..scaled(40, 8) as u64 {
            let token = CancelToken::new();
            let under = token.clone();
            let tree = spawn_running(move || {
                let leaves = AtomicUsize::new(0);
                under.run(|| grow(4, Random::new(seed), &leaves));
                leaves.into_inner()
            });
            lisle::sleep(Duration::from_micros(seed * 30));
            token.cancel();
            assert!(tree.join().unwrap() <= 16);
        }
    });
}
