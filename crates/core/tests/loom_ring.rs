//! Models of the run queue: every item comes out exactly once, with what its pusher wrote to it.
//!
//! Loom lets a load return any older store but none that is still to come. So the one order these
//! models do not need is that of `head`, Release by consumers and Acquire by `push`: it keeps a
//! thief's slot read from being delayed past the reuse of the slot. The argument in `ring.rs`
//! stands for it alone.
#![cfg(loom)]

use std::ptr::NonNull;

use lisle_core::{CAPACITY, Ring};
use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

/// An item; its number is written by the pusher just before the push.
type Item = UnsafeCell<u32>;

/// Items that outlive every thread of one model run.
fn items(count: usize) -> Arc<Vec<Item>> {
    Arc::new((0..count).map(|_| UnsafeCell::new(u32::MAX)).collect())
}

/// The owner's push of item `index`.
fn push(ring: &Ring<Item>, items: &Arc<Vec<Item>>, index: usize) -> bool {
    // SAFETY: nobody has the item before it is pushed.
    items[index].with_mut(|number| unsafe { *number = index as u32 });
    // SAFETY: called by the owner of `ring` only; items may be read by any thread.
    unsafe { ring.push(NonNull::from(&items[index])) }.is_ok()
}

/// The owner's pop.
fn pop(ring: &Ring<Item>) -> Option<u32> {
    // SAFETY: called by the owner of `ring` only.
    unsafe { ring.pop() }.map(number)
}

/// Reads an item that was taken out. Loom fails if the pusher's write is not ordered before.
fn number(item: NonNull<Item>) -> u32 {
    // SAFETY: the items outlive the model's threads, and the taker is the only one to have this
    // one.
    unsafe { item.as_ref().with(|number| *number) }
}

/// Steals once and empties the ring stolen into.
fn steal(ring: &Ring<Item>) -> Vec<u32> {
    let mine = Ring::new();
    // SAFETY: `mine` is this thread's own.
    let stolen = unsafe { ring.steal_into(&mine) };
    let mut got = Vec::new();
    if let Some((first, more)) = stolen {
        got.push(number(first));
        got.extend(std::iter::from_fn(|| pop(&mine)));
        assert_eq!(got.len(), more + 1);
        assert!(got.is_sorted(), "stolen out of order: {got:?}");
    }
    got
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

fn assert_each_once(mut got: Vec<u32>, count: usize) {
    got.sort_unstable();
    assert!(got.iter().copied().eq(0..count as u32), "{got:?}");
}

#[test]
fn thief_sees_what_was_pushed_meanwhile() {
    check(3, || {
        let (ring, items) = (Arc::new(Ring::new()), items(2));
        let thief = {
            let ring = ring.clone();
            thread::spawn(move || steal(&ring))
        };
        // No pop before the thief is done: `tail` alone has to carry the items over.
        push(&ring, &items, 0);
        push(&ring, &items, 1);
        let mut got = thief.join().unwrap();
        got.extend(std::iter::from_fn(|| pop(&ring)));
        assert_each_once(got, 2);
    });
}

#[test]
fn owner_and_thief_share() {
    check(3, || {
        let (ring, items) = (Arc::new(Ring::new()), items(3));
        push(&ring, &items, 0);
        push(&ring, &items, 1);
        let thief = {
            let ring = ring.clone();
            thread::spawn(move || steal(&ring))
        };
        push(&ring, &items, 2);
        let mut got: Vec<_> = std::iter::from_fn(|| pop(&ring)).collect();
        assert!(got.is_sorted());
        got.extend(thief.join().unwrap());
        assert_each_once(got, 3);
    });
}

#[test]
fn two_thieves_share() {
    check(3, || {
        let (ring, items) = (Arc::new(Ring::new()), items(3));
        (0..3).for_each(|index| assert!(push(&ring, &items, index)));
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let ring = ring.clone();
                thread::spawn(move || steal(&ring))
            })
            .collect();
        let mut got: Vec<_> = pop(&ring).into_iter().collect();
        thieves.into_iter().for_each(|thief| got.extend(thief.join().unwrap()));
        got.extend(std::iter::from_fn(|| pop(&ring)));
        assert_each_once(got, 3);
    });
}

#[test]
fn slots_are_reused_under_a_thief() {
    check(3, || {
        let (ring, items) = (Arc::new(Ring::new()), items(CAPACITY + 2));
        (0..CAPACITY).for_each(|index| assert!(push(&ring, &items, index)));
        let thief = {
            let ring = ring.clone();
            thread::spawn(move || steal(&ring))
        };
        let mut got = Vec::new();
        for index in CAPACITY..CAPACITY + 2 {
            // Room for one more in the slot that the thief may be reading.
            got.extend(pop(&ring));
            assert!(push(&ring, &items, index));
        }
        got.extend(std::iter::from_fn(|| pop(&ring)));
        got.extend(thief.join().unwrap());
        assert_each_once(got, CAPACITY + 2);
    });
}

#[test]
fn thieves_steal_from_a_thief() {
    check(2, || {
        let (first, second, items) = (Arc::new(Ring::new()), Arc::new(Ring::new()), items(3));
        let thief = {
            let (first, second) = (first.clone(), second.clone());
            thread::spawn(move || {
                // SAFETY: this thread owns `second`.
                let stolen = unsafe { first.steal_into(&second) };
                let mut got: Vec<_> = stolen.map(|(item, _)| number(item)).into_iter().collect();
                got.extend(pop(&second));
                got
            })
        };
        let thief_of_thief = {
            let second = second.clone();
            thread::spawn(move || steal(&second))
        };
        // What the second thief gets has come through two rings.
        (0..3).for_each(|index| assert!(push(&first, &items, index)));
        let mut got = thief.join().unwrap();
        got.extend(thief_of_thief.join().unwrap());
        got.extend(std::iter::from_fn(|| pop(&first)));
        got.extend(std::iter::from_fn(|| pop(&second)));
        assert_each_once(got, 3);
    });
}

#[test]
fn overflow_and_thief_share() {
    check(3, || {
        let (ring, items) = (Arc::new(Ring::new()), items(CAPACITY + 1));
        (0..CAPACITY).for_each(|index| assert!(push(&ring, &items, index)));
        let thief = {
            let ring = ring.clone();
            thread::spawn(move || steal(&ring))
        };
        let mut got = Vec::new();
        if !push(&ring, &items, CAPACITY) {
            // SAFETY: this thread is the owner, and the closure pushes nothing.
            unsafe { ring.drain_half(&mut |item| got.push(number(item))) };
            assert!(push(&ring, &items, CAPACITY));
        }
        got.extend(std::iter::from_fn(|| pop(&ring)));
        got.extend(thief.join().unwrap());
        assert_each_once(got, CAPACITY + 1);
    });
}
