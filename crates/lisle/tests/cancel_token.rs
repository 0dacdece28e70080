//! Tokens: the tree, causes, what runs under them, and waiting for them.

mod util;

use std::thread;
use std::time::Duration;

use lisle::{CancelToken, Stop, deadline, stopped};
use util::{everywhere, spawn_running};

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(1000);

#[test]
fn a_tree_is_cancelled_downwards() {
    let root = CancelToken::new();
    let [left, right] = [root.child(), root.child()];
    let leaf = left.child();
    left.cancel();
    assert!(left.is_cancelled() && leaf.is_cancelled());
    assert!(!root.is_cancelled() && !right.is_cancelled());
    assert!(root.cancel());
    assert!(right.is_cancelled());
    assert!(root.child().is_cancelled(), "a child of a cancelled one");
    assert!(root.child().child().is_cancelled());
    assert!(!CancelToken::default().is_cancelled());
}

#[test]
fn causes_are_passed_on_and_the_first_counts() {
    let root = CancelToken::new();
    let child = root.child();
    assert!(root.cause().is_none());
    assert!(child.cancel_because("the child's own"));
    assert!(root.cancel_because("the root's"));
    assert!(!root.cancel_because("too late") && !root.cancel());
    let cause = |token: &CancelToken| token.cause().map(|cause| cause.to_string());
    assert_eq!(cause(&child).as_deref(), Some("the child's own"));
    assert_eq!(cause(&root).as_deref(), Some("the root's"));
    assert_eq!(cause(&root.child()).as_deref(), Some("the root's"));
    assert!(format!("{root:?}").contains("the root's"));
    let silent = CancelToken::new();
    assert!(silent.cancel() && silent.cause().is_none());
}

#[test]
fn clones_are_the_same() {
    let token = CancelToken::new();
    let clone = token.clone();
    assert!(token == clone && token != token.child());
    clone.cancel();
    assert!(token.is_cancelled());
}

#[test]
fn children_may_outlive_and_be_outlived() {
    let root = CancelToken::new();
    let child = root.child();
    let leaf = child.child();
    drop(child);
    root.cancel();
    assert!(leaf.is_cancelled(), "through one that nobody has any more");
    let root = CancelToken::new();
    let leaf = root.child().child();
    drop(root);
    assert!(!leaf.is_cancelled());
    leaf.cancel();
}

#[test]
fn long_chains() {
    everywhere(|| {
        let root = CancelToken::new();
        let leaf = (0..50_000).fold(root.clone(), |token, _| token.child());
        root.cancel();
        assert!(leaf.is_cancelled());
        let bushy: Vec<_> = (0..1000).map(|_| CancelToken::new()).collect();
        let all: Vec<_> = bushy.iter().flat_map(|t| (0..10).map(|_| t.child())).collect();
        bushy.iter().for_each(|token| assert!(token.cancel()));
        assert!(all.iter().all(CancelToken::is_cancelled));
    });
}

#[test]
fn children_are_made_and_dropped_while_their_parent_is_cancelled() {
    everywhere(|| {
        for _ in 0..200 {
            let root = CancelToken::new();
            let makers: Vec<_> = (0..4)
                .map(|_| {
                    let root = root.clone();
                    lisle::spawn(move || {
                        let mut kept = Vec::new();
                        while !root.is_cancelled() {
                            kept.push(root.child());
                            drop(root.child().child());
                            lisle::yield_now();
                        }
                        kept
                    })
                })
                .collect();
            (0..8).for_each(|_| lisle::yield_now());
            root.cancel();
            for maker in makers {
                assert!(maker.join().unwrap().iter().all(CancelToken::is_cancelled));
            }
        }
    });
}

#[test]
fn waiting_for_a_cancellation() {
    everywhere(|| {
        let root = CancelToken::new();
        let waiters: Vec<_> = (0..10)
            .map(|_| {
                let token = root.child();
                spawn_running(move || token.wait())
            })
            .collect();
        let theirs = root.clone();
        let thread = thread::spawn(move || theirs.wait());
        root.cancel();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(()));
        }
        assert_eq!(thread.join().unwrap(), Ok(()));
        assert_eq!(root.wait(), Ok(()));
        // Under itself, too.
        assert_eq!(root.run(|| root.wait()), Ok(()));
    });
}

#[test]
fn waiting_is_stopped_too() {
    everywhere(|| {
        let token = CancelToken::new();
        let late = deadline(Duration::from_millis(5), || token.wait());
        assert_eq!(late, Err(Stop::TimedOut));
        let (other, theirs) = (CancelToken::new(), token.clone());
        let ours = other.clone();
        let waiter = spawn_running(move || ours.run(|| theirs.wait()));
        other.cancel();
        assert_eq!(waiter.join().unwrap(), Err(Stop::Cancelled));
        token.cancel();
    });
}

#[test]
fn many_run_under_one_and_leave_in_any_order() {
    everywhere(|| {
        let token = CancelToken::new();
        let all: Vec<_> = (0..100)
            .map(|index: u64| {
                let token = token.clone();
                lisle::spawn(move || {
                    token.run(|| {
                        for _ in 0..(index * 7) % 10 {
                            token.run(lisle::yield_now);
                        }
                        if index.is_multiple_of(2) {
                            lisle::sleep(LONG)
                        }
                        stopped()
                    })
                })
            })
            .collect();
        (0..20).for_each(|_| lisle::yield_now());
        token.cancel();
        for (index, one) in all.into_iter().enumerate() {
            let stop = one.join().unwrap();
            assert!(index % 2 != 0 || stop == Some(Stop::Cancelled));
        }
    });
}

#[test]
fn any_of_several_tokens_stops() {
    everywhere(|| {
        for which in 0..3 {
            let tokens: [CancelToken; 3] = std::array::from_fn(|_| CancelToken::new());
            let [a, b, c] = tokens.clone();
            let sleeper = spawn_running(move || {
                a.run(|| b.run(|| deadline(LONG, || c.run(|| lisle::sleep(LONG)))));
                stopped()
            });
            tokens[which].cancel();
            assert_eq!(sleeper.join().unwrap(), None);
        }
    });
}

#[test]
fn on_os_threads() {
    util::within("tokens on OS threads", util::LIMIT, || {
        let token = CancelToken::new();
        let sleeps = [lisle::park as fn(), || lisle::sleep(LONG), || lisle::park_timeout(LONG)];
        let threads: Vec<_> = sleeps
            .map(|sleep| {
                let token = token.clone();
                thread::spawn(move || {
                    token.run(|| {
                        while stopped().is_none() {
                            sleep();
                        }
                    });
                    stopped()
                })
            })
            .into();
        token.cancel();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), None);
        }
    });
}
